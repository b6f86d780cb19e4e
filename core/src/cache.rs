//! `Cache`: a cache of one owner, without groups, loads or locks.

use core::time::Duration;

use allocator_api2::alloc::Global;

use crate::{
    admit::{Place, admit},
    budget::Budget,
    entry::{Extras, Memory, OutOfMemory, Parts, Value},
    error::Refusal,
    evicted::Evicted,
    policy::{Lru, Policy, meter},
    seed::Seed,
    store::{Lack, SWEEP, Store},
    time::{Instant, Now, ticks},
};

/// Keys and values in a budget of bytes, for one owner: what a [`Group`](crate::Group) is made of,
/// for those who need neither loads nor locks.
///
/// ```
/// use gocache_core::{Cache, Instant, Lru, Seed};
///
/// let mut cache: Cache<Lru> = Cache::new(2 << 10, Seed::new(0x5eed))?;
/// cache.insert(b"Tom", b"630", Instant::ZERO)?;
/// assert_eq!(cache.get(b"Tom", Instant::ZERO).as_deref(), Some(&b"630"[..]));
/// assert!(cache.used() <= 2 << 10);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Cache<P: Policy<A> = Lru, A: Memory = Global> {
    store: Store<P, A>,
    budget: Budget,
    seed: Seed,
    allocator: A,
    /// What the tables take up with a first entry, and without what that holds.
    least: usize,
    generation: u32,
    lifetime: Option<u32>,
}

impl<P: Policy<Global>> Cache<P> {
    /// A cache that takes up at most `budget` bytes, with memory from the global allocator.
    ///
    /// # Errors
    /// If there is no memory for the tables it begins with.
    pub fn new(budget: usize, seed: Seed) -> Result<Self, OutOfMemory> {
        Self::new_in(budget, seed, Global)
    }
}

impl<P: Policy<A>, A: Memory> Cache<P, A> {
    /// A cache that takes up at most `budget` bytes of an allocator.
    ///
    /// # Errors
    /// If there is no memory for the tables it begins with.
    pub fn new_in(budget: usize, seed: Seed, allocator: A) -> Result<Self, OutOfMemory> {
        let share = budget;
        let budget = Budget::new(budget);
        let policy = |segments| P::new(segments, allocator.clone());
        let store = Store::new(share, seed.clone(), &budget, policy, allocator.clone())?;
        let least = budget.used() + store.least();
        Ok(Self { store, budget, seed, allocator, least, generation: 0, lifetime: None })
    }

    /// The same with a lifetime, after which a value is no longer there that is stored from now on.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(ticks(lifetime));
        self
    }

    fn now(&self, now: Instant) -> Now {
        let (lifetime, generation) = (self.lifetime, self.generation);
        Now { tick: now.tick(), lifetime, jitter: 0, generation }
    }

    /// Looks a key up and notes its use. A cache without a lifetime may be given
    /// [`Instant::ZERO`] each time.
    pub fn get(&mut self, key: &[u8], now: Instant) -> Option<Value<A>> {
        let hash = self.seed.hash(key);
        let hit = self.store.hit(hash, key, &self.now(now));
        if hit.is_none() {
            self.missed(hash, key, now);
        }
        hit.map(|(value, _)| value)
    }

    #[cold]
    fn missed(&mut self, hash: u64, key: &[u8], now: Instant) {
        let now = self.now(now);
        self.store.expire(hash, key, &now, &mut Evicted::new(&self.budget));
    }

    /// Stores a value, in place of one with the same key. A value that is refused takes the older
    /// one of its key with it, for that is known to be outdated.
    ///
    /// # Errors
    /// If the value does not fit the budget, or the allocator has no memory.
    pub fn insert(&mut self, key: &[u8], value: &[u8], now: Instant) -> Result<(), Refusal> {
        let (hash, now) = (self.seed.hash(key), self.now(now));
        let Self { store, budget, allocator, .. } = self;
        store.foresee(hash);
        {
            let mut out = Evicted::new(budget);
            store.remove(hash, key, &now, &mut out);
            store.sweep(SWEEP, &now, &mut out);
        }
        let born = self.lifetime.map(|_| now.tick);
        let extras = Extras { born, ..Extras::default() };
        let parts = Parts { key, value, extras, meter: meter(now.generation) };
        if parts.memory::<A>().saturating_add(self.least) > budget.limit() {
            return Err(Refusal::TooLarge);
        }
        admit(&parts, allocator, budget, &mut Owned { store, budget, hash })
    }

    /// Forgets a key. Says whether it was there.
    pub fn remove(&mut self, key: &[u8], now: Instant) -> bool {
        let (hash, now) = (self.seed.hash(key), self.now(now));
        self.store.remove(hash, key, &now, &mut Evicted::new(&self.budget))
    }

    /// Forgets everything, at once. What is left of it in memory goes little by little, or with a
    /// later call, where they come in quick succession; until then it is in [`Cache::len`] and
    /// [`Cache::used`].
    pub fn clear(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        let now = self.now(Instant::ZERO);
        while self.store.is_behind(self.generation) {
            self.store.sweep(SWEEP, &now, &mut Evicted::new(&self.budget));
        }
    }

    /// Entries in memory, those included that have expired or were cleared and wait to be swept.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there are none, not even such as wait to be swept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held, tables and all: what the allocator gave for this cache, to the byte,
    /// without [`Cache::lent`].
    pub fn used(&self) -> usize {
        self.budget.used()
    }

    /// Bytes of values that are no longer cached, but not given back yet: for who got them still
    /// holds them, or too many went at once.
    pub fn lent(&self) -> usize {
        self.budget.lent()
    }

    /// Recounts everything, and panics where a running figure is wrong.
    #[cfg(any(test, feature = "check"))]
    pub fn check(&self) {
        let (used, lent) = self.store.check();
        assert_eq!((used, lent), (self.used(), self.lent()), "the budget counts what is there");
        let most = self.budget.limit().max(self.least);
        assert!(used <= most, "{used} bytes used of {most}");
    }
}

/// The store of one owner, while an entry goes in.
struct Owned<'a, P, A: Memory> {
    store: &'a mut Store<P, A>,
    budget: &'a Budget,
    hash: u64,
}

impl<P: Policy<A>, A: Memory> Place<A> for Owned<'_, P, A> {
    fn insert(&mut self, entry: Value<A>) -> Result<(), (Value<A>, Lack)> {
        self.store.insert(self.hash, entry, self.budget)
    }

    fn evict(&mut self, bytes: usize) -> bool {
        self.store.evict(bytes, &mut Evicted::new(self.budget))
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
