//! `Seat`: one instance behind a lock, and what becomes of its waiters when it traps.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Instant as Clock,
};

use gocache::{Ask, Asks, Said, Tell};
use gocache_core::{Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, Waiter};

use crate::{
    component::{Component, one_line},
    instance::{Called, Instance, Numbers, StartError, nobody},
    settings::Settings,
};

/// What the frontend is told of what an instance does not answer: a 502, as for any other server
/// behind it that breaks off.
pub(crate) const BROKE_OFF: Error = Error::Failed;

/// From this length on, what is done with a value may take longer than to copy it.
const LONG: usize = 4 << 10;

pub(crate) struct Seat {
    component: Component,
    place: usize,
    /// Traps until now.
    traps: AtomicU64,
    /// Threads that wait for the lock.
    seekers: AtomicUsize,
    state: Mutex<State>,
}

pub(crate) struct State {
    /// What a fresh instance is told.
    settings: Arc<Settings>,
    /// `None` after a trap for as long as no fresh one comes up.
    instance: Option<Instance>,
    numbers: Numbers,
    /// Who waits for a load, and how many times. Only the host can tell them if the instance dies.
    waiting: HashMap<(GroupId, Waiter), usize>,
    /// Who waited for an instance that died, and has yet to be told.
    lost: Vec<Done>,
}

impl Seat {
    pub(crate) fn new(
        component: &Component,
        settings: &Arc<Settings>,
        place: usize,
    ) -> Result<Self, StartError> {
        let (places, own) = (settings.instances as u64, place as u64);
        let numbers = Numbers { place: own, places, earlier: 0, highest: 0 };
        let instance = Instance::start(component, &settings.part(place), numbers)?;
        let state = State {
            settings: Arc::clone(settings),
            instance: Some(instance),
            numbers,
            waiting: HashMap::new(),
            lost: Vec::new(),
        };
        let (component, traps, seekers) =
            (component.clone(), AtomicU64::new(0), AtomicUsize::new(0));
        Ok(Self { component, place, traps, seekers, state: Mutex::new(state) })
    }

    pub(crate) fn traps(&self) -> u64 {
        self.traps.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic here leaves at worst an instance that cannot be entered, and that one traps.
        match self.state.try_lock() {
            Ok(state) => return state,
            Err(TryLockError::Poisoned(state)) => return state.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.seekers.fetch_add(1, Ordering::Relaxed);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.seekers.fetch_sub(1, Ordering::Relaxed);
        state
    }

    /// Whether somebody waits for the instance.
    fn is_sought(&self) -> bool {
        self.seekers.load(Ordering::Relaxed) > 0
    }

    /// Makes a call. `None`: there is no answer, and why has been logged.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut Instance) -> Called<T>) -> Option<T> {
        self.call_in(&mut self.lock(), call)
    }

    fn call_in<T>(
        &self,
        state: &mut State,
        call: impl FnOnce(&mut Instance) -> Called<T>,
    ) -> Option<T> {
        if state.instance.is_none() {
            self.start(state);
        }
        match call(state.instance.as_mut()?) {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(misuse)) => {
                tracing::error!(%misuse, "the component refused a call: a bug of this server");
                None
            }
            Err(trap) => {
                self.replace(state, &trap);
                None
            }
        }
    }

    /// Puts a fresh instance in the place of one that has trapped.
    #[cold]
    fn replace(&self, state: &mut State, trap: &wasmtime::Error) {
        let began = Clock::now();
        self.traps.fetch_add(1, Ordering::Relaxed);
        let (mut out_of_memory, memory_limit_bytes) =
            (false, state.settings.part(self.place).memory_bytes());
        if let Some(dead) = state.instance.take() {
            out_of_memory = dead.ran_out_of_memory();
            state.numbers.earlier = dead.numbers().highest;
            state.numbers.highest = state.numbers.earlier;
            // The system takes a while for memory that was in use; nobody has to wait for that.
            drop(thread::Builder::new().name("burial".to_owned()).spawn(move || drop(dead)));
        }
        state.lose();
        self.start(state);
        tracing::error!(
            trap = one_line(trap),
            out_of_memory,
            memory_limit_bytes,
            instance = self.place,
            replaced_after_us = began.elapsed().as_micros(),
            "the component trapped: what this instance has cached begins anew"
        );
    }

    fn start(&self, state: &mut State) {
        let part = state.settings.part(self.place);
        match Instance::start(&self.component, &part, state.numbers) {
            Ok(instance) => state.instance = Some(instance),
            Err(error) => tracing::error!(%error, "the component does not start again"),
        }
    }

    /// Goes on with other settings. Where the component refuses them, nothing has changed.
    pub(crate) fn follow(&self, settings: &Arc<Settings>) -> Result<(), StartError> {
        let state = &mut *self.lock();
        let Some(instance) = &mut state.instance else {
            state.settings = Arc::clone(settings);
            return Ok(());
        };
        match instance.configure(&settings.part(self.place)) {
            Ok(()) => state.settings = Arc::clone(settings),
            Err(StartError::Trap(trap)) => {
                state.settings = Arc::clone(settings);
                self.replace(state, &trap);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Asks for each of these: what is cached in one call, and the rest in another. What is lent lies in
    /// the instance, whose lock is held while it is told of: long values are lent only as long as nobody
    /// waits for that.
    pub(crate) fn get_batch(&self, asks: &Asks, now: Instant, tell: &mut Tell<'_>) {
        let mut state = self.lock();
        let mut tell = |at, said: Result<Said<'_>, Error>| {
            let is_long = matches!(&said, Ok(Said::Lent(lent)) if lent.bytes.len() >= LONG);
            if is_long && self.is_sought() {
                tell(at, said.and_then(Said::kept).map(Said::Got));
            } else {
                tell(at, said);
            }
        };
        let mut misses = Vec::new();
        let told = self.call_in(&mut state, |instance| {
            let told = instance.hits(asks, now, &mut |at, hit| match hit {
                Some(lent) => tell(at, Ok(Said::Lent(lent))),
                None => misses.push(at),
            });
            told.map(Ok)
        });
        if told.is_none() {
            return (0..asks.len()).for_each(|at| tell(at, Err(BROKE_OFF)));
        }
        if misses.is_empty() {
            return;
        }
        if misses.len() == asks.len() {
            self.begin(&mut state, asks, now, &mut tell);
        } else {
            match asks.pick(misses.iter().copied()) {
                Ok(rest) => {
                    self.begin(&mut state, &rest, now, &mut |at, said| tell(misses[at], said));
                }
                Err(error) => misses.iter().for_each(|&at| tell(at, Err(error.into()))),
            }
        }
    }

    /// Asks for what is not cached.
    #[cold]
    fn begin(&self, state: &mut State, asks: &Asks, now: Instant, tell: &mut Tell<'_>) {
        let mut waits = Vec::new();
        let told = self.call_in(state, |instance| {
            instance.get_batch(asks, now, &mut |at, said| {
                if let Ok(Said::Got(Get::Wait | Get::Fetch(_))) = said {
                    waits.push(at);
                }
                tell(at, said);
            })
        });
        if told.is_none() {
            (0..asks.len()).for_each(|at| tell(at, Err(BROKE_OFF)));
        }
        for Ask { group, waiter, .. } in waits.into_iter().map(|at| asks.at(at)) {
            *state.waiting.entry((group, waiter)).or_default() += 1;
        }
    }

    pub(crate) fn land(
        &self,
        fetch: &Fetch,
        result: &Result<Load, LoadError>,
        now: Instant,
    ) -> Landing {
        let mut state = self.lock();
        let landing = match state.numbers.inside(fetch.flight()) {
            Some(flight) => {
                self.call_in(&mut state, |instance| instance.land(fetch, flight, result, now))
            }
            // It began in an instance that is gone: `lost` has whoever waited for it.
            None => None,
        };
        let landing = landing.unwrap_or_else(|| Landing::Done(nobody(fetch.group(), BROKE_OFF)));
        if let Landing::Done(done) = &landing {
            state.told(done);
        }
        landing
    }

    pub(crate) fn overdue(&self, now: Instant) -> Option<Done> {
        let mut state = self.lock();
        if let Some(lost) = state.lost.pop() {
            return Some(lost);
        }
        let done = self.call_in(&mut state, |instance| instance.overdue(now)).flatten()?;
        state.told(&done);
        Some(done)
    }
}

impl State {
    /// Takes down who waited for an instance that died.
    fn lose(&mut self) {
        let mut groups: HashMap<GroupId, Vec<Waiter>> = HashMap::new();
        for ((group, waiter), times) in self.waiting.drain() {
            groups.entry(group).or_default().extend(std::iter::repeat_n(waiter, times));
        }
        self.lost.extend(groups.into_iter().map(|(group, waiters)| Done {
            waiters: waiters.into_iter().collect(),
            ..nobody(group, BROKE_OFF)
        }));
    }

    /// Forgets those who are being told.
    fn told(&mut self, done: &Done) {
        for &waiter in &done.waiters {
            let key = (done.group, waiter);
            match self.waiting.get_mut(&key) {
                Some(times) if *times > 1 => *times -= 1,
                Some(_) => drop(self.waiting.remove(&key)),
                None => debug_assert!(false, "{waiter:?} is told what it has not asked for"),
            }
        }
    }
}
