//! From a file to an instance that is set up, and from a trap to the next instance.

use std::{io, path::Path, time::Instant as Clock};

use gocache::{Config, Engine};
use gocache_core::{Asker, Get, GroupId, Instant, LoadError, Value, Waiter};
use gocache_wasi::{Component, Settings, WasiEngine};

use crate::cases::Bar;

const SAMPLES: usize = 15;
/// What an instance holds when it traps.
const HELD_MIB: u32 = 256;

fn config() -> Result<Config, gocache::ConfigError> {
    Config::from_toml(
        "loops = 1\n[origins.none]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
         [groups.bench]\norigin = \"none\"\nbudget = \"512 MiB\"\n\
         [limits]\nvalue_bytes = 1048576\n",
    )
}

/// Prints both.
pub(crate) fn measure(compiled: &Path) -> io::Result<()> {
    let config = config().map_err(|error| io::Error::other(error.to_string()))?;
    let mut ready = Vec::new();
    for _ in 0..SAMPLES {
        let began = Clock::now();
        let component = Component::from_file(compiled).map_err(io::Error::other)?;
        let engine = WasiEngine::for_config(&component, &config).map_err(io::Error::other)?;
        ready.push(began.elapsed().as_secs_f64() * 1e3);
        drop(engine);
    }
    println!("Ready from a .cwasm: {}", told(&ready));
    let component = Component::from_file(compiled).map_err(io::Error::other)?;
    let settings = Settings { memory_bytes: Some(600 << 20), ..Settings::new(&config, 1) };
    let engine = WasiEngine::new(&component, settings).map_err(io::Error::other)?;
    let mut replaced = Vec::new();
    for _ in 0..SAMPLES {
        for key in 0..HELD_MIB {
            let put = engine.put(GroupId(0), &key.to_le_bytes(), &[7; 1 << 20], Instant::ZERO);
            put.map_err(|error| io::Error::other(error.to_string()))?;
        }
        replaced.push(trap(&engine)?);
    }
    println!("Replaced after a trap with {HELD_MIB} MiB cached: {}\n", told(&replaced));
    Ok(())
}

/// Milliseconds of a call that traps, the next instance included.
fn trap(engine: &WasiEngine) -> io::Result<f64> {
    // What does not fit on its way in is refused by the memory's limit, right at the beginning.
    let large =
        Value::new(&vec![7; 640 << 20]).map_err(|error| io::Error::other(error.to_string()))?;
    let got = engine.get(GroupId(0), b"large", Asker::Client, Waiter(1), Instant::ZERO);
    let Ok(Get::Fetch(fetch)) = got else { return Err(io::Error::other("it is not cached")) };
    let (traps, kept) = (engine.traps(), large.clone());
    let began = Clock::now();
    drop(engine.land(fetch, Ok::<_, LoadError>(large.into()), Instant::ZERO));
    let took = began.elapsed().as_secs_f64() * 1e3;
    // To free that takes longer than all the rest.
    drop(kept);
    if engine.traps() == traps {
        return Err(io::Error::other("it has not trapped"));
    }
    Ok(took)
}

fn told(millis: &[f64]) -> String {
    let median = crate::median(millis);
    let most = millis.iter().copied().fold(0.0, f64::max);
    format!("{median:.3} ms, at most {most:.3} ms (bar: {})", Bar::at_most(1.0).of(median))
}
