//! The other nodes: whether each is worth trying.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use gocache_core::Instant;

/// How long a peer that failed is left alone. Then one request tries it, and the others go on to
/// the origin until that one has come back.
const COOLDOWN: Duration = Duration::from_secs(1);

/// Stands for a peer that did not fail last time.
const UP: u64 = u64::MAX;

/// The circuit breaker of one peer, shared by all loops.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// When it may be tried again, in milliseconds.
    retry_at: AtomicU64,
    /// How long a try may take: until then there is no second one.
    trial: Duration,
}

impl Breaker {
    pub(crate) const fn new(trial: Duration) -> Self {
        Self { retry_at: AtomicU64::new(UP), trial }
    }

    /// The breaker of the same peer, with what the old one knows of it.
    pub(crate) fn follow(self, before: &Self) -> Self {
        self.retry_at.store(before.retry_at.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }

    /// Whether to send it a request now.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let after_trial = now.after(self.trial.max(COOLDOWN)).as_millis();
        match self.retry_at.load(Ordering::Relaxed) {
            UP => true,
            retry_at if now.as_millis() < retry_at => false,
            // Of all who see that the time has come, one goes.
            retry_at => self
                .retry_at
                .compare_exchange(retry_at, after_trial, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok(),
        }
    }

    /// Whether it failed last time.
    pub(crate) fn is_open(&self) -> bool {
        self.retry_at.load(Ordering::Relaxed) != UP
    }

    /// Takes note of how a request to it went. Says whether that is news.
    pub(crate) fn record(&self, is_up: bool, now: Instant) -> bool {
        let after = if is_up { UP } else { now.after(COOLDOWN).as_millis() };
        let before = self.retry_at.swap(after, Ordering::Relaxed);
        (before == UP) != is_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_failed_is_tried_by_one_after_the_cooldown() {
        let breaker = Breaker::new(Duration::from_secs(3));
        let at = Instant::from_millis;
        assert!(breaker.admits(at(0)));
        assert!(breaker.record(false, at(10)), "the first failure is news");
        assert!(breaker.is_open() && !breaker.admits(at(1_009)));
        assert!(breaker.admits(at(1_010)), "one may try");
        assert!(!breaker.admits(at(4_009)), "and no second one while that may take");
        assert!(!breaker.record(false, at(1_020)), "that it failed is known");
        let breaker = Breaker::new(Duration::from_secs(1)).follow(&breaker);
        assert!(!breaker.admits(at(2_019)), "to the one that follows too");
        assert!(breaker.admits(at(2_020)));
        assert!(breaker.record(true, at(2_030)), "that it is back is news");
        assert!(!breaker.is_open() && breaker.admits(at(2_031)));
    }
}
