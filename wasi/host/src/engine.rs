//! `WasiEngine`: the one instance behind a lock, and what becomes of its waiters when it traps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gocache::{Config, Engine};
use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, Stats, Waiter,
};

use crate::{
    component::{Component, one_line},
    instance::{Called, Instance, StartError, nobody},
    settings::Settings,
};

/// An engine whose core lives in a component.
///
/// If a call traps, its asker gets [`Error::Panicked`], the cache begins anew in a fresh instance
/// (its counters too), and [`Engine::overdue`] ends all loads that were in the air. What these bring
/// after that has no effect.
pub struct WasiEngine {
    component: Component,
    settings: Settings,
    state: Mutex<State>,
}

struct State {
    /// `None` after a trap for as long as no fresh one comes up.
    instance: Option<Instance>,
    /// The highest number of a load that an instance before had.
    flights: u64,
    /// Who waits for a load, and how many times. Only the host can tell them if the instance dies.
    waiting: HashMap<(GroupId, Waiter), usize>,
    /// Who waited for an instance that died, and has yet to be told.
    lost: Vec<Done>,
}

impl WasiEngine {
    /// An engine with an instance of the component, which is set up.
    ///
    /// # Errors
    /// If the component refuses the settings, or there is no memory for it.
    pub fn new(component: &Component, settings: Settings) -> Result<Self, StartError> {
        let instance = Instance::start(component, &settings, 0)?;
        let state = State {
            instance: Some(instance),
            flights: 0,
            waiting: HashMap::new(),
            lost: Vec::new(),
        };
        Ok(Self { component: component.clone(), settings, state: Mutex::new(state) })
    }

    /// An engine for a server with this configuration. Each start draws a new seed, so that nobody
    /// can choose keys that collide.
    ///
    /// # Errors
    /// As with [`WasiEngine::new`], or if the budgets exceed a component's memory.
    pub fn for_config(component: &Component, config: &Config) -> Result<Self, StartError> {
        let seed = getrandom::u64().map_err(StartError::Random)?;
        Self::new(component, Settings::new(config, seed))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic here leaves at worst an instance that cannot be entered, and that one traps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call. `None`: there is no answer, and why has been logged.
    fn call<T>(
        &self,
        state: &mut State,
        call: impl FnOnce(&mut Instance) -> Called<T>,
    ) -> Option<T> {
        if state.instance.is_none() {
            self.start(state);
        }
        let instance = state.instance.as_mut()?;
        match call(instance) {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(misuse)) => {
                tracing::error!(%misuse, "the component refused a call: a bug of this server");
                None
            }
            Err(trap) => {
                let out_of_memory = instance.ran_out_of_memory();
                tracing::error!(
                    trap = one_line(&trap),
                    out_of_memory,
                    memory_limit_bytes = self.settings.memory_bytes,
                    "the component trapped: the cache begins anew"
                );
                state.lose();
                self.start(state);
                None
            }
        }
    }

    fn start(&self, state: &mut State) {
        match Instance::start(&self.component, &self.settings, state.flights) {
            Ok(instance) => state.instance = Some(instance),
            Err(error) => tracing::error!(%error, "the component does not start again"),
        }
    }
}

impl State {
    /// Drops the instance, its memory included, before another one takes its place.
    fn lose(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.flights = instance.flights();
        }
        let mut groups: HashMap<GroupId, Vec<Waiter>> = HashMap::new();
        for ((group, waiter), times) in self.waiting.drain() {
            groups.entry(group).or_default().extend(std::iter::repeat_n(waiter, times));
        }
        self.lost.extend(groups.into_iter().map(|(group, waiters)| Done {
            waiters: waiters.into_iter().collect(),
            ..nobody(group, Error::Panicked)
        }));
    }

    fn wait(&mut self, group: GroupId, waiter: Waiter) {
        *self.waiting.entry((group, waiter)).or_default() += 1;
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

impl Engine for WasiEngine {
    /// The component is told its groups and its ring once, when it starts.
    fn follow(self: &Arc<Self>, before: &Config, after: &Config) -> Result<Arc<Self>, String> {
        let seed = self.settings.seed;
        let differences = Settings::new(before, seed).differences(&Settings::new(after, seed));
        if differences.is_empty() {
            return Ok(Arc::clone(self));
        }
        let keys = differences.join(", ");
        Err(format!("what the component is told when it starts has changed: {keys}; restart it"))
    }

    fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error> {
        let mut state = self.lock();
        let got = self.call(&mut state, |instance| instance.get(group, key, asker, waiter, now));
        let got = got.unwrap_or(Err(Error::Panicked));
        match got {
            Ok(Get::Wait | Get::Fetch(_)) => state.wait(group, waiter),
            Ok(Get::Hit(_)) | Err(_) => {}
        }
        got
    }

    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        let mut state = self.lock();
        let group = fetch.group();
        let landing = if fetch.flight() > state.flights {
            self.call(&mut state, |instance| instance.land(&fetch, &result, now))
        } else {
            // It began in an instance that is gone: `lost` has whoever waited for it.
            None
        };
        let landing = landing.unwrap_or_else(|| Landing::Done(nobody(group, Error::Panicked)));
        if let Landing::Done(done) = &landing {
            state.told(done);
        }
        landing
    }

    fn overdue(&self, now: Instant) -> Option<Done> {
        let mut state = self.lock();
        if let Some(lost) = state.lost.pop() {
            return Some(lost);
        }
        let done = self.call(&mut state, |instance| instance.overdue(now)).flatten()?;
        state.told(&done);
        Some(done)
    }

    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        let put = self.call(&mut self.lock(), |instance| instance.put(group, key, value, now));
        put.unwrap_or(Err(Error::Panicked))
    }

    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        // A trap ends all that is cached, this value too.
        let removed = self.call(&mut self.lock(), |instance| instance.remove(group, key, now));
        removed.unwrap_or(false)
    }

    fn stats(&self) -> Vec<(GroupId, Stats)> {
        let stats = self.call(&mut self.lock(), Instance::stats);
        let stats = stats.unwrap_or_else(|| vec![Stats::default(); self.settings.groups.len()]);
        (0..).map(GroupId).zip(stats).collect()
    }
}
