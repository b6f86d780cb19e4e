//! The other nodes: how each is reached, and whether it is worth trying.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use gocache_core::{Instant, PeerId};

/// How long a peer that failed is left alone. Then one request tries it, and the others go on to
/// the origin until that one has come back.
const COOLDOWN: Duration = Duration::from_secs(1);

/// Stands for a peer that did not fail last time.
const UP: u64 = u64::MAX;

/// A circuit breaker for each node of the cluster, shared by all loops.
#[derive(Debug)]
pub(crate) struct Breakers {
    /// For each node when it may be tried again, in milliseconds.
    retry_at: Box<[AtomicU64]>,
    /// How long a try may take: until then there is no second one.
    trial: Duration,
}

impl Breakers {
    pub(crate) fn new(nodes: usize, trial: Duration) -> Self {
        Self { retry_at: (0..nodes).map(|_| AtomicU64::new(UP)).collect(), trial }
    }

    /// Whether to send a request to a peer now.
    pub(crate) fn admits(&self, peer: PeerId, now: Instant) -> bool {
        let breaker = &self.retry_at[usize::from(peer.0)];
        let after_trial = now.after(self.trial.max(COOLDOWN)).as_millis();
        match breaker.load(Ordering::Relaxed) {
            UP => true,
            retry_at if now.as_millis() < retry_at => false,
            // Of all who see that the time has come, one goes.
            retry_at => breaker
                .compare_exchange(retry_at, after_trial, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok(),
        }
    }

    /// Takes note of how a request to a peer went. Says whether that is news.
    pub(crate) fn record(&self, peer: PeerId, is_up: bool, now: Instant) -> bool {
        let after = if is_up { UP } else { now.after(COOLDOWN).as_millis() };
        let before = self.retry_at[usize::from(peer.0)].swap(after, Ordering::Relaxed);
        (before == UP) != is_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_failed_is_tried_by_one_after_the_cooldown() {
        let breakers = Breakers::new(2, Duration::from_secs(3));
        let peer = PeerId(1);
        let at = Instant::from_millis;
        assert!(breakers.admits(peer, at(0)));
        assert!(breakers.record(peer, false, at(10)), "the first failure is news");
        assert!(!breakers.admits(peer, at(1_009)));
        assert!(breakers.admits(PeerId(0), at(1_009)), "the others are not concerned");
        assert!(breakers.admits(peer, at(1_010)), "one may try");
        assert!(!breakers.admits(peer, at(4_009)), "and no second one while that may take");
        assert!(!breakers.record(peer, false, at(1_020)), "that it failed is known");
        assert!(breakers.admits(peer, at(2_020)));
        assert!(breakers.record(peer, true, at(2_030)), "that it is back is news");
        assert!(breakers.admits(peer, at(2_031)));
    }
}
