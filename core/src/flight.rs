//! `Flights`: single flight. Of all who ask for a key that is not cached, one fetches and the
//! others wait for what it brings.

use alloc::vec::Vec;
use core::time::Duration;

use hashbrown::HashTable;

use crate::{
    key::{Key, Seed},
    limits::Limits,
    ring::PeerId,
    time::Instant,
};

/// Who waits for a load: the frontend's own number, handed back untouched when the load lands. A
/// waiter that has gone meanwhile is a number that the frontend ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter(pub u64);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client: a key that another node owns is fetched from there.
    Client,
    /// A node of the cluster: never sent on to a third one.
    Peer,
}

/// Where a value is to be fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The source of truth.
    Origin,
    /// The node that owns the key.
    Peer(PeerId),
}

/// Tells apart all flights that a group ever opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlightId(pub(crate) u64);

pub(crate) struct Flight {
    id: FlightId,
    pub(crate) key: Key,
    pub(crate) source: Source,
    began: Instant,
    pub(crate) waiters: Vec<Waiter>,
    /// The key was removed while the load was in the air: what it brings may be older than the
    /// removal. It is served to those who asked before, and not stored.
    pub(crate) outdated: bool,
}

impl Flight {
    /// Whether a landing is this flight's. The key too has to fit: a fetch that was put together
    /// wrongly must not bring its bytes to another key.
    fn is(&self, key: &[u8], id: FlightId) -> bool {
        self.id == id && *self.key == *key
    }
}

/// One question, as the shard passes it on.
pub(crate) struct Ask<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a [u8],
    pub(crate) asker: Asker,
    pub(crate) waiter: Waiter,
    pub(crate) now: Instant,
}

/// What came of asking for a key that is not cached.
pub(crate) enum Join {
    /// The asker leads: the load is his to start.
    Lead(FlightId, Key),
    /// The asker waits with others.
    Wait,
    /// Too many flights, or too many waiters on this one.
    Busy,
}

/// The flights of one group, at most [`Limits::flights`] of them.
pub(crate) struct Flights {
    table: HashTable<Flight>,
    opened: u64,
}

impl Flights {
    pub(crate) const fn new() -> Self {
        Self { table: HashTable::new(), opened: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Joins the flight of a key, or opens one to `source`.
    ///
    /// A peer joins only a flight to the origin. Were it to wait for one to a third node (rings may
    /// differ for a moment), two nodes could wait for each other.
    pub(crate) fn join(
        &mut self,
        ask: &Ask<'_>,
        source: Source,
        seed: &Seed,
        limits: &Limits,
    ) -> Join {
        let joins = |flight: &Flight| {
            !flight.outdated
                && *flight.key == *ask.key
                && (ask.asker == Asker::Client || flight.source == Source::Origin)
        };
        if let Some(flight) = self.table.find_mut(ask.hash, joins) {
            if flight.waiters.len() >= limits.waiters {
                return Join::Busy;
            }
            flight.waiters.push(ask.waiter);
            return Join::Wait;
        }
        if self.table.len() >= limits.flights {
            return Join::Busy;
        }
        self.opened += 1;
        let (id, key) = (FlightId(self.opened), Key::new(ask.key));
        let flight = Flight {
            id,
            key: key.clone(),
            source,
            began: ask.now,
            waiters: Vec::from([ask.waiter]),
            outdated: false,
        };
        self.table.insert_unique(ask.hash, flight, |flight| seed.hash(&flight.key));
        Join::Lead(id, key)
    }

    /// Turns a flight whose peer failed towards the origin. Says whether it is still in the air.
    pub(crate) fn redirect(&mut self, hash: u64, key: &[u8], id: FlightId) -> bool {
        let flight = self.table.find_mut(hash, |flight| flight.is(key, id));
        flight.is_some_and(|flight| {
            flight.source = Source::Origin;
            true
        })
    }

    /// Takes a flight out; `None` if it was given up before.
    pub(crate) fn take(&mut self, hash: u64, key: &[u8], id: FlightId) -> Option<Flight> {
        let found = self.table.find_entry(hash, |flight| flight.is(key, id)).ok()?;
        Some(found.remove().0)
    }

    /// Takes out the flights that have been in the air for `deadline` or longer.
    pub(crate) fn take_overdue(&mut self, deadline: Duration, now: Instant) -> Vec<Flight> {
        self.table.extract_if(|flight| now.since(flight.began) >= deadline).collect()
    }

    /// Marks the flights of a key as outdated: who asks from now on opens a new one.
    pub(crate) fn outdate(&mut self, hash: u64, key: &[u8]) {
        for flight in self.table.iter_hash_mut(hash) {
            flight.outdated |= *flight.key == *key;
        }
    }
}
