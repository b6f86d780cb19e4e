//! The core's types from and to those of the ABI, one to one. No match has a `_` for what the core
//! may add: a variant or a counter that is new in the core breaks the build here until the WIT has
//! it too.

use core::time::Duration;

use gocache_core::{
    Done, Error, Eviction, Fetch, Found, GroupId, Limits, Load, LoadError, OutOfMemory, PeerId,
    Settings, Source, Stats, Value,
};

use crate::abi::{self, List, Maybe, Outcome};

/// The settings of a group; `None` if a size does not fit this machine's 32 bits.
pub(crate) fn settings(group: &abi::GroupSettings) -> Option<Settings> {
    Some(Settings {
        budget: group.budget.try_into().ok()?,
        eviction: match group.eviction {
            0 => Eviction::Lru,
            1 => Eviction::S3Fifo,
            // By the canonical ABI there is no other.
            _ => Eviction::SizeAware,
        },
        lifetime: match group.lifetime {
            Maybe::Some(lifetime) => Some(Duration::from_millis(lifetime)),
            Maybe::None => None,
        },
        jitter: group.jitter,
        // An instance has one thread.
        shards: 1,
        // As the native server has it, so that as many entries fit a budget.
        digests: true,
        estimates: false,
        limits: Limits {
            key_bytes: group.key_bytes.try_into().ok()?,
            flights: group.flights.try_into().ok()?,
            waiters: group.waiters.try_into().ok()?,
            load_deadline: Duration::from_millis(group.load_deadline),
        },
    })
}

/// A load as the host hands it back.
pub(crate) struct Ticket<'a> {
    pub(crate) group: GroupId,
    pub(crate) flight: u64,
    pub(crate) key: &'a [u8],
    pub(crate) source: Source,
}

impl Ticket<'_> {
    pub(crate) fn fetch(&self) -> Result<Fetch, OutOfMemory> {
        Fetch::from_parts(self.group, self.flight, self.key, self.source)
    }
}

/// What a load brought, as the host hands it over.
pub(crate) struct Brought<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) age: u64,
    pub(crate) lifetime: Option<u64>,
}

impl Brought<'_> {
    pub(crate) fn load(&self) -> Result<Load, OutOfMemory> {
        Ok(Load {
            value: Value::new(self.value)?,
            age: Duration::from_millis(self.age),
            lifetime: self.lifetime.map(Duration::from_millis),
        })
    }
}

/// The cases of `load-error`, in their order there.
pub(crate) fn load_error(number: usize) -> LoadError {
    match number {
        0 => LoadError::NotFound,
        1 => LoadError::Failed,
        2 => LoadError::TimedOut,
        3 => LoadError::Busy,
        4 => LoadError::Panicked,
        5 => LoadError::PeerDown,
        // By the canonical ABI there is no other.
        _ => LoadError::OutOfMemory,
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

fn age(age: Option<Duration>) -> Maybe<u64> {
    age.map(millis).into()
}

pub(crate) fn found(found: &Found) -> abi::Found {
    abi::Found { value: List::of(&found.value), digest: found.value.digest(), age: age(found.age) }
}

pub(crate) fn fetch(fetch: &Fetch) -> abi::Fetch {
    abi::Fetch {
        group: fetch.group().0,
        flight: fetch.flight(),
        key: List::of(fetch.key()),
        source: match fetch.source() {
            Source::Origin => abi::Source::Origin,
            Source::Peer(PeerId(id)) => abi::Source::Peer(id),
        },
    }
}

pub(crate) fn done(done: &Done) -> abi::Done {
    abi::Done {
        group: done.group.0,
        outcome: match &done.result {
            Ok(found) => Outcome::Ok(age(found.age)),
            Err(error) => Outcome::Err((*error).into()),
        },
        waiters: List::of(&done.waiters),
    }
}

impl From<Error> for abi::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyTooLong { limit } => Self::KeyTooLong(limit as u64),
            Error::NotFound => Self::NotFound,
            Error::Failed => Self::Failed,
            Error::TimedOut => Self::TimedOut,
            Error::Panicked => Self::Panicked,
            Error::Busy => Self::Busy,
            Error::OutOfMemory => Self::OutOfMemory,
            Error::TooLarge => Self::TooLarge,
            Error::NoSuchGroup => Self::NoSuchGroup,
        }
    }
}

impl From<Stats> for abi::Counters {
    fn from(stats: Stats) -> Self {
        let Stats {
            gets,
            hits,
            waits,
            busy,
            origin_loads,
            peer_loads,
            peer_failures,
            not_found,
            load_errors,
            puts,
            removals,
            evictions,
            evictions_unused,
            expirations,
            refused_too_large,
            refused_no_memory,
            entries,
            bytes,
            budget,
            lent_bytes,
            flights,
            flight_bytes,
        } = stats;
        Self {
            gets,
            hits,
            waits,
            busy,
            origin_loads,
            peer_loads,
            peer_failures,
            not_found,
            load_errors,
            puts,
            removals,
            evictions,
            evictions_unused,
            expirations,
            refused_too_large,
            refused_no_memory,
            entries,
            bytes,
            budget,
            lent_bytes,
            flights,
            flight_bytes,
        }
    }
}
