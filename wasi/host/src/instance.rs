//! `Instance`: one instance of the component, set up, and its verbs over the core's types. An
//! instance that has trapped cannot be entered again.

use std::fmt;

use gocache::{Ask, Asks, Lent, Said, Tell};
use gocache_core::{
    Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, OutOfMemory, Stats,
};
use wasmtime::Store;

use crate::{
    bindings::{
        self, Answer, Cache, Verdict,
        wit::{self, Guest, Misuse},
    },
    component::{Component, one_line},
    convert, epoch,
    memory::Memory,
    settings::Part,
};

/// What a call to the component comes to: its own answer, or that the call was ours to avoid.
/// The outer error is a trap.
pub(crate) type Called<T> = wasmtime::Result<Result<T, Misuse>>;

pub(crate) struct Instance {
    store: Store<Memory>,
    cache: Cache,
    hit: bindings::Hit,
    hits: bindings::Hits,
    get_batch: bindings::GetBatch,
    /// What `hits` and `get_batch` were told last: its memory is used again.
    groups: Vec<u16>,
    key_bytes: Vec<u32>,
    asks: Vec<wit::Ask>,
    numbers: Numbers,
    /// Epochs that a call may take.
    patience: u64,
}

/// How the numbers that an instance gives its loads become those that the frontend knows, of which
/// no two are the same: other than those of the instances beside it and before it.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) place: u64,
    pub(crate) places: u64,
    /// The highest number that an instance before this one gave.
    pub(crate) earlier: u64,
    /// The highest number given until now.
    pub(crate) highest: u64,
}

impl Numbers {
    fn outside(&mut self, flight: u64) -> u64 {
        let flight = self.earlier.saturating_add(flight);
        self.highest = self.highest.max(flight);
        flight.saturating_mul(self.places).saturating_add(self.place)
    }

    /// A load as the frontend knows it.
    fn name(&mut self, fetch: wit::FetchResult) -> Result<Fetch, OutOfMemory> {
        let flight = self.outside(fetch.flight);
        Fetch::from_parts(GroupId(fetch.group), flight, &fetch.key, fetch.source.into())
    }

    /// `None`: another instance gave it.
    pub(crate) fn inside(&self, flight: u64) -> Option<u64> {
        (flight / self.places).checked_sub(self.earlier).filter(|&flight| flight > 0)
    }
}

impl Instance {
    /// Sets an instance up.
    pub(crate) fn start(
        component: &Component,
        part: &Part<'_>,
        numbers: Numbers,
    ) -> Result<Self, StartError> {
        let memory_bytes = part.memory_bytes();
        if memory_bytes > Part::MOST_MEMORY_BYTES {
            return Err(StartError::TooLarge(memory_bytes));
        }
        let mut store = Store::new(component.pre.engine(), Memory::new(memory_bytes));
        store.limiter(|memory| memory);
        let patience = epoch::ticks(part.settings.patience);
        store.set_epoch_deadline(patience);
        let pre = component.pre.instance_pre();
        let instance = pre.instantiate(&mut store).map_err(StartError::Trap)?;
        let other = StartError::OtherWorld;
        let cache = Cache::new(&mut store, &instance).map_err(other)?;
        let hit = instance.get_typed_func(&mut store, component.hit).map_err(other)?;
        let hits = instance.get_typed_func(&mut store, component.hits).map_err(other)?;
        let get_batch = instance.get_typed_func(&mut store, component.get_batch).map_err(other)?;
        let (groups, key_bytes, asks) = Default::default();
        let mut instance =
            Self { store, cache, hit, hits, get_batch, groups, key_bytes, asks, numbers, patience };
        instance.configure(part)?;
        Ok(instance)
    }

    /// Tells it its part of these settings, at first or instead of others.
    pub(crate) fn configure(&mut self, part: &Part<'_>) -> Result<(), StartError> {
        let memory_bytes = part.memory_bytes();
        if memory_bytes > Part::MOST_MEMORY_BYTES {
            return Err(StartError::TooLarge(memory_bytes));
        }
        self.store.data_mut().allow(memory_bytes);
        self.patience = epoch::ticks(part.settings.patience);
        let groups = part.groups();
        let groups: Vec<_> =
            groups.iter().map(|group| group.as_ref().map(convert::group)).collect();
        let ring = part.settings.ring.as_ref();
        let names = ring.map(|ring| &*ring.names).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let ring = ring.map(|ring| wit::RingSettings { names: &names, place: ring.own.0 });
        let (guest, store) = self.parts();
        match guest.call_configure(store, &groups, ring, part.settings.seed) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Misuse::Configuration(why))) => Err(StartError::Refused(why)),
            Ok(Err(misuse)) => Err(StartError::Refused(misuse.to_string())),
            Err(trap) => Err(StartError::Trap(trap)),
        }
    }

    /// Whether the limit of memory is what may have made it trap.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.store.data().ran_out()
    }

    /// What is cached of these, in one call, or none of it where there is no memory for the answer.
    /// Begins nothing.
    pub(crate) fn hits(
        &mut self,
        asks: &Asks,
        now: Instant,
        tell: &mut dyn FnMut(usize, Option<Lent<'_>>),
    ) -> wasmtime::Result<()> {
        let Self { store, groups, key_bytes, .. } = self;
        store.set_epoch_deadline(self.patience);
        let now = now.as_millis();
        if asks.len() == 1
            && let Some(words) = convert::words(asks.at(0).key)
        {
            let Ask { group, key, .. } = asks.at(0);
            let (found,) = self.hit.call(&mut *store, (group.0, words, key.len() as u8, now))?;
            tell(0, found.map(|found| lent(found, store)));
            return Ok(());
        }
        groups.clear();
        groups.extend(asks.iter().map(|ask| ask.group.0));
        key_bytes.clear();
        key_bytes.extend(asks.iter().map(|ask| ask.key.len() as u32));
        let (found,) = self.hits.call(&mut *store, (groups, key_bytes, asks.keys(), now))?;
        let known = found.len();
        for (at, found) in found.into_iter().take(asks.len()).enumerate() {
            tell(at, found.map(|found| lent(found, store)));
        }
        (known..asks.len()).for_each(|at| tell(at, None));
        Ok(())
    }

    /// Asks for each of these, and begins what is to be begun.
    pub(crate) fn get_batch(
        &mut self,
        asks: &Asks,
        now: Instant,
        tell: &mut Tell<'_>,
    ) -> Called<()> {
        let Self { store, numbers, .. } = self;
        store.set_epoch_deadline(self.patience);
        self.asks.clear();
        self.asks.extend(asks.iter().map(convert::ask));
        let (got,) =
            self.get_batch.call(&mut *store, (&self.asks, asks.keys(), now.as_millis()))?;
        Ok(got.map(|verdicts| {
            let known = verdicts.len();
            for (at, verdict) in verdicts.into_iter().take(asks.len()).enumerate() {
                tell(at, said(verdict, store, numbers));
            }
            (known..asks.len()).for_each(|at| tell(at, Err(Error::OutOfMemory)));
        }))
    }

    /// Ends a load that has this number here.
    pub(crate) fn land(
        &mut self,
        fetch: &Fetch,
        flight: u64,
        outcome: &Result<Load, LoadError>,
        now: Instant,
    ) -> Called<Landing> {
        let group = fetch.group();
        let fetch = convert::fetch(fetch, flight);
        let told = outcome.as_ref().map(convert::load).map_err(|&error| error.into());
        let (guest, store) = self.parts();
        let landed = guest.call_land(store, fetch, told, now.as_millis())?;
        Ok(landed.map(|landing| match landing {
            wit::Landing::Done(done) => Landing::Done(convert::done(done, outcome.as_ref().ok())),
            wit::Landing::Refetch(fetch) => match self.numbers.name(fetch) {
                Ok(fetch) => Landing::Refetch(fetch),
                // As above: whoever waits is told when it has taken too long.
                Err(error) => Landing::Done(nobody(group, error.into())),
            },
        }))
    }

    pub(crate) fn overdue(&mut self, now: Instant) -> Called<Option<Done>> {
        let (guest, store) = self.parts();
        let done = guest.call_overdue(store, now.as_millis())?;
        Ok(done.map(|done| done.map(|done| convert::done(done, None))))
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

    /// By the numbers of the groups, of which some may be gone.
    pub(crate) fn stats(&mut self) -> Called<Vec<Option<Stats>>> {
        let (guest, store) = self.parts();
        let stats = guest.call_stats(store)?;
        Ok(stats.map(|stats| stats.into_iter().map(|it| it.map(Into::into)).collect()))
    }

    pub(crate) fn numbers(&self) -> Numbers {
        self.numbers
    }

    fn parts(&mut self) -> (&Guest, &mut Store<Memory>) {
        self.store.set_epoch_deadline(self.patience);
        (self.cache.gocache_node_engine(), &mut self.store)
    }
}

/// What an instance says of a request. A value lies in its memory, until the next call.
fn said<'a>(
    verdict: Verdict,
    store: &'a Store<Memory>,
    numbers: &mut Numbers,
) -> Result<Said<'a>, Error> {
    match verdict {
        Ok(Answer::Hit(found)) => Ok(Said::Lent(lent(found, store))),
        Ok(Answer::Wait) => Ok(Said::Got(Get::Wait)),
        // Without memory for it the load is lost, and ends as one that takes too long.
        Ok(Answer::Fetch(fetch)) => {
            Ok(Said::Got(numbers.name(fetch).map_or(Get::Wait, Get::Fetch)))
        }
        Err(error) => Err(error.into()),
    }
}

fn lent(found: bindings::Found, store: &Store<Memory>) -> Lent<'_> {
    let bindings::Found { value, digest, age } = found;
    Lent { bytes: value.as_le_slice(store), digest, age: age.map(convert::duration) }
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
    /// What it exports has other types than those that we call.
    OtherWorld(wasmtime::Error),
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
                "the memory of an instance ends at 4 GiB, and its part of these budgets may need \
                 {} GiB of it (each twice, and three of the largest values): more `--instances`, \
                 or lower budgets or `limits.value_bytes`",
                bytes.div_ceil(1 << 30)
            ),
            Self::OtherWorld(error) => write!(
                f,
                "the component is of another version of `gocache:node/engine`: {}; build the \
                 component of this version",
                one_line(error)
            ),
            Self::Random(error) => write!(f, "the system has no random number: {error}"),
            Self::Refused(why) => write!(f, "the component refuses the configuration: {why}"),
            Self::Trap(error) => write!(f, "the component does not start: {}", one_line(error)),
        }
    }
}

impl std::error::Error for StartError {}
