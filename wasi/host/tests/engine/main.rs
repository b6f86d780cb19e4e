//! The engine over the real component in the real wasmtime.
//!
//! - `verbs`: what each call answers; the suite of the workspace says what clients see of it
//! - `twin`: the same calls in the same order get the same answers from the core itself
//! - `trap`: an instance dies, the engine does not, and everyone who waited is told
//! - `program`: the binary: serves, drains, and says what is wrong with its arguments
//! - `protocol`: what is loaded as a component, and what the component says to a wrong host

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod guest;

mod program;
mod protocol;
mod trap;
mod twin;
mod verbs;

use std::{sync::LazyLock, time::Duration};

use gocache::Engine;
use gocache_core::{
    Asker, Done, Fetch, Get, GroupId, Instant, Landing, Limits, Load, LoadError, PeerId, Value,
    Waiter,
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
    Settings {
        groups: vec![group("scores", None), group("fresh", Some(Duration::from_secs(10)))],
        ring: None,
        seed: 0x5eed,
        memory_bytes: 16 << 20,
    }
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
