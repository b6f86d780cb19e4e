//! How the last reading of the configuration went, for the metrics.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// Readings of the configuration: the first one, with which the server began, and reloads.
#[derive(Debug)]
pub(crate) struct Reloads {
    succeeded: AtomicBool,
    /// When the last one that succeeded did, in seconds since 1970.
    at: AtomicU64,
}

impl Reloads {
    pub(crate) fn new() -> Self {
        Self { succeeded: AtomicBool::new(true), at: AtomicU64::new(seconds()) }
    }

    pub(crate) fn note(&self, succeeded: bool) {
        self.succeeded.store(succeeded, Ordering::Relaxed);
        if succeeded {
            self.at.store(seconds(), Ordering::Relaxed);
        }
    }

    /// Whether the last one succeeded, and when one last did.
    pub(crate) fn last(&self) -> (bool, u64) {
        (self.succeeded.load(Ordering::Relaxed), self.at.load(Ordering::Relaxed))
    }
}

/// The time of the wall clock: one before 1970 counts as 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
