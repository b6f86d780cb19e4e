//! What a connection has to send, as the server takes it.

use std::{io::IoSlice, mem};

use gocache_core::Instant;

use super::Conn;
use crate::{
    output::{MAX_SLICES, Output},
    phase::Phase,
};

impl Conn {
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Bytes that are to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.output.len()
    }

    /// The next bytes to send that stand in one piece, and whether they are all.
    pub(crate) fn front(&self) -> (&[u8], bool) {
        let front = self.output.front();
        (front, front.len() == self.output.len())
    }

    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        self.output.slices(slices)
    }

    /// Takes note that bytes were sent.
    pub(crate) fn sent(&mut self, count: usize, now: Instant) {
        self.output.advance(count);
        self.moved = now;
        // To be idle is to have been idle since the last answer was out.
        if matches!(self.phase, Phase::Idle) {
            self.since = now;
        }
    }

    /// Lends the connection a buffer to write to, if it has none in use. An idle connection holds
    /// none, and an answer needs no allocation.
    pub(crate) fn lend(&mut self, spare: &mut Output) {
        if self.output.is_empty() {
            mem::swap(&mut self.output, spare);
        }
    }

    /// Takes the buffer back, if all of it is sent.
    pub(crate) fn reclaim(&mut self, spare: &mut Output) {
        if self.output.is_empty() {
            *spare = mem::take(&mut self.output);
            spare.shrink();
        }
    }
}
