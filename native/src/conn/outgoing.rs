//! What a connection has to send: answers go in, and bytes as the server takes them.

use std::{io::IoSlice, mem};

use gocache_core::Instant;

use super::Conn;
use crate::{
    answer::{Answer, Form},
    http1::Persist,
    output::{MAX_SLICES, Output},
    owed::Due,
    phase::Phase,
    turn::Turn,
};

impl Conn {
    /// Sends an answer, or queues it up behind those that wait.
    #[inline(always)]
    pub(super) fn give(&mut self, form: Form, answer: Answer, turn: &Turn<'_>) {
        if self.owed.is_empty() {
            self.send(form, answer, turn);
        } else {
            self.owed.push(form, Due::Ready(answer));
        }
    }

    /// Moves answers to the output, up to the first that waits.
    pub(super) fn send_ready(&mut self, turn: &Turn<'_>) {
        while self.owed.is_ready() && self.make_room() {
            let Some((form, answer)) = self.owed.pop() else { break };
            self.send(form, answer, turn);
            self.cramped = false;
        }
    }

    /// Whether there are answers that were put off for lack of memory, which there may be now.
    pub(super) fn can_send_on(&self) -> bool {
        !self.cramped && self.owed.is_ready()
    }

    #[inline]
    pub(super) fn send(&mut self, form: Form, answer: Answer, turn: &Turn<'_>) {
        let form = self.begin_answer(form, turn);
        answer.write(&mut self.output, turn, form);
    }

    /// An answer is to be written now. Says in which form.
    #[inline]
    pub(super) fn begin_answer(&mut self, mut form: Form, turn: &Turn<'_>) -> Form {
        if self.output.is_empty() {
            self.moved = turn.clock.now();
        }
        let is_last = self.owed.is_empty() && matches!(self.phase, Phase::Idle | Phase::Head);
        if turn.draining && is_last {
            form.persist = Persist::Close;
            self.phase = Phase::Closed;
        }
        form
    }

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
        self.cramped &= !self.output.is_empty();
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
