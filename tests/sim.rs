//! A simulation: a node, its clients and its origin in one thread, on virtual time. What happens
//! next is drawn from a seed; the promises are checked after every step. A failure prints the seed,
//! and the seed replays the run:
//!
//! ```text
//! GOCACHE_SIM_SEED=17 cargo test -p gocache-tests sim::
//! GOCACHE_SIM_RUNS=100000 cargo test --release -p gocache-tests sim::
//! ```

use std::{collections::BTreeMap, env, time::Duration};

use fastrand::Rng;
use gocache_core::{
    Asker, Done, Error, Fetch, Get, Group, GroupId, Instant, Landing, Limits, Load, LoadError,
    Node, Seed, Settings, Source, Value, Waiter,
};

const STEPS: usize = 2_000;
const KEYS: u8 = 12;
const DEADLINE: Duration = Duration::from_millis(500);
const LIFETIME: Duration = Duration::from_millis(2_000);

/// A load on its way to the origin and back.
struct Trip {
    fetch: Fetch,
    back_at: Instant,
    /// What the origin held when it was asked: a load sees the past.
    version: u32,
}

/// Who waits, for what, since when, and the oldest version that may still be served.
struct Waiting {
    key: u8,
    since: Instant,
    at_least: u32,
}

struct Sim {
    rng: Rng,
    now: Instant,
    node: Node,
    group: GroupId,
    trips: Vec<Trip>,
    waiting: BTreeMap<u64, Waiting>,
    last_waiter: u64,
    /// The newest version of any key.
    version: u32,
    /// The origin: the version of each key; `None` where there is no such key.
    origin: [Option<u32>; KEYS as usize],
    /// The version of each key at its last removal: nothing older may be found from then on.
    removed_at: [u32; KEYS as usize],
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut node = Node::new();
        let settings = Settings {
            // Room for some of the keys, so that entries come and go.
            budget: 3 << 10,
            lifetime: Some(LIFETIME),
            limits: Limits { load_deadline: DEADLINE, flights: 8, waiters: 5, ..Limits::default() },
            ..Settings::default()
        };
        let group = Group::new("simulated", settings, Seed::new(seed));
        Self {
            rng: Rng::with_seed(seed),
            now: Instant::ZERO,
            group: node.add(group.expect("memory for a few tables")).expect("the only group"),
            node,
            trips: Vec::new(),
            waiting: BTreeMap::new(),
            last_waiter: 0,
            version: 1,
            origin: [Some(1); KEYS as usize],
            removed_at: [0; KEYS as usize],
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..100) {
            0..50 => self.get(),
            50..60 => self.write_and_remove(),
            60..65 => drop(self.write()),
            _ => self.pass_time(),
        }
        self.check();
    }

    fn get(&mut self) {
        let key = self.rng.u8(..KEYS);
        self.last_waiter += 1;
        let waiter = Waiter(self.last_waiter);
        let asker = if self.rng.bool() { Asker::Client } else { Asker::Peer };
        let at_least = self.removed_at[usize::from(key)];
        match self.node.get(self.group, &[key], asker, waiter, self.now) {
            Ok(Get::Hit(found)) => {
                assert!(found.age.expect("the group has a lifetime") < LIFETIME, "it is too old");
                check_value(&found.value, key, at_least);
                return;
            }
            Ok(Get::Wait) => {}
            Ok(Get::Fetch(fetch)) => {
                assert_eq!((fetch.key(), fetch.source()), (&[key][..], Source::Origin));
                self.send(fetch);
            }
            Err(error) => return assert_eq!(error, Error::Busy, "the keys are short"),
        }
        self.waiting.insert(waiter.0, Waiting { key, since: self.now, at_least });
    }

    /// Sends a load on its way: most are quick, some late, some never come back.
    fn send(&mut self, fetch: Fetch) {
        let travel = match self.rng.u8(..10) {
            0 => return,
            1 => DEADLINE + Duration::from_millis(self.rng.u64(..300)),
            _ => Duration::from_millis(self.rng.u64(1..100)),
        };
        let version = self.origin[usize::from(fetch.key()[0])].unwrap_or(0);
        self.trips.push(Trip { fetch, back_at: self.now.after(travel), version });
    }

    /// The source of truth changes, and nobody says so.
    fn write(&mut self) -> u8 {
        let key = self.rng.u8(..KEYS);
        self.version += 1;
        self.origin[usize::from(key)] = (self.rng.u8(..8) > 0).then_some(self.version);
        key
    }

    /// The source of truth changes, and the cached copy is removed.
    fn write_and_remove(&mut self) {
        let key = self.write();
        self.node.remove(self.group, &[key], self.now);
        // If the key is gone now, only a later version may be found.
        self.removed_at[usize::from(key)] = self.version;
    }

    /// Time passes up to the next thing that happens, and it happens.
    fn pass_time(&mut self) {
        self.now = self.now.after(Duration::from_millis(self.rng.u64(1..60)));
        while let Some(at) = self.trips.iter().position(|trip| trip.back_at <= self.now) {
            let trip = self.trips.swap_remove(at);
            let key = trip.fetch.key()[0];
            let result = match (self.rng.u8(..10), trip.version) {
                (0, _) => Err(LoadError::Failed),
                (1, _) => Err(LoadError::Panicked),
                (_, 0) => Err(LoadError::NotFound),
                (_, version) => {
                    Value::new(&value(key, version)).map(Load::from).map_err(LoadError::from)
                }
            };
            match self.node.land(trip.fetch, result, self.now) {
                Landing::Done(done) => self.told(done),
                Landing::Refetch(fetch) => panic!("nothing is fetched from a peer here: {fetch:?}"),
            }
        }
        while let Some(done) = self.node.overdue(self.now) {
            assert_eq!(done.result, Err(Error::TimedOut));
            self.told(done);
        }
    }

    /// Everyone is told once, and what he is told was true when he asked or later.
    fn told(&mut self, done: Done) {
        for Waiter(waiter) in done.waiters {
            let waiting = self.waiting.remove(&waiter).expect("told twice, or never asked");
            if let Ok(found) = &done.result {
                check_value(&found.value, waiting.key, waiting.at_least);
            }
        }
    }

    fn check(&self) {
        let (_, stats) = self.node.stats().next().expect("one group");
        assert!(stats.bytes <= stats.budget, "{} bytes of {}", stats.bytes, stats.budget);
        assert!(stats.flights <= 8, "{} loads in the air", stats.flights);
        for (waiter, waiting) in &self.waiting {
            let waited = self.now.since(waiting.since);
            // The clock moves in steps of up to 60 ms, and the deadline is looked at after each.
            assert!(waited < DEADLINE + Duration::from_millis(60), "{waiter} waited {waited:?}");
        }
    }

    /// Nothing new happens; what has begun ends.
    fn finish(mut self) {
        for _ in 0..40 {
            self.pass_time();
        }
        self.now = self.now.after(DEADLINE);
        while let Some(done) = self.node.overdue(self.now) {
            self.told(done);
        }
        assert!(self.waiting.is_empty(), "{} wait for ever", self.waiting.len());
        let (_, stats) = self.node.stats().next().expect("one group");
        assert_eq!(stats.flights, 0, "a load is left in the air");
    }
}

/// Some keys have large values, so that entries differ in size.
fn value(key: u8, version: u32) -> Vec<u8> {
    let mut value = vec![key; usize::from(key) * 40];
    value.extend_from_slice(&version.to_be_bytes());
    value
}

fn check_value(found: &[u8], key: u8, at_least: u32) {
    let (_, version) = found.split_last_chunk().expect("a version stands at the end");
    let version = u32::from_be_bytes(*version);
    assert_eq!(found, value(key, version), "the bytes of another key");
    assert!(version >= at_least, "version {version} was outdated when version {at_least} came");
}

fn run(seed: u64) {
    let mut sim = Sim::new(seed);
    for _ in 0..STEPS {
        sim.step();
    }
    sim.finish();
}

#[test]
fn every_seed_keeps_every_promise() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse().expect("a number"));
    if let Some(seed) = number("GOCACHE_SIM_SEED") {
        return run(seed);
    }
    for seed in 0..number("GOCACHE_SIM_RUNS").unwrap_or(300) {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "replay with GOCACHE_SIM_SEED={seed}");
    }
}
