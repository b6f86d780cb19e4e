//! The types of `wit/node.wit` as the canonical ABI lays them out in memory, one to one. A record is
//! a `repr(C)` struct; a variant is a `repr(C, u8)` enum, which Rust lays out just so: a byte that
//! tells the cases apart, then room for the largest of them.
#![expect(dead_code, reason = "what goes out is read by the host")]

use alloc::string::String;
use core::marker::PhantomData;

/// A list, or a string where `T` is a byte. It owns nothing: whoever makes one sees to it that what
/// it points to stays, and whoever gets one from the host has it until the end of the call.
#[repr(C)]
pub(crate) struct List<T> {
    pub(crate) address: usize,
    pub(crate) len: usize,
    of: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    pub(crate) fn of(slice: &[T]) -> Self {
        Self { address: slice.as_ptr().expose_provenance(), len: slice.len(), of: PhantomData }
    }
}

/// An `option`.
#[repr(C, u8)]
pub(crate) enum Maybe<T> {
    None,
    Some(T),
}

/// A `result`.
#[repr(C, u8)]
pub(crate) enum Outcome<T, E> {
    Ok(T),
    Err(E),
}

#[repr(C)]
pub(crate) struct GroupSettings {
    pub(crate) name: List<u8>,
    pub(crate) budget: u64,
    pub(crate) eviction: u8,
    pub(crate) lifetime: Maybe<u64>,
    pub(crate) jitter: u8,
    pub(crate) key_bytes: u64,
    pub(crate) flights: u64,
    pub(crate) waiters: u64,
    pub(crate) load_deadline: u64,
}

#[repr(C)]
pub(crate) struct Ask {
    pub(crate) group: u16,
    pub(crate) key_bytes: u32,
    pub(crate) asker: u8,
    pub(crate) waiter: u64,
}

#[repr(C, u8)]
pub(crate) enum Source {
    Origin,
    Peer(u16),
}

#[repr(C)]
pub(crate) struct Fetch {
    pub(crate) group: u16,
    pub(crate) flight: u64,
    pub(crate) key: List<u8>,
    pub(crate) source: Source,
}

#[repr(C)]
pub(crate) struct Found {
    pub(crate) value: List<u8>,
    pub(crate) digest: u64,
    pub(crate) age: Maybe<u64>,
}

#[repr(C, u8)]
pub(crate) enum Answer {
    Hit(Found),
    Wait,
    Fetch(Fetch),
}

#[repr(C, u8)]
pub(crate) enum Error {
    KeyTooLong(u64),
    NotFound,
    Failed,
    TimedOut,
    Panicked,
    Busy,
    OutOfMemory,
    TooLarge,
    NoSuchGroup,
}

#[repr(C)]
pub(crate) struct Done {
    pub(crate) group: u16,
    pub(crate) outcome: Outcome<Maybe<u64>, Error>,
    pub(crate) waiters: List<gocache_core::Waiter>,
}

#[repr(C, u8)]
pub(crate) enum Landing {
    Done(Done),
    Refetch(Fetch),
}

#[repr(C)]
pub(crate) struct Counters {
    pub(crate) gets: u64,
    pub(crate) hits: u64,
    pub(crate) waits: u64,
    pub(crate) busy: u64,
    pub(crate) origin_loads: u64,
    pub(crate) peer_loads: u64,
    pub(crate) peer_failures: u64,
    pub(crate) not_found: u64,
    pub(crate) load_errors: u64,
    pub(crate) puts: u64,
    pub(crate) removals: u64,
    pub(crate) evictions: u64,
    pub(crate) evictions_unused: u64,
    pub(crate) expirations: u64,
    pub(crate) refused_too_large: u64,
    pub(crate) refused_no_memory: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) budget: u64,
    pub(crate) lent_bytes: u64,
    pub(crate) flights: u64,
    pub(crate) flight_bytes: u64,
}

#[repr(C, u8)]
pub(crate) enum Misuse {
    Unconfigured,
    Configuration(List<u8>),
}

/// Why there is no answer, before it is one of the ABI.
pub(crate) enum Wrong {
    Unconfigured,
    Configuration(String),
}

impl<T, U: From<T>> From<Option<T>> for Maybe<U> {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::None, |value| Self::Some(value.into()))
    }
}

impl<T, E> From<Result<T, E>> for Outcome<T, E> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Err(error),
        }
    }
}
