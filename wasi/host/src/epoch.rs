//! The clock by which a call that does not end is ended: wasmtime's epochs, which are counted here.

use std::{io, thread, time::Duration};

use wasmtime::Engine;

/// An epoch.
const TICK: Duration = Duration::from_millis(100);

/// Counts the epochs of an engine for as long as it lives.
pub(crate) fn begin(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    let count = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("epoch".to_owned()).spawn(count).map(drop)
}

/// Epochs after which at least this long has passed.
pub(crate) fn ticks(patience: Duration) -> u64 {
    let whole = patience.as_millis().div_ceil(TICK.as_millis());
    // The first of them has begun already.
    u64::try_from(whole).map_or(u64::MAX, |whole| whole.saturating_add(1)).min(u64::MAX / 2)
}
