//! What a connection owes: answers in the order of their requests, some of which wait for a load.

use std::collections::VecDeque;

use gocache_core::{Error, Found};

use crate::{
    answer::{Answer, Form, Pending},
    meter::Tally,
    reserve::fallibly,
};

/// Bytes that may wait for a client: beyond them no more requests are taken up, for who does not read
/// is not served.
pub(crate) const FULL: usize = 64 << 10;

/// The same for bytes that are held for this client alone, as heads and small values are.
pub(crate) const FULL_OWN: usize = 32 << 10;

/// An answer, or what it will be made of.
#[derive(Debug)]
pub(crate) enum Due {
    Ready(Answer),
    Waiting(Pending),
    /// When the write of this number is done.
    Writing(u32),
}

impl Due {
    /// Bytes that are held for it, beyond the value that the cache holds anyway.
    fn weight(&self) -> usize {
        match self {
            Self::Ready(answer) => answer.weight(),
            Self::Waiting(pending) => pending.weight(),
            // What is asked behind a write is asked after it (RFC 9112, 9.3.2).
            Self::Writing(_) => FULL,
        }
    }

    /// Becomes this answer, and corrects the weight of the queue it stands in.
    fn fulfil(&mut self, answer: Answer, total: &mut usize) {
        let ready = Self::Ready(answer);
        *total = *total - self.weight() + ready.weight();
        *self = ready;
    }
}

/// The queue of what is owed. Without a buffer as long as it is empty.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    queue: VecDeque<(Form, Due)>,
    weight: usize,
    /// Bytes of values in it that the cache does not hold as well. They count until all of it is out.
    copies: usize,
}

impl Owed {
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes that are held for all of it.
    pub(crate) fn weight(&self) -> usize {
        self.weight + self.copies
    }

    /// A value that was put into it, if it did not go out at once, is a copy of so many bytes.
    pub(crate) fn count_copy(&mut self, bytes: usize) {
        if !self.queue.is_empty() {
            self.copies += bytes;
        }
    }

    /// Makes room for one more, if there is memory for it. A first one takes little.
    #[inline(always)]
    pub(crate) fn make_room(&mut self) -> bool {
        self.queue.is_empty()
            || self.queue.len() < self.queue.capacity()
            || fallibly(|| self.queue.try_reserve(1).is_ok())
    }

    /// Whether the next one can go out.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.queue.front(), Some((_, Due::Ready(_))))
    }

    pub(crate) fn push(&mut self, form: Form, due: Due) {
        self.weight += due.weight();
        self.queue.push_back((form, due));
    }

    /// Makes an answer of the outcome of a load, if one still waits for it.
    pub(crate) fn settle(&mut self, serial: u32, result: Result<Found, Error>, tally: &Tally) {
        for (_, due) in &mut self.queue {
            if let Due::Waiting(pending) = due
                && pending.serial == serial
            {
                let answer = pending.settle(result, tally);
                return due.fulfil(answer, &mut self.weight);
            }
        }
    }

    /// Puts the answer to a write in its place. Nothing stands behind it.
    pub(crate) fn written(&mut self, serial: u32, answer: Answer) {
        if let Some((_, due)) = self.queue.back_mut()
            && matches!(due, Due::Writing(number) if *number == serial)
        {
            due.fulfil(answer, &mut self.weight);
        }
    }

    /// Takes the next answer, if it is its turn.
    pub(crate) fn pop(&mut self) -> Option<(Form, Answer)> {
        if !self.is_ready() {
            return None;
        }
        let (form, due) = self.queue.pop_front()?;
        self.weight -= due.weight();
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
            self.copies = 0;
        }
        match due {
            Due::Ready(answer) => Some((form, answer)),
            Due::Waiting(_) | Due::Writing(_) => None,
        }
    }
}
