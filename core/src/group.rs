//! `Group`: one namespace of keys with its own budget, lifetime and counters.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use spin::Mutex;

use crate::{
    error::{Error, LoadError},
    flight::{Ask, Asker, Flight, FlightId, Source, Waiter},
    key::{Key, Seed},
    limits::Limits,
    shard::{Got, Landed, Shard},
    stats::Stats,
    time::Instant,
    value::Value,
};

/// A namespace of keys. Hand it to a [`Node`](crate::Node), or give it a
/// [`Getter`](crate::Getter) and use it alone.
pub struct Group {
    name: Box<[u8]>,
    lifetime: Option<Duration>,
    limits: Limits,
    seed: Seed,
    shard: Mutex<Shard>,
}

/// A value with its age, where the group has a lifetime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes.
    pub value: Value,
    /// Time since the load from the origin; `None` in a group whose values do not age.
    pub age: Option<Duration>,
}

impl Group {
    /// A group whose entries and tables take up at most `budget` bytes of memory.
    #[must_use]
    pub fn new(name: impl AsRef<[u8]>, budget: usize, seed: Seed) -> Self {
        Self {
            name: name.as_ref().into(),
            lifetime: None,
            limits: Limits::default(),
            shard: Mutex::new(Shard::new(budget, seed.clone())),
            seed,
        }
    }

    /// The same with a lifetime, after which a value is loaded anew.
    #[must_use]
    pub const fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// The same with other limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The group's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shard.lock().stats()
    }

    /// Forgets the cached value of a key, and lets no load that is in the air now store one.
    /// Says whether there was a value.
    pub fn remove(&self, key: &[u8]) -> bool {
        self.shard.lock().remove(self.seed.hash(key), key)
    }

    pub(crate) fn get(
        &self,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
        source: impl FnOnce() -> Source,
    ) -> Result<Got, Error> {
        if key.len() > self.limits.key_bytes {
            return Err(Error::KeyTooLong { limit: self.limits.key_bytes });
        }
        let ask = Ask { hash: self.seed.hash(key), key, asker, waiter, now };
        self.shard.lock().get(&ask, self.lifetime, &self.limits, &self.seed, source)
    }

    pub(crate) fn land(
        &self,
        key: &Key,
        id: FlightId,
        source: Source,
        result: Result<&Value, LoadError>,
        now: Instant,
    ) -> Landed {
        self.shard.lock().land((self.seed.hash(key), key), id, source, result, now)
    }

    pub(crate) fn take_overdue(&self, now: Instant) -> Vec<Flight> {
        self.shard.lock().take_overdue(self.limits.load_deadline, now)
    }

    /// A value of this group that was loaded at `born`.
    pub(crate) fn found(&self, value: Value, age: Duration) -> Found {
        Found { value, age: self.lifetime.map(|_| age) }
    }
}
