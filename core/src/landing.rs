//! How a value gets into a group: landed by a load, or put there.
//!
//! A flight stays in the air until its value is linked in, so that nobody begins a second load of
//! the key in between; and its value is linked in only while it is current, so that a removal in
//! between is not undone.

use core::time::Duration;

use allocator_api2::vec::Vec;
use lock_api::{RawRwLock, RwLock};

#[cfg(feature = "digests")]
use crate::digest;
use crate::{
    admit::{Place, admit},
    entry::{Extras, Memory, Parts, Value},
    error::{LoadError, Refusal},
    evicted::Evicted,
    flight::{FlightId, Source, Waiter},
    group::{Found, Group, Load},
    policy::meter,
    shard::Shard,
    stats::Stats,
    store::Lack,
    time::{Instant, Now, ticks, whole_ticks},
};

/// What came of a landing.
pub(crate) enum Landed<A: Memory> {
    /// The load is over. The value is the cached one where it was stored.
    Done(Vec<Waiter, A>, Result<Found<A>, LoadError>),
    /// The peer was no help; the flight goes on to the origin.
    Redirected,
}

impl<R: RawRwLock, A: Memory> Group<R, A> {
    /// Ends a flight with what it brought. A value from a peer is served and not stored: the owner
    /// has it, and two copies could disagree after a removal.
    pub(crate) fn land(
        &self,
        key: &[u8],
        id: FlightId,
        source: Source,
        result: Result<Load<A>, LoadError>,
        at: Instant,
    ) -> Landed<A> {
        let hash = self.seed.hash(key);
        let none = || Vec::new_in(self.allocator.clone());
        let Some(shard) = self.shard(hash) else {
            return Landed::Done(none(), Err(LoadError::Failed));
        };
        if let (Source::Peer(_), Err(LoadError::PeerDown)) = (source, &result)
            && shard.write().redirect(hash, key, id)
        {
            return Landed::Redirected;
        }
        if let (Source::Origin, Ok(load)) = (source, &result) {
            let mut placing = Placing::new(self, shard, (hash, key), Some(id), at);
            placing.store(&load.value, load.age, load.lifetime);
            if let Some((waiters, value)) = placing.stored {
                return Landed::Done(waiters, Ok(self.found(value, load)));
            }
        }
        let mut shard = shard.write();
        let waiters = shard.flights.take(hash, key, id, &self.flights);
        // A load that was given up has been counted, and whoever waited has been answered.
        if let (Some(_), Err(error)) = (&waiters, &result) {
            shard.count(*error);
        }
        drop(shard);
        let waiters = waiters.unwrap_or_else(none);
        Landed::Done(waiters, result.map(|load| self.found(load.value.clone(), &load)))
    }

    fn found(&self, value: Value<A>, load: &Load<A>) -> Found<A> {
        let ages = self.tunable.lifetime().is_some() || load.lifetime.is_some();
        Found { value, age: ages.then_some(load.age) }
    }

    /// Stores a value as if a load had brought it just now, for the group's lifetime or one of its
    /// own. A load of the key that is in the air will not replace it.
    ///
    /// # Errors
    /// If the value does not fit the budget, or the allocator has no memory. An older value of the
    /// key is gone even so.
    pub fn insert(
        &self,
        key: &[u8],
        value: &[u8],
        lifetime: Option<Duration>,
        at: Instant,
    ) -> Result<(), Refusal> {
        let hash = self.seed.hash(key);
        let shard = self.shard(hash).ok_or(Refusal::TooLarge)?;
        let mut placing = Placing::new(self, shard, (hash, key), None, at);
        let refusal = placing.store(value, Duration::ZERO, lifetime);
        // The older value goes in the moment the new one is linked in, or else now.
        if placing.stored.is_none() {
            self.forget(key, at, |stats| stats.puts += 1);
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Forgets the cached value of a key, and lets no load that is in the air now store one.
    /// Says whether there was a value.
    pub fn remove(&self, key: &[u8], at: Instant) -> bool {
        self.forget(key, at, |stats| stats.removals += 1)
    }

    fn forget(&self, key: &[u8], at: Instant, count: impl FnOnce(&mut Stats)) -> bool {
        let hash = self.seed.hash(key);
        let Some(shard) = self.shard(hash) else { return false };
        let mut out = Evicted::new(&self.budget);
        let mut shard = shard.write();
        count(&mut shard.stats);
        shard.flights.outdate(hash, key);
        shard.store.remove(hash, key, &self.now(at), &mut out)
    }

    /// Evicts entries of one shard, the one after the last in turn, until they are worth so many
    /// bytes. Says whether any went.
    pub(crate) fn evict(&self, first: usize, turn: &mut usize, bytes: usize) -> bool {
        let mut out = Evicted::new(&self.budget);
        (0..self.shards.len()).any(|_| {
            let next = (first + *turn) % self.shards.len().max(1);
            *turn += 1;
            let shard = self.shards.get(next);
            shard.is_some_and(|shard| shard.0.write().store.evict(bytes, &mut out))
        })
    }
}

/// A value on its way into its group.
struct Placing<'a, R: RawRwLock, A: Memory> {
    group: &'a Group<R, A>,
    shard: &'a RwLock<R, Shard<A>>,
    hash: u64,
    key: &'a [u8],
    now: Now,
    /// The flight that brings it, if one does.
    flight: Option<FlightId>,
    /// Shards that have made room so far.
    turn: usize,
    /// Who waited for it, and the cached value.
    stored: Option<(Vec<Waiter, A>, Value<A>)>,
}

impl<'a, R: RawRwLock, A: Memory> Placing<'a, R, A> {
    fn new(
        group: &'a Group<R, A>,
        shard: &'a RwLock<R, Shard<A>>,
        (hash, key): (u64, &'a [u8]),
        flight: Option<FlightId>,
        at: Instant,
    ) -> Self {
        Self { group, shard, hash, key, now: group.now(at), flight, turn: 0, stored: None }
    }

    /// Stores the value, or says why not. `None` too where nobody wants it any more.
    fn store(
        &mut self,
        value: &[u8],
        age: Duration,
        lifetime: Option<Duration>,
    ) -> Option<Refusal> {
        let Group { tunable, budget, allocator, .. } = self.group;
        {
            let shard = self.shard.read();
            if !self.is_current(&shard) {
                return None;
            }
            // The first that makes room is this shard.
            shard.store.foresee(self.hash);
        }
        let now = &self.now;
        let ages = now.lifetime.is_some() || lifetime.is_some();
        let extras = Extras {
            born: ages.then(|| now.tick.wrapping_sub(whole_ticks(age))),
            lifetime: lifetime.map(ticks),
            #[cfg(feature = "digests")]
            digest: self.group.digests.then(|| digest::of(value)),
            #[cfg(not(feature = "digests"))]
            digest: None,
        };
        let parts = Parts { key: self.key, value, extras, meter: meter(now.generation) };
        let fits = parts.memory::<A>().saturating_add(self.group.least) <= budget.limit()
            && self.key.len() <= tunable.key_bytes();
        let stored = match fits {
            true => admit(&parts, allocator, budget, self),
            false => Err(Refusal::TooLarge),
        };
        let refusal = stored.err()?;
        let mut shard = self.shard.write();
        let is_current = self.is_current(&shard);
        is_current.then(|| shard.refuse(refusal));
        is_current.then_some(refusal)
    }

    /// Whether the value may be stored: no flush has overtaken it, nor a removal the flight that brings
    /// it.
    fn is_current(&self, shard: &Shard<A>) -> bool {
        let generation = self.group.now(Instant::ZERO).generation;
        let flight = |id| shard.flights.find(self.hash, self.key, id);
        let is_current = |id| flight(id).is_some_and(|flight| flight.is_current(generation));
        generation == self.now.generation && self.flight.is_none_or(is_current)
    }
}

impl<R: RawRwLock, A: Memory> Place<A> for Placing<'_, R, A> {
    fn insert(&mut self, entry: Value<A>) -> Result<(), (Value<A>, Lack)> {
        let group = self.group;
        // Dropped after the lock: what makes place is given back outside of it.
        let mut out = Evicted::new(&group.budget);
        let mut shard = self.shard.write();
        if !self.is_current(&shard) {
            return Err((entry, Lack::Outdated));
        }
        shard.settle();
        // Another load of the key may have been faster: a peer's does not wait for a client's.
        shard.store.remove(self.hash, self.key, &self.now, &mut out);
        let value = entry.clone();
        shard.store.insert(self.hash, entry, &group.budget)?;
        #[cfg(feature = "estimates")]
        group.estimates.iter().for_each(|estimates| estimates.stored(self.hash, &value));
        let waiters = match self.flight {
            Some(id) => shard.flights.take(self.hash, self.key, id, &group.flights),
            None => {
                shard.stats.puts += 1;
                shard.flights.outdate(self.hash, self.key);
                None
            }
        };
        let none = || Vec::new_in(group.allocator.clone());
        self.stored = Some((waiters.unwrap_or_else(none), value));
        Ok(())
    }

    fn evict(&mut self, bytes: usize) -> bool {
        self.group.evict(self.group.shard_of(self.hash), &mut self.turn, bytes)
    }
}
