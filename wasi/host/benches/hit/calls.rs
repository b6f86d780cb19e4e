//! The engines without a server around them: what a hit costs in each, and what of that is the call
//! into the component.

use std::{io, time::Instant as Clock};

use gocache::{Ask, Asks, Engine, Node, Said};
use gocache_core::{Asker, Get, Group, GroupId, Instant, Seed, Value, Waiter};
use gocache_wasi::{Component, GroupSettings, Settings, WasiEngine};

use crate::{
    cases::{Bar, PAYLOADS},
    payload::Payload,
};

const GROUP: GroupId = GroupId(0);
const KEYS: u32 = 1_000;
/// The best of so many is the one that nothing disturbed, of a machine that is slower for seconds at times.
const SAMPLES: usize = 1_000;

fn settings() -> gocache_core::Settings {
    gocache_core::Settings { budget: 256 << 20, digests: true, ..Default::default() }
}

/// Prints what a hit takes, for each payload.
pub(crate) fn measure(component: &Component) -> io::Result<()> {
    let wasi = Settings {
        groups: vec![Some(GroupSettings { name: "bench".to_owned(), settings: settings() })],
        ring: None,
        seed: 1,
        instances: 1,
        value_bytes: 1 << 20,
        memory_bytes: None,
        patience: Settings::PATIENCE,
    };
    let wasi = WasiEngine::new(component, wasi).map_err(io::Error::other)?;
    let mut native = Node::new_in(gocache_core::Global);
    let group = Group::new_in("bench", settings(), Seed::new(1), gocache_core::Global);
    let group = group.map_err(|error| io::Error::other(error.to_string()))?;
    native.add(group.into()).map_err(|error| io::Error::other(error.to_string()))?;
    println!(
        "| a hit of | native ns | wasi ns | more, us | bar | in batches of 8, 32, 128: ns each |"
    );
    println!("| --- | --: | --: | --: | --- | --- |");
    for payload in &PAYLOADS {
        fill(&native, payload)?;
        fill(&wasi, payload)?;
        let batched = [8, 32, 128].map(|size| format!("{:.0}", best_batched(&wasi, size)));
        // As the server asks where there is one request at a time.
        let (native, wasi) = (best(&native), best_batched(&wasi, 1));
        let more = (wasi - native) / 1e3;
        let bar = if payload.bytes == 3 { Bar::at_most(0.25).of(more) } else { String::new() };
        let (label, batched) = (payload.label, batched.join(", "));
        println!("| {label} | {native:.0} | {wasi:.0} | {more:.3} | {bar} | {batched} |");
    }
    println!();
    Ok(())
}

fn key(number: u32) -> [u8; 20] {
    let mut key = *b"article/0000/details";
    key[8..12].copy_from_slice(&number.to_le_bytes());
    key
}

fn fill(engine: &impl Engine, payload: &Payload) -> io::Result<()> {
    for number in 0..KEYS {
        let put = engine.put(GROUP, &key(number), &payload.value(), Instant::ZERO);
        put.map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(())
}

/// Nanoseconds of a hit, its value looked at and let go.
fn best(engine: &Node) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..SAMPLES {
        let began = Clock::now();
        let mut bytes = 0;
        for number in 0..KEYS {
            let got = engine.get(GROUP, &key(number), Asker::Client, Waiter(1), Instant::ZERO);
            if let Ok(Get::Hit(hit)) = got {
                bytes += looked_at(&hit.value);
            }
        }
        let took = began.elapsed().as_nanos() as f64 / f64::from(KEYS);
        assert!(bytes > 0, "all of them are hits");
        best = best.min(took);
    }
    best
}

/// The same where several are asked for in one call.
fn best_batched(engine: &WasiEngine, size: u32) -> f64 {
    let (group, asker, waiter) = (GROUP, Asker::Client, Waiter(1));
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let asks = keys.chunks(size as usize);
    let asks = asks.map(|keys| keys.iter().map(|key| Ask { group, key, asker, waiter }).collect());
    let asks: Vec<Asks> = asks.collect();
    let mut best = f64::INFINITY;
    for _ in 0..SAMPLES {
        let began = Clock::now();
        let mut bytes = 0;
        for asks in &asks {
            engine.get_batch(asks, Instant::ZERO, &mut |_, said| {
                if let Ok(Said::Lent(lent)) = said {
                    bytes += lent.bytes.len() + usize::from(lent.digest == 0);
                }
            });
        }
        let took = began.elapsed().as_nanos() as f64 / f64::from(KEYS);
        assert!(bytes > 0, "all of them are hits");
        best = best.min(took);
    }
    best
}

fn looked_at(value: &Value) -> usize {
    value.len() + usize::from(value.digest() == 0)
}
