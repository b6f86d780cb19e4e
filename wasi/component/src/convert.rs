//! The core's types from and to those of the WIT, one to one. No match has a `_`: a variant or a
//! counter that is new in the core breaks the build here until the WIT has it too.

use alloc::vec::Vec;
use core::time::Duration;

use gocache_core::{
    Asker, Done, Error, Eviction, Fetch, Found, Get, GroupId, Landing, Limits, Load, LoadError,
    OutOfMemory, PeerId, Settings, Source, Stats, Value,
};

use crate::bindings::wit;

/// The settings of a group; `None` if a size does not fit this machine's 32 bits.
pub(crate) fn settings(group: &wit::GroupSettings) -> Option<Settings> {
    Some(Settings {
        budget: group.budget.try_into().ok()?,
        eviction: group.eviction.into(),
        lifetime: group.lifetime.map(Duration::from_millis),
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

impl From<wit::Eviction> for Eviction {
    fn from(eviction: wit::Eviction) -> Self {
        match eviction {
            wit::Eviction::Lru => Self::Lru,
            wit::Eviction::S3Fifo => Self::S3Fifo,
            wit::Eviction::SizeAware => Self::SizeAware,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

impl From<wit::Asker> for Asker {
    fn from(asker: wit::Asker) -> Self {
        match asker {
            wit::Asker::Client => Self::Client,
            wit::Asker::Peer => Self::Peer,
        }
    }
}

impl From<Source> for wit::Source {
    fn from(source: Source) -> Self {
        match source {
            Source::Origin => Self::Origin,
            Source::Peer(PeerId(id)) => Self::Peer(id),
        }
    }
}

impl From<wit::Source> for Source {
    fn from(source: wit::Source) -> Self {
        match source {
            wit::Source::Origin => Self::Origin,
            wit::Source::Peer(id) => Self::Peer(PeerId(id)),
        }
    }
}

impl From<Fetch> for wit::Fetch {
    fn from(fetch: Fetch) -> Self {
        Self {
            group: fetch.group().0,
            flight: fetch.flight(),
            key: fetch.key().into(),
            source: fetch.source().into(),
        }
    }
}

impl TryFrom<wit::Fetch> for Fetch {
    type Error = OutOfMemory;

    fn try_from(fetch: wit::Fetch) -> Result<Self, OutOfMemory> {
        let wit::Fetch { group, flight, key, source } = fetch;
        Self::from_parts(GroupId(group), flight, &key, source.into())
    }
}

/// A value for the host. It may be large: where there is no room for the copy, the cache lives on.
fn found(found: Found) -> Result<wit::Found, Error> {
    let mut value = Vec::new();
    value.try_reserve_exact(found.value.len()).map_err(|_| OutOfMemory)?;
    value.extend_from_slice(&found.value);
    Ok(wit::Found { value, age: found.age.map(millis) })
}

pub(crate) fn answer(got: Get) -> Result<wit::Answer, Error> {
    Ok(match got {
        Get::Hit(hit) => wit::Answer::Hit(found(hit)?),
        Get::Wait => wit::Answer::Wait,
        Get::Fetch(fetch) => wit::Answer::Fetch(fetch.into()),
    })
}

impl From<Error> for wit::Error {
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

impl From<wit::LoadError> for LoadError {
    fn from(error: wit::LoadError) -> Self {
        match error {
            wit::LoadError::NotFound => Self::NotFound,
            wit::LoadError::Failed => Self::Failed,
            wit::LoadError::TimedOut => Self::TimedOut,
            wit::LoadError::Busy => Self::Busy,
            wit::LoadError::Panicked => Self::Panicked,
            wit::LoadError::PeerDown => Self::PeerDown,
            wit::LoadError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

pub(crate) fn load(load: wit::Load) -> Result<Load, LoadError> {
    Ok(Load {
        value: Value::new(&load.value)?,
        age: Duration::from_millis(load.age),
        lifetime: load.lifetime.map(Duration::from_millis),
    })
}

impl From<Done> for wit::Done {
    fn from(done: Done) -> Self {
        Self {
            group: done.group.0,
            outcome: done.result.and_then(found).map_err(Into::into),
            waiters: done.waiters.into_iter().map(|waiter| waiter.0).collect(),
        }
    }
}

impl From<Landing> for wit::Landing {
    fn from(landing: Landing) -> Self {
        match landing {
            Landing::Done(done) => Self::Done(done.into()),
            Landing::Refetch(fetch) => Self::Refetch(fetch.into()),
        }
    }
}

impl From<Stats> for wit::Counters {
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
