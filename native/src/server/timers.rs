//! Deadlines of connections: a heap in which each has few entries, however often its deadline moves.
//!
//! A deadline that moves back, as the one of an idle connection does with every request, costs
//! nothing: its old entry comes up, is found too early, and is put in again.

use std::{cmp::Reverse, collections::BinaryHeap};

use gocache_core::Instant;

/// What a timer is for: a token of the loop, and the number of who had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) token: usize,
    pub(super) number: u64,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Instant, Owner)>>);

/// The earliest entry that somebody has among the timers.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Instant>);

impl Timers {
    /// Sees to it that `owner` comes up at `deadline` or before.
    pub(super) fn set(&mut self, timer: &mut Timer, deadline: Instant, owner: Owner) {
        if timer.0.is_none_or(|earliest| deadline < earliest) {
            timer.0 = Some(deadline);
            self.0.push(Reverse((deadline, owner)));
        }
    }

    /// Makes room for so many timers in all, if there is memory for them.
    pub(super) fn make_room(&mut self, timers: usize) -> bool {
        self.0.try_reserve(timers.saturating_sub(self.0.len())).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Clears away what belongs to nobody.
    pub(super) fn retain(&mut self, is_alive: impl Fn(Owner) -> bool) {
        self.0.retain(|Reverse((_, owner))| is_alive(*owner));
        self.0.shrink_to(2 * self.0.len());
    }

    /// When the next one comes up.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Takes out one that has come up.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, Owner)> {
        self.next().filter(|&deadline| deadline <= now)?;
        self.0.pop().map(|Reverse(entry)| entry)
    }
}

impl Timer {
    /// Takes note that an entry came up. Says whether it was the earliest; if not, it is an old one.
    pub(super) fn came_up(&mut self, deadline: Instant) -> bool {
        let is_earliest = self.0 == Some(deadline);
        if is_earliest {
            self.0 = None;
        }
        is_earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_moves_back_adds_no_entry() {
        let (mut timers, mut timer) = (Timers::default(), Timer::default());
        let owner = Owner { token: 1, number: 1 };
        let at = Instant::from_millis;
        for deadline in [50, 60, 70, 20, 80] {
            timers.set(&mut timer, at(deadline), owner);
        }
        assert_eq!(timers.0.len(), 2);
        assert_eq!(timers.pop(at(19)), None);
        assert_eq!(timers.pop(at(20)), Some((at(20), owner)));
        assert!(timer.came_up(at(20)));
        timers.set(&mut timer, at(80), owner);
        assert_eq!(timers.pop(at(99)), Some((at(50), owner)));
        assert!(!timer.came_up(at(50)), "an entry from before");
        assert_eq!(timers.pop(at(99)), Some((at(80), owner)));
        assert!(timer.came_up(at(80)));
    }

    #[test]
    fn what_belongs_to_nobody_is_cleared_away() {
        let mut timers = Timers::default();
        for number in 0..100 {
            let deadline = Instant::from_millis(number);
            timers.set(&mut Timer::default(), deadline, Owner { token: 0, number });
        }
        timers.retain(|owner| owner.number == 7);
        assert_eq!((timers.len(), timers.next()), (1, Some(Instant::from_millis(7))));
    }
}
