//! How long a connection may take for what it is at, and what comes of it if it takes longer.

use std::time::Duration;

use gocache_core::{Instant, Status};

use super::Conn;
use crate::{answer::Answer, phase::Phase, turn::Turn};

/// How long a connection that is over on our side listens on, so that the last answer is not lost
/// to a reset (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(2);

impl Conn {
    /// When the patience with the client ends. While it waits for a load, the load's deadline
    /// counts and none of ours.
    pub(crate) fn deadline(&self, turn: &Turn<'_>) -> Option<Instant> {
        let deadlines = &turn.config.deadlines;
        let (since, patience) = match self.phase {
            _ if self.has_output() => (self.moved, deadlines.write),
            Phase::Lingering => (self.since, LINGER),
            Phase::Body(_) => (self.since, deadlines.body),
            Phase::Idle if self.owed.is_empty() => (self.since, deadlines.idle),
            Phase::Head if self.owed.is_empty() => (self.since, deadlines.head),
            Phase::Idle | Phase::Head | Phase::Queued | Phase::Closed => return None,
        };
        // The clock counts whole milliseconds, and `since` lay somewhere inside one.
        Some(since.after(patience.saturating_add(Duration::from_millis(1))))
    }

    /// The deadline has passed. Says whether the connection is to be dropped at once.
    pub(crate) fn expire(&mut self, turn: &Turn<'_>) -> bool {
        if self.has_output() || self.is_idle() || matches!(self.phase, Phase::Lingering) {
            return true;
        }
        let text = "the request did not arrive in time";
        self.close_with(Answer::line(Status::RequestTimeout, text), false, turn);
        false
    }
}
