//! The core's types to and from those of the WIT, one to one. No match has a `_`: what is new on
//! either side breaks the build here.

use std::time::Duration;

use gocache::Ask;
use gocache_core::{
    Asker, Done, Error, Eviction, Fetch, Found, GroupId, Limits, Load, LoadError, PeerId, Settings,
    Source, Stats, Waiter,
};

use crate::{
    bindings::{SHORT, Words, wit},
    settings::GroupSettings,
};

/// Whole milliseconds, as the component counts them.
fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A period after which something happens: rounded up, for it has not passed before. The
/// component's clock shows whole milliseconds, so that nothing happens later by this.
fn period(duration: Duration) -> u64 {
    millis(duration.saturating_add(Duration::from_nanos(999_999)))
}

pub(crate) fn group(group: &GroupSettings) -> wit::GroupSettings<'_> {
    // What is left out is the component's own to choose.
    let Settings { budget, eviction, lifetime, jitter, ref limits, .. } = group.settings;
    let Limits { key_bytes, flights, waiters, load_deadline } = *limits;
    wit::GroupSettings {
        name: group.name.as_bytes(),
        budget: budget as u64,
        eviction: eviction.into(),
        lifetime: lifetime.map(period),
        jitter,
        key_bytes: key_bytes as u64,
        flights: flights as u64,
        waiters: waiters as u64,
        load_deadline: period(load_deadline),
    }
}

pub(crate) fn duration(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A key as words, if it is short enough.
pub(crate) fn words(key: &[u8]) -> Option<Words> {
    if key.len() > SHORT {
        return None;
    }
    // Word by word: bytes that were just written one way are slow to be read another.
    let (whole, rest) = key.as_chunks();
    let rest = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let word = |at: usize| match whole.get(at) {
        Some(word) => u64::from_le_bytes(*word),
        None if at == whole.len() => rest,
        None => 0,
    };
    Some((word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7)))
}

pub(crate) fn ask(ask: Ask<'_>) -> wit::Ask {
    let Ask { group, key, asker, waiter } = ask;
    wit::Ask { group: group.0, key_bytes: key.len() as u32, asker: asker.into(), waiter: waiter.0 }
}

/// A load as the component knows it, under the number that it gave.
pub(crate) fn fetch(fetch: &Fetch, flight: u64) -> wit::FetchParam<'_> {
    wit::FetchParam {
        group: fetch.group().0,
        flight,
        key: fetch.key(),
        source: match fetch.source() {
            Source::Origin => wit::Source::Origin,
            Source::Peer(PeerId(id)) => wit::Source::Peer(id),
        },
    }
}

pub(crate) fn load(load: &Load) -> wit::Load<'_> {
    wit::Load { value: &load.value, age: millis(load.age), lifetime: load.lifetime.map(period) }
}

impl From<Eviction> for wit::Eviction {
    fn from(eviction: Eviction) -> Self {
        match eviction {
            Eviction::S3Fifo => Self::S3Fifo,
            Eviction::SizeAware => Self::SizeAware,
            // `Eviction` may grow, and asks for it: the one exception here.
            _ => Self::Lru,
        }
    }
}

impl From<Asker> for wit::Asker {
    fn from(asker: Asker) -> Self {
        match asker {
            Asker::Client => Self::Client,
            Asker::Peer => Self::Peer,
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

impl From<LoadError> for wit::LoadError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotFound => Self::NotFound,
            LoadError::Failed => Self::Failed,
            LoadError::TimedOut => Self::TimedOut,
            LoadError::Busy => Self::Busy,
            LoadError::Panicked => Self::Panicked,
            LoadError::PeerDown => Self::PeerDown,
            LoadError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            // The limit was a `usize` of ours when it went in.
            wit::Error::KeyTooLong(limit) => Self::KeyTooLong { limit: limit as usize },
            wit::Error::NotFound => Self::NotFound,
            wit::Error::Failed => Self::Failed,
            wit::Error::TimedOut => Self::TimedOut,
            wit::Error::Panicked => Self::Panicked,
            wit::Error::Busy => Self::Busy,
            wit::Error::OutOfMemory => Self::OutOfMemory,
            wit::Error::TooLarge => Self::TooLarge,
            wit::Error::NoSuchGroup => Self::NoSuchGroup,
        }
    }
}

/// The end of a load that brought this. Whoever waited gets the very value.
pub(crate) fn done(done: wit::Done, landed: Option<&Load>) -> Done {
    let result = match (done.outcome, landed) {
        (Ok(age), Some(load)) => Ok(Found { value: load.value.clone(), age: age.map(duration) }),
        (Err(error), _) => Err(error.into()),
        // A component that makes a value of nothing is not ours.
        (Ok(_), None) => Err(Error::Failed),
    };
    let waiters = done.waiters.into_iter().map(Waiter).collect();
    Done { group: GroupId(done.group), result, waiters }
}

impl From<wit::Counters> for Stats {
    fn from(counters: wit::Counters) -> Self {
        let wit::Counters {
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
        } = counters;
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

/// What several instances have counted, each for its part of the keys.
pub(crate) fn sum(one: Stats, other: Stats) -> Stats {
    Stats {
        gets: one.gets + other.gets,
        hits: one.hits + other.hits,
        waits: one.waits + other.waits,
        busy: one.busy + other.busy,
        origin_loads: one.origin_loads + other.origin_loads,
        peer_loads: one.peer_loads + other.peer_loads,
        peer_failures: one.peer_failures + other.peer_failures,
        not_found: one.not_found + other.not_found,
        load_errors: one.load_errors + other.load_errors,
        puts: one.puts + other.puts,
        removals: one.removals + other.removals,
        evictions: one.evictions + other.evictions,
        evictions_unused: one.evictions_unused + other.evictions_unused,
        expirations: one.expirations + other.expirations,
        refused_too_large: one.refused_too_large + other.refused_too_large,
        refused_no_memory: one.refused_no_memory + other.refused_no_memory,
        entries: one.entries + other.entries,
        bytes: one.bytes + other.bytes,
        budget: one.budget + other.budget,
        lent_bytes: one.lent_bytes + other.lent_bytes,
        flights: one.flights + other.flights,
        flight_bytes: one.flight_bytes + other.flight_bytes,
    }
}
