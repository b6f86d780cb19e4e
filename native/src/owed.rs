//! What a connection owes: answers in the order of their requests, some of which wait for a load.

use std::collections::VecDeque;

use gocache_core::{Error, Found};

use crate::answer::{Answer, Form, Pending};

/// An answer, or what it will be made of.
#[derive(Debug)]
pub(crate) enum Due {
    Ready(Answer),
    Waiting(Pending),
}

/// The queue of what is owed. Without a buffer as long as it is empty.
#[derive(Debug, Default)]
pub(crate) struct Owed(VecDeque<(Form, Due)>);

impl Owed {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, form: Form, due: Due) {
        self.0.push_back((form, due));
    }

    /// Makes an answer of the outcome of a load, if one still waits for it.
    pub(crate) fn settle(&mut self, serial: u32, result: Result<Found, Error>) {
        for (_, due) in &mut self.0 {
            if let Due::Waiting(pending) = due
                && pending.serial == serial
            {
                *due = Due::Ready(pending.settle(result));
                return;
            }
        }
    }

    /// Takes the next answer, if it is its turn.
    pub(crate) fn pop(&mut self) -> Option<(Form, Answer)> {
        if !matches!(self.0.front(), Some((_, Due::Ready(_)))) {
            return None;
        }
        let next = self.0.pop_front();
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
        match next {
            Some((form, Due::Ready(answer))) => Some((form, answer)),
            _ => None,
        }
    }
}
