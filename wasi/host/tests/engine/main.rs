//! The engine over the real component in the real wasmtime.
//!
//! - `batch`: several requests in one call
//! - `hits`: what the component finds of what is cached, asked as other hosts ask it
//! - `verbs`: what each call answers; the suite of the workspace says what clients see of it
//! - `twin`: the same calls in the same order get the same answers from the core itself
//! - `trap`: an instance dies, the engine does not, and everyone who waited is told
//! - `parts`: several instances share the keys, the budgets and the loads
//! - `follow`: other settings are taken on by instances that run
//! - `compiled`: a component as machine code in a file, and all that can be wrong with it
//! - `program`: the binary: serves, drains, and says what is wrong with its arguments
//! - `soak`: the binary again, for long and by many
//! - `protocol`: what is loaded as a component, and what the component says to a wrong host

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod bare;
mod guest;

mod batch;
mod compiled;
mod follow;
mod hits;
mod parts;
mod program;
mod protocol;
mod soak;
mod trap;
mod twin;
mod verbs;

use std::{sync::LazyLock, time::Duration};

use gocache::{Ask, Asks, Engine, Said};
use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Limits, Load, LoadError, PeerId,
    Value, Waiter,
};
use gocache_wasi::{Component, GroupSettings, RingSettings, Settings, WasiEngine};

/// Compiled once for all tests.
static COMPONENT: LazyLock<Component> =
    LazyLock::new(|| Component::from_file(&*guest::FILE).unwrap());

const SCORES: GroupId = GroupId(0);
const FRESH: GroupId = GroupId(1);
const ZERO: Instant = Instant::ZERO;

/// Two groups, `scores` and `fresh`; the values of the second live for ten seconds.
fn settings() -> Settings {
    let group = |name: &str, lifetime| GroupSettings {
        name: name.to_owned(),
        settings: gocache_core::Settings {
            budget: 1 << 20,
            lifetime,
            limits: Limits { key_bytes: 64, flights: 8, waiters: 4, ..Limits::default() },
            ..gocache_core::Settings::default()
        },
    };
    let fresh = group("fresh", Some(Duration::from_secs(10)));
    Settings {
        groups: vec![Some(group("scores", None)), Some(fresh)],
        ring: None,
        seed: 0x5eed,
        instances: 1,
        value_bytes: 1 << 20,
        memory_bytes: Some(16 << 20),
        patience: Settings::PATIENCE,
    }
}

/// Changes a group of these.
fn change(settings: &mut Settings, group: usize, by: impl FnOnce(&mut gocache_core::Settings)) {
    by(&mut settings.groups[group].as_mut().unwrap().settings);
}

fn ring() -> RingSettings {
    let names = ["a:1", "b:1", "c:1"].map(String::from);
    RingSettings { names: names.into(), own: PeerId(0) }
}

fn engine() -> WasiEngine {
    WasiEngine::new(&COMPONENT, settings()).unwrap()
}

fn value(bytes: &[u8]) -> Result<Load, LoadError> {
    Ok(Value::new(bytes)?.into())
}

fn client(group: GroupId, key: &[u8], waiter: u64) -> Ask<'_> {
    Ask { group, key, asker: Asker::Client, waiter: Waiter(waiter) }
}

/// What is said of each, in the order of the asks; what is lent is copied.
fn ask(engine: &WasiEngine, asks: &Asks, now: Instant) -> Vec<Result<Get, Error>> {
    let mut said: Vec<_> = (0..asks.len()).map(|_| None).collect();
    engine.get_batch(asks, now, &mut |at, it| {
        assert!(said[at].is_none(), "told twice");
        let Ask { group, key, .. } = asks.at(at);
        let is_same = |later: &usize| (asks.at(*later).group, asks.at(*later).key) == (group, key);
        let mut later = (at + 1..asks.len()).filter(is_same);
        assert!(later.all(|later| said[later].is_none()), "after one that asks for the same");
        said[at] = Some(it.and_then(Said::kept));
    });
    said.into_iter().map(|said| said.expect("each is told")).collect()
}

fn get(engine: &impl Engine, key: &[u8], waiter: u64) -> Get {
    engine.get(SCORES, key, Asker::Client, Waiter(waiter), ZERO).unwrap()
}

fn fetch(engine: &impl Engine, key: &[u8], waiter: u64) -> Fetch {
    let Get::Fetch(fetch) = get(engine, key, waiter) else { panic!("a load to be done") };
    fetch
}

fn land(engine: &impl Engine, fetch: Fetch, result: Result<Load, LoadError>) -> Done {
    let Landing::Done(done) = engine.land(fetch, result, ZERO) else { panic!("a load that ends") };
    done
}
