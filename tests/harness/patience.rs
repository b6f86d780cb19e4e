//! Waiting with a bound: a promise that is not kept fails, it never hangs.

use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything may take which should happen at once: long for a busy machine, short
/// for a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Asks again until the answer is yes; fails with `what` when patience runs out.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "still not after {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
