//! `Instance`: one instance of the component, set up, and its verbs over the core's types. An
//! instance that has trapped cannot be entered again.

use std::fmt;

use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, OutOfMemory, Stats,
    Waiter,
};
use wasmtime::Store;

use crate::{
    bindings::{
        Cache,
        wit::{self, Guest, Misuse},
    },
    component::{Component, one_line},
    convert,
    memory::Memory,
    settings::Settings,
};

/// What a call to the component comes to: its own answer, or that the call was ours to avoid.
/// The outer error is a trap.
pub(crate) type Called<T> = wasmtime::Result<Result<T, Misuse>>;

pub(crate) struct Instance {
    store: Store<Memory>,
    cache: Cache,
    /// The highest number that a load of an earlier instance had.
    earlier: u64,
    /// See [`Instance::flights`].
    flights: u64,
}

impl Instance {
    /// Sets an instance up. Its loads get numbers above `flights`, so that what it knows nothing
    /// of, a load of an instance before it, is told apart.
    pub(crate) fn start(
        component: &Component,
        settings: &Settings,
        flights: u64,
    ) -> Result<Self, StartError> {
        if settings.memory_bytes > Settings::MOST_MEMORY_BYTES {
            return Err(StartError::TooLarge(settings.memory_bytes));
        }
        let memory = Memory::new(settings.memory_bytes);
        let mut store = Store::new(component.pre.engine(), memory);
        store.limiter(|memory| memory);
        let cache = component.pre.instantiate(&mut store).map_err(StartError::Trap)?;
        let mut instance = Self { store, cache, earlier: flights, flights };
        match instance.configure(settings).map_err(StartError::Trap)? {
            Ok(()) => Ok(instance),
            Err(Misuse::Configuration(why)) => Err(StartError::Refused(why)),
            Err(misuse) => Err(StartError::Refused(misuse.to_string())),
        }
    }

    /// Whether the limit of memory is what may have made it trap.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.store.data().ran_out()
    }

    pub(crate) fn get(
        &mut self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Called<Result<Get, Error>> {
        let (guest, store) = self.parts();
        let got = guest.call_get(store, group.0, key, asker.into(), waiter.0, now.as_millis())?;
        Ok(got.map(|got| match got {
            Ok(wit::Answer::Hit(found)) => Ok(Get::Hit(found.try_into()?)),
            Ok(wit::Answer::Wait) => Ok(Get::Wait),
            // Without memory for it the load is lost, and ends as one that takes too long.
            Ok(wit::Answer::Fetch(fetch)) => Ok(self.numbered(fetch).map_or(Get::Wait, Get::Fetch)),
            Err(error) => Err(error.into()),
        }))
    }

    pub(crate) fn land(
        &mut self,
        fetch: &Fetch,
        outcome: &Result<Load, LoadError>,
        now: Instant,
    ) -> Called<Landing> {
        let group = fetch.group();
        let fetch = convert::fetch(fetch, fetch.flight() - self.earlier);
        let outcome = outcome.as_ref().map(convert::load).map_err(|&error| error.into());
        let (guest, store) = self.parts();
        let landed = guest.call_land(store, fetch, outcome, now.as_millis())?;
        Ok(landed.map(|landing| match landing {
            wit::Landing::Done(done) => Landing::Done(done.into()),
            wit::Landing::Refetch(fetch) => match self.numbered(fetch) {
                Ok(fetch) => Landing::Refetch(fetch),
                // As above: whoever waits is told when it has taken too long.
                Err(error) => Landing::Done(nobody(group, error.into())),
            },
        }))
    }

    pub(crate) fn overdue(&mut self, now: Instant) -> Called<Option<Done>> {
        let (guest, store) = self.parts();
        let done = guest.call_overdue(store, now.as_millis())?;
        Ok(done.map(|done| done.map(Into::into)))
    }

    pub(crate) fn put(
        &mut self,
        group: GroupId,
        key: &[u8],
        value: &[u8],
        now: Instant,
    ) -> Called<Result<(), Error>> {
        let (guest, store) = self.parts();
        let put = guest.call_put(store, group.0, key, value, now.as_millis())?;
        Ok(put.map(|put| put.map_err(Into::into)))
    }

    pub(crate) fn remove(&mut self, group: GroupId, key: &[u8], now: Instant) -> Called<bool> {
        let (guest, store) = self.parts();
        guest.call_remove(store, group.0, key, now.as_millis())
    }

    pub(crate) fn stats(&mut self) -> Called<Vec<Stats>> {
        let (guest, store) = self.parts();
        let stats = guest.call_stats(store)?;
        Ok(stats.map(|stats| stats.into_iter().map(Into::into).collect()))
    }

    /// The highest number that a load has had until now.
    pub(crate) fn flights(&self) -> u64 {
        self.flights
    }

    fn configure(&mut self, settings: &Settings) -> Called<()> {
        let groups: Vec<_> = settings.groups.iter().map(convert::group).collect();
        let names = settings.ring.as_ref().map(|ring| &*ring.names).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let ring = settings.ring.as_ref();
        let ring = ring.map(|ring| wit::RingSettings { names: &names, place: ring.own.0 });
        let (guest, store) = self.parts();
        guest.call_configure(store, &groups, ring, settings.seed)
    }

    /// A load as the frontend knows it.
    fn numbered(&mut self, fetch: wit::FetchResult) -> Result<Fetch, OutOfMemory> {
        let flight = self.earlier.saturating_add(fetch.flight);
        self.flights = self.flights.max(flight);
        Fetch::from_parts(GroupId(fetch.group), flight, &fetch.key, fetch.source.into())
    }

    fn parts(&mut self) -> (&Guest, &mut Store<Memory>) {
        (self.cache.gocache_node_engine(), &mut self.store)
    }
}

/// The end of a load for which nobody waits here.
pub(crate) fn nobody(group: GroupId, error: Error) -> Done {
    Done { group, result: Err(error), waiters: Default::default() }
}

/// Why no instance comes up.
#[derive(Debug)]
pub enum StartError {
    /// It may need so many bytes of memory, which is more than there can be.
    TooLarge(usize),
    /// The system has no random number.
    Random(getrandom::Error),
    /// The node refuses the configuration, for this reason.
    Refused(String),
    /// It trapped, or there is no memory for it.
    Trap(wasmtime::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(
                f,
                "the component's memory ends at 4 GiB, and these budgets may need {} GiB of it \
                 (each twice, and three of the largest values): lower them, or run `gocache`",
                bytes.div_ceil(1 << 30)
            ),
            Self::Random(error) => write!(f, "the system has no random number: {error}"),
            Self::Refused(why) => write!(f, "the component refuses the configuration: {why}"),
            Self::Trap(error) => write!(f, "the component does not start: {}", one_line(error)),
        }
    }
}

impl std::error::Error for StartError {}
