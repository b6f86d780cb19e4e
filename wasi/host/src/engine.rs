//! `WasiEngine`: the instances, each with its part of the keys.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use gocache::{Ask, Asks, Config, Engine, Said, Tell};
use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, Stats, Waiter,
};

use crate::{
    component::Component,
    convert,
    instance::{Instance, StartError},
    seat::{BROKE_OFF, Seat},
    settings::Settings,
};

/// An engine whose core lives in instances of a component.
///
/// If a call traps, its asker gets [`Error::Failed`], a fresh instance takes the place of that one
/// (what it had cached and counted begins anew), and [`Engine::overdue`] ends all loads of it that
/// were in the air. What these bring after that has no effect. The other instances go on.
pub struct WasiEngine {
    seats: Box<[Seat]>,
    /// Nobody outside can tell which keys have an instance in common.
    hasher: RandomState,
    settings: Mutex<Arc<Settings>>,
}

impl WasiEngine {
    /// An engine with instances of the component, which are set up.
    ///
    /// # Errors
    /// If the component refuses the settings, or there is no memory for it.
    pub fn new(component: &Component, settings: Settings) -> Result<Self, StartError> {
        let settings = Arc::new(Settings { instances: settings.instances.max(1), ..settings });
        let seats = (0..settings.instances).map(|place| Seat::new(component, &settings, place));
        let seats = seats.collect::<Result<_, _>>()?;
        Ok(Self { seats, hasher: RandomState::new(), settings: Mutex::new(settings) })
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

    fn place(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize % self.seats.len()
    }

    fn seat(&self, key: &[u8]) -> &Seat {
        match &*self.seats {
            [only] => only,
            seats => &seats[self.place(key)],
        }
    }
}

impl Engine for WasiEngine {
    const BATCHES: bool = true;

    fn follow(self: &Arc<Self>, _: &Config, after: &Config) -> Result<Arc<Self>, String> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(settings.follow(after));
        for seat in &self.seats {
            // They are told the same, but for a byte or a load: what one takes, all take.
            seat.follow(&next).map_err(|error| error.to_string())?;
        }
        *settings = next;
        Ok(Arc::clone(self))
    }

    fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error> {
        let mut asks = Asks::default();
        asks.try_push(Ask { group, key, asker, waiter })?;
        let mut got = Err(BROKE_OFF);
        self.seat(key).get_batch(&asks, now, &mut |_, said| got = said.and_then(Said::kept));
        got
    }

    fn get_batch(&self, asks: &Asks, now: Instant, tell: &mut Tell<'_>) {
        if let [only] = &*self.seats {
            return only.get_batch(asks, now, tell);
        }
        let mut order: Vec<_> =
            asks.iter().enumerate().map(|(at, ask)| (self.place(ask.key), at)).collect();
        order.sort_unstable();
        for part in order.chunk_by(|one, other| one.0 == other.0) {
            match asks.pick(part.iter().map(|&(_, at)| at)) {
                Ok(asks) => {
                    let seat = &self.seats[part[0].0];
                    seat.get_batch(&asks, now, &mut |at, said| tell(part[at].1, said));
                }
                Err(error) => part.iter().for_each(|&(_, at)| tell(at, Err(error.into()))),
            }
        }
    }

    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        self.seat(fetch.key()).land(&fetch, &result, now)
    }

    fn overdue(&self, now: Instant) -> Option<Done> {
        self.seats.iter().find_map(|seat| seat.overdue(now))
    }

    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        let put = self.seat(key).call(|instance| instance.put(group, key, value, now));
        put.unwrap_or(Err(BROKE_OFF))
    }

    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        // A trap ends all that the instance has cached, this value too.
        let removed = self.seat(key).call(|instance| instance.remove(group, key, now));
        removed.unwrap_or(false)
    }

    fn stats(&self) -> Vec<(GroupId, Stats)> {
        let mut sums: Vec<Option<Stats>> = Vec::new();
        for stats in self.seats.iter().filter_map(|seat| seat.call(Instance::stats)) {
            sums.resize(sums.len().max(stats.len()), None);
            for (sum, stats) in sums.iter_mut().zip(stats) {
                *sum = match (*sum, stats) {
                    (Some(sum), Some(stats)) => Some(convert::sum(sum, stats)),
                    (one, other) => one.or(other),
                };
            }
        }
        let all = (0..).map(GroupId).zip(sums);
        all.filter_map(|(group, stats)| Some((group, stats?))).collect()
    }

    fn traps(&self) -> Option<u64> {
        Some(self.seats.iter().map(Seat::traps).sum())
    }
}
