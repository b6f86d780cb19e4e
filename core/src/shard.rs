//! `Shard`: what one lock guards. The entries and the flights of the same keys stand together, so
//! that a hit, a miss, a landing and a removal of a key cannot overtake each other.

use core::{
    mem,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    entry::{Memory, Value},
    error::{Error, LoadError, Refusal},
    evicted::Evicted,
    flight::{Ask, FlightId, Flights, Join, Source},
    policy::Chosen,
    settings::Limits,
    stats::Stats,
    store::{Hit, SWEEP, Store},
    time::Now,
};

pub(crate) struct Shard<A: Memory> {
    pub(crate) store: Store<Chosen<A>, A>,
    pub(crate) flights: Flights<A>,
    pub(crate) stats: Stats,
    /// Hits that were answered without exclusive access, and are not in the stats yet.
    shared_hits: AtomicUsize,
}

/// What came of a `get`.
pub(crate) enum Got<A: Memory> {
    Hit(Hit<A>),
    Wait,
    Lead(FlightId, Value<A>, Source),
}

impl<A: Memory> Shard<A> {
    pub(crate) fn new(store: Store<Chosen<A>, A>, flights: Flights<A>) -> Self {
        let (stats, shared_hits) = (Stats::default(), AtomicUsize::new(0));
        Self { store, flights, stats, shared_hits }
    }

    /// Answers a hit without exclusive access.
    // A call would cost as much as the rest of it.
    #[inline(always)]
    pub(crate) fn peek(&self, hash: u64, key: &[u8], now: &Now) -> Option<Hit<A>> {
        let hit = self.store.peek(hash, key, now)?;
        self.shared_hits.fetch_add(1, Ordering::Relaxed);
        Some(hit)
    }

    /// Answers a hit.
    pub(crate) fn hit(&mut self, hash: u64, key: &[u8], now: &Now) -> Option<Hit<A>> {
        let hit = self.store.hit(hash, key, now)?;
        self.stats.gets += 1;
        self.stats.hits += 1;
        Some(hit)
    }

    /// After a miss, lets the asker lead, from `source`, or wait.
    pub(crate) fn join(
        &mut self,
        ask: &Ask<'_>,
        now: &Now,
        (limits, in_air): (&Limits, &AtomicUsize),
        source: impl FnOnce() -> Source,
        out: &mut Evicted<'_, A>,
    ) -> Result<Got<A>, Error> {
        self.settle();
        self.stats.gets += 1;
        self.store.expire(ask.hash, ask.key, now, out);
        self.store.sweep(SWEEP, now, out);
        let source = source();
        match self.flights.join(ask, source, limits, in_air)? {
            Join::Lead(id, key) => {
                match source {
                    Source::Origin => self.stats.origin_loads += 1,
                    Source::Peer(_) => self.stats.peer_loads += 1,
                }
                Ok(Got::Lead(id, key, source))
            }
            Join::Wait => {
                self.stats.waits += 1;
                Ok(Got::Wait)
            }
            Join::Busy => {
                self.stats.busy += 1;
                Err(Error::Busy)
            }
        }
    }

    /// Turns a load that its peer failed towards the origin. Says whether it is still in the air.
    pub(crate) fn redirect(&mut self, hash: u64, key: &[u8], id: FlightId) -> bool {
        let is_in_air = self.flights.redirect(hash, key, id);
        self.stats.peer_failures += u64::from(is_in_air);
        self.stats.origin_loads += u64::from(is_in_air);
        is_in_air
    }

    pub(crate) fn count(&mut self, error: LoadError) {
        match error {
            LoadError::NotFound => self.stats.not_found += 1,
            LoadError::Failed
            | LoadError::TimedOut
            | LoadError::Busy
            | LoadError::Panicked
            | LoadError::PeerDown
            | LoadError::OutOfMemory => self.stats.load_errors += 1,
        }
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::TooLarge => self.stats.refused_too_large += 1,
            Refusal::OutOfMemory => self.stats.refused_no_memory += 1,
        }
    }

    /// Adds what this shard has counted.
    pub(crate) fn add_to(&self, sum: &mut Stats) {
        let departed = self.store.departed;
        let shared = self.shared_hits.load(Ordering::Relaxed) as u64;
        *sum += Stats {
            gets: self.stats.gets + shared,
            hits: self.stats.hits + shared,
            evictions: self.stats.evictions + departed.evicted as u64,
            evictions_unused: self.stats.evictions_unused + departed.evicted_unused as u64,
            expirations: self.stats.expirations + departed.expired as u64,
            entries: self.store.len() as u64,
            flights: self.flights.len() as u64,
            flight_bytes: self.flights.memory() as u64,
            ..self.stats
        };
    }

    /// Moves what is counted in a `usize` to the other counters, before it wraps where that has 32 bits.
    pub(crate) fn settle(&mut self) {
        let shared = mem::take(self.shared_hits.get_mut()) as u64;
        self.stats.gets += shared;
        self.stats.hits += shared;
        let departed = mem::take(&mut self.store.departed);
        self.stats.evictions += departed.evicted as u64;
        self.stats.evictions_unused += departed.evicted_unused as u64;
        self.stats.expirations += departed.expired as u64;
    }
}
