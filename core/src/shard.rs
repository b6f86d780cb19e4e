//! `Shard`: what one lock guards. The cache and the flights of the same keys stand together, so
//! that a hit, a miss, a landing and a removal of a key cannot overtake each other.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    cache::{Cache, Insert, Lookup},
    error::{Error, LoadError},
    flight::{Ask, Flight, FlightId, Flights, Join, Source, Waiter},
    key::{Key, Seed},
    limits::Limits,
    stats::Stats,
    time::Instant,
    value::Value,
};

pub(crate) struct Shard {
    pub(crate) cache: Cache,
    flights: Flights,
    stats: Stats,
}

/// What came of a `get`.
pub(crate) enum Got {
    Hit(Value, Instant),
    Wait,
    Lead(FlightId, Key, Source),
}

/// What came of a landing.
pub(crate) enum Landed {
    Done(Vec<Waiter>),
    /// The peer was no help; the flight goes on to the origin.
    Redirected,
}

impl Shard {
    pub(crate) fn new(budget: usize, seed: Seed) -> Self {
        Self { cache: Cache::new(budget, seed), flights: Flights::new(), stats: Stats::default() }
    }

    /// Finds a value, or lets the asker lead or wait. `source` is asked only when a load begins.
    pub(crate) fn get(
        &mut self,
        ask: &Ask<'_>,
        lifetime: Option<Duration>,
        limits: &Limits,
        seed: &Seed,
        source: impl FnOnce() -> Source,
    ) -> Result<Got, Error> {
        self.stats.gets += 1;
        match self.cache.get(ask.hash, ask.key, lifetime, ask.now) {
            Lookup::Hit(value, born) => {
                self.stats.hits += 1;
                return Ok(Got::Hit(value, born));
            }
            Lookup::Expired => self.stats.expirations += 1,
            Lookup::Miss => {}
        }
        let source = source();
        match self.flights.join(ask, source, seed, limits) {
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

    /// Ends a flight with what it brought. A value from a peer is served and not stored: the owner
    /// has it, and two copies could disagree after a removal.
    pub(crate) fn land(
        &mut self,
        (hash, key): (u64, &[u8]),
        id: FlightId,
        source: Source,
        result: Result<&Value, LoadError>,
        now: Instant,
    ) -> Landed {
        if let (Source::Peer(_), Err(LoadError::PeerDown)) = (source, &result) {
            if self.flights.redirect(hash, key, id) {
                self.stats.peer_failures += 1;
                self.stats.origin_loads += 1;
                return Landed::Redirected;
            }
            return Landed::Done(Vec::new());
        }
        // A load that was given up has been counted, and whoever waited has been answered.
        let Some(flight) = self.flights.take(hash, key, id) else {
            return Landed::Done(Vec::new());
        };
        match result {
            Ok(value) if source == Source::Origin && !flight.outdated => {
                match self.cache.insert(hash, flight.key, value.clone(), now) {
                    Insert::Stored { evicted } => self.stats.evictions += evicted,
                    Insert::Refused => self.stats.refusals += 1,
                }
            }
            Ok(_) => {}
            Err(LoadError::NotFound) => self.stats.not_found += 1,
            Err(_) => self.stats.load_errors += 1,
        }
        Landed::Done(flight.waiters)
    }

    /// Takes out the flights that began so long ago that their deadline has passed.
    pub(crate) fn take_overdue(&mut self, deadline: Duration, now: Instant) -> Vec<Flight> {
        let overdue = self.flights.take_overdue(deadline, now);
        self.stats.load_errors += overdue.len() as u64;
        overdue
    }

    /// Forgets a key and outdates what is in the air for it.
    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> bool {
        self.flights.outdate(hash, key);
        self.cache.remove(hash, key)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            entries: self.cache.len() as u64,
            bytes: self.cache.used() as u64,
            budget: self.cache.budget() as u64,
            flights: self.flights.len() as u64,
            ..self.stats
        }
    }
}
