//! The core's types from and to those of the WIT, one to one. No match has a `_`: a variant or a
//! counter that is new in the core breaks the build here until the WIT has it too.

use core::time::Duration;

use gocache_core::{
    Asker, Done, Error, Fetch, Found, Get, Group, GroupId, Landing, Limits, Load, LoadError,
    PeerId, Seed, Source, Stats, Value,
};

use crate::bindings::wit;

/// A group as configured; `None` if a size does not fit this machine's 32 bits.
pub(crate) fn group(settings: &wit::GroupSettings, seed: Seed) -> Option<Group> {
    let limits = Limits {
        key_bytes: settings.key_bytes.try_into().ok()?,
        flights: settings.flights.try_into().ok()?,
        waiters: settings.waiters.try_into().ok()?,
        load_deadline: Duration::from_millis(settings.load_deadline),
    };
    let group = Group::new(&settings.name, settings.budget.try_into().ok()?, seed).limits(limits);
    Some(match settings.lifetime {
        Some(lifetime) => group.lifetime(Duration::from_millis(lifetime)),
        None => group,
    })
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

impl From<wit::Fetch> for Fetch {
    fn from(fetch: wit::Fetch) -> Self {
        let wit::Fetch { group, flight, key, source } = fetch;
        Self::from_parts(GroupId(group), flight, &key, source.into())
    }
}

impl From<Found> for wit::Found {
    fn from(found: Found) -> Self {
        Self { value: found.value.as_ref().into(), age: found.age.map(millis) }
    }
}

impl From<Get> for wit::Answer {
    fn from(got: Get) -> Self {
        match got {
            Get::Hit(found) => Self::Hit(found.into()),
            Get::Wait => Self::Wait,
            Get::Fetch(fetch) => Self::Fetch(fetch.into()),
        }
    }
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
        }
    }
}

impl From<wit::Load> for Load {
    fn from(load: wit::Load) -> Self {
        Self { value: Value::from(&*load.value), age: Duration::from_millis(load.age) }
    }
}

impl From<Done> for wit::Done {
    fn from(done: Done) -> Self {
        Self {
            group: done.group.0,
            outcome: done.result.map(Into::into).map_err(Into::into),
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
            evictions,
            expirations,
            refusals,
            entries,
            bytes,
            budget,
            flights,
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
            evictions,
            expirations,
            refusals,
            entries,
            bytes,
            budget,
            flights,
        }
    }
}
