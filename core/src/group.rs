//! `Group`: one namespace of keys with its own budget, lifetime and counters, in shards of a lock
//! each.

use core::{
    mem::size_of,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use allocator_api2::{alloc::Global, vec::Vec};
use lock_api::{RawRwLock, RwLock};

#[cfg(feature = "estimates")]
use crate::estimate::{Estimate, Estimates};
use crate::{
    budget::Budget,
    entry::{Memory, OutOfMemory, Value},
    error::Error,
    evicted::Evicted,
    flight::{Ask, Asker, Flights, Source, Waiter},
    lock::SpinLock,
    policy::Chosen,
    room,
    seed::Seed,
    settings::{Settings, Tunable},
    shard::{Got, Shard},
    stats::Stats,
    store::{Hit, Store},
    time::{Instant, Now, of_ticks},
};

/// Slots of one shard that are swept where no operation does it.
const TICK_SWEEP: u32 = 64;

/// A namespace of keys. Hand it to a [`Node`](crate::Node), or give it a
/// [`Getter`](crate::Getter) and use it alone.
///
/// `R` is the kind of its locks, any of `lock_api`: where threads may be preempted while they hold
/// one, a lock that puts the others to sleep is the better choice.
pub struct Group<R: RawRwLock = SpinLock, A: Memory = Global> {
    pub(crate) name: Vec<u8, A>,
    pub(crate) tunable: Tunable,
    /// Whether entries keep the digests of their values.
    #[cfg(feature = "digests")]
    pub(crate) digests: bool,
    pub(crate) seed: Seed,
    pub(crate) allocator: A,
    pub(crate) budget: Budget,
    /// Raised by each flush: what was stored or asked for before is outdated.
    pub(crate) generation: AtomicU32,
    /// Loads in the air.
    pub(crate) flights: AtomicUsize,
    /// Which shard is looked after next.
    pub(crate) turn: AtomicUsize,
    /// What the tables take up with a first entry, and without what that holds.
    pub(crate) least: usize,
    #[cfg(feature = "estimates")]
    pub(crate) estimates: Option<Estimates<R, A>>,
    pub(crate) shards: Vec<Apart<RwLock<R, Shard<A>>>, A>,
}

/// On cache lines of its own, where there are several cores.
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
pub(crate) struct Apart<T>(pub(crate) T);

/// A value with its age, where the group has a lifetime.
#[derive(Debug)]
pub struct Found<A: Memory = Global> {
    /// The bytes.
    pub value: Value<A>,
    /// Time since the load from the origin; `None` in a group whose values do not age.
    pub age: Option<Duration>,
}

impl<A: Memory> Found<A> {
    /// A value of some age in ticks.
    pub(crate) fn aged(value: Value<A>, age: Option<u32>) -> Self {
        Self { value, age: age.map(of_ticks) }
    }
}

impl<A: Memory> PartialEq for Found<A> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value && self.age == other.age
    }
}

impl<A: Memory> Eq for Found<A> {}

impl<A: Memory> Clone for Found<A> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), age: self.age }
    }
}

/// What a load brought.
#[derive(Debug)]
pub struct Load<A: Memory = Global> {
    /// The bytes.
    pub value: Value<A>,
    /// How old they were when they came: zero from the origin, what the owner says from a peer.
    pub age: Duration,
    /// How long the value lives, where that differs from the group's lifetime.
    pub lifetime: Option<Duration>,
}

impl<A: Memory> From<Value<A>> for Load<A> {
    fn from(value: Value<A>) -> Self {
        Self { value, age: Duration::ZERO, lifetime: None }
    }
}

impl Group {
    /// A group with memory from the global allocator.
    ///
    /// # Errors
    /// If there is no memory for the tables it begins with.
    pub fn new(
        name: impl AsRef<[u8]>,
        settings: Settings,
        seed: Seed,
    ) -> Result<Self, OutOfMemory> {
        Self::new_in(name, settings, seed, Global)
    }
}

impl<R: RawRwLock, A: Memory> Group<R, A> {
    /// A group with memory from an allocator, and locks of any kind.
    ///
    /// # Errors
    /// If there is no memory for the tables it begins with.
    pub fn new_in(
        name: impl AsRef<[u8]>,
        settings: Settings,
        seed: Seed,
        allocator: A,
    ) -> Result<Self, OutOfMemory> {
        let budget = Budget::new(settings.budget);
        let own_name = room::copied(name.as_ref(), allocator.clone())?;
        let count = settings.shards.max(1);
        let mut shards = room::empty(usize::from(count), allocator.clone())?;
        let share = settings.budget / usize::from(count);
        for number in 0..count {
            let policy = |segments| Chosen::by(settings.eviction, segments, allocator.clone());
            let store = Store::new(share, seed.clone(), &budget, policy, allocator.clone())?;
            let flights = Flights::new(number, count, allocator.clone());
            room::place(&mut shards, Apart(RwLock::new(Shard::new(store, flights))));
        }
        budget.charge(Self::own_memory(&own_name, &shards));
        #[cfg(feature = "estimates")]
        let estimates =
            settings.estimates.then(|| Estimates::new(&budget, &allocator)).transpose()?;
        let least = shards.first().ok_or(OutOfMemory)?.0.read().store.least();
        Ok(Self {
            name: own_name,
            tunable: Tunable::new(&settings),
            #[cfg(feature = "digests")]
            digests: settings.digests,
            seed,
            allocator,
            least: budget.used() + least,
            budget,
            generation: AtomicU32::new(0),
            flights: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            #[cfg(feature = "estimates")]
            estimates,
            shards,
        })
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Forgets all values at once, and lets no load that is in the air now store one. The memory is
    /// given back little by little, by the operations that follow; a flush that finds much left of
    /// earlier ones gives that back first.
    pub fn flush(&self) {
        let now = || self.now(Instant::ZERO);
        loop {
            let generation = now().generation;
            for shard in &self.shards {
                while shard.0.read().store.is_behind(now().generation) {
                    let mut out = Evicted::new(&self.budget);
                    shard.0.write().store.sweep(TICK_SWEEP, &now(), &mut out);
                }
            }
            // Only from the generation that the shards have been swept for: another flush may have been
            // faster.
            let next = generation.wrapping_add(1);
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            if self.generation.compare_exchange(generation, next, success, failure).is_ok() {
                return;
            }
        }
    }

    /// Changes the budget. Where it is less than what is used, entries go before this returns. The
    /// number of tables goes by the first budget: one that grows to many times that has larger
    /// tables, of which each takes longer to grow.
    pub fn set_budget(&self, bytes: usize) {
        let mut excess = self.budget.set_limit(bytes);
        // Each shard in turn, so that each gives its share.
        let mut turn = 0;
        while excess > 0 && self.evict(0, &mut turn, excess) {
            excess = self.budget.used().saturating_sub(bytes);
        }
    }

    /// Takes on the budget, the lifetime, the jitter and the limits of other settings, and keeps what
    /// it holds. What a group is built of stays as it is: policy, shards, digests and estimates.
    ///
    /// A group that had no lifetime and gets one is flushed, for nobody knows how old its values are.
    pub fn adjust(&self, settings: &Settings) {
        let had_lifetime = self.tunable.lifetime().is_some();
        self.tunable.set(settings);
        if settings.lifetime.is_some() && !had_lifetime {
            self.flush();
        }
        self.set_budget(settings.budget);
    }

    /// The group's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut sum = Stats {
            bytes: self.budget.used() as u64,
            budget: self.budget.limit() as u64,
            lent_bytes: self.budget.lent() as u64,
            ..Stats::default()
        };
        self.shards.iter().for_each(|shard| shard.0.read().add_to(&mut sum));
        sum
    }

    /// What the hit ratio would be with other budgets, as a sample of the keys has it. `None`
    /// unless the [`Settings`] ask for it.
    #[cfg(feature = "estimates")]
    #[must_use]
    pub fn estimates(&self) -> Option<[Estimate; 3]> {
        self.estimates.as_ref().map(Estimates::read)
    }

    pub(crate) fn get(
        &self,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        at: Instant,
        source: impl FnOnce() -> Source,
    ) -> Result<Got<A>, Error> {
        let limit = self.tunable.key_bytes();
        if key.len() > limit {
            return Err(Error::KeyTooLong { limit });
        }
        let (hash, now) = (self.seed.hash(key), self.now(at));
        let shard = self.shard(hash).ok_or(Error::NoSuchGroup)?;
        #[cfg(feature = "estimates")]
        self.estimates.iter().for_each(|estimates| estimates.asked(hash));
        if let Some(hit) = shard.read().peek(hash, key, &now) {
            return Ok(Got::Hit(hit));
        }
        let ask = Ask { hash, key, asker, waiter, now: at, generation: now.generation };
        self.get_exclusively(shard, ask, source)
    }

    /// `get` with exclusive access to the shard.
    // Apart from the hit, which then has the registers for itself.
    #[inline(never)]
    fn get_exclusively(
        &self,
        shard: &RwLock<R, Shard<A>>,
        ask: Ask<'_>,
        source: impl FnOnce() -> Source,
    ) -> Result<Got<A>, Error> {
        // Dropped after the lock: what is evicted is given back outside of it.
        let mut out;
        let mut shard = shard.write();
        // Under the lock: who reads the generation before it could join what a flush has outdated.
        let now = self.now(ask.now);
        let ask = Ask { generation: now.generation, ..ask };
        if let Some(hit) = shard.hit(ask.hash, ask.key, &now) {
            return Ok(Got::Hit(hit));
        }
        out = Evicted::new(&self.budget);
        let limits = self.tunable.limits();
        let rules = (&limits, &self.flights);
        shard.join(&ask, &now, rules, source, &mut out)
    }

    /// A value that is cached; a miss begins nothing and counts as nothing. So does a key that is too
    /// long by now.
    // As in `Shard::peek`.
    #[inline(always)]
    pub(crate) fn hit(&self, key: &[u8], at: Instant) -> Option<Hit<A>> {
        if key.len() > self.tunable.key_bytes() {
            return None;
        }
        let hash = self.seed.hash(key);
        let (shard, now) = (self.shard(hash)?, self.now(at));
        let shared = shard.read().peek(hash, key, &now);
        let hit = shared.or_else(|| shard.write().hit(hash, key, &now))?;
        #[cfg(feature = "estimates")]
        self.estimates.iter().for_each(|estimates| estimates.asked(hash));
        Some(hit)
    }

    /// Takes out a load that has been in the air for too long, and says who waited for it. Where
    /// there is none, it looks after a few entries of one shard.
    pub(crate) fn take_overdue(&self, at: Instant) -> Option<Vec<Waiter, A>> {
        let deadline = self.tunable.limits().load_deadline;
        for shard in &self.shards {
            let mut shard = shard.0.write();
            if let Some(waiters) = shard.flights.take_overdue(deadline, at, &self.flights) {
                shard.stats.load_errors += 1;
                return Some(waiters);
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let shard = self.shards.get(turn % self.shards.len().max(1))?;
        let mut out = Evicted::new(&self.budget);
        let mut shard = shard.0.write();
        shard.settle();
        shard.store.sweep(TICK_SWEEP, &self.now(at), &mut out);
        None
    }

    pub(crate) fn now(&self, at: Instant) -> Now {
        // First: with the generation that a first lifetime begins comes that lifetime.
        let generation = self.generation.load(Ordering::Acquire);
        let Self { tunable, .. } = self;
        Now { tick: at.tick(), lifetime: tunable.lifetime(), jitter: tunable.jitter(), generation }
    }

    /// The shard of a hash, by the lowest bits, which nothing else in it goes by first.
    pub(crate) fn shard_of(&self, hash: u64) -> usize {
        (((hash & 0xffff) * self.shards.len() as u64) >> 16) as usize
    }

    /// There is one for each hash; the `Option` spares a check that would panic.
    pub(crate) fn shard(&self, hash: u64) -> Option<&RwLock<R, Shard<A>>> {
        self.shards.get(self.shard_of(hash)).map(|shard| &shard.0)
    }

    /// Bytes that the group takes up beside its shards' stores.
    fn own_memory(name: &Vec<u8, A>, shards: &Vec<Apart<RwLock<R, Shard<A>>>, A>) -> usize {
        name.capacity() + shards.capacity() * size_of::<Apart<RwLock<R, Shard<A>>>>()
    }

    /// Recounts everything, and panics where a running figure is wrong.
    #[cfg(any(test, feature = "check"))]
    pub fn check(&self) {
        let mut used = Self::own_memory(&self.name, &self.shards);
        let (mut lent, mut flights) = (0, 0);
        for shard in &self.shards {
            let shard = shard.0.read();
            shard.flights.check();
            let store = shard.store.check();
            (used, lent) = (used + store.0, lent + store.1);
            flights += shard.flights.len();
        }
        #[cfg(feature = "estimates")]
        (used += self.estimates.as_ref().map_or(0, Estimates::memory));
        assert_eq!((used, lent), (self.budget.used(), self.budget.lent()));
        assert_eq!(flights, self.flights.load(Ordering::Relaxed));
        assert!(used <= self.budget.limit().max(self.least), "{used} bytes used");
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
