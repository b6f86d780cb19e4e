//! Exact least-recently-used order: a doubly linked list whose links are indices into one slab.

use alloc::{collections::TryReserveError, vec::Vec};
use core::mem::size_of;

/// Stands for "no slot". A slab of 2^32 - 1 slots would need hundreds of gigabytes of entries.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    newer: u32,
    older: u32,
}

/// The order in which the slots of a cache were last used. Slots are named by their index in the
/// cache's own slab; the two slabs have the same length.
pub(crate) struct Lru {
    links: Vec<Link>,
    newest: u32,
    oldest: u32,
}

impl Lru {
    /// Bytes that one more slot adds.
    pub(crate) const SLOT: usize = size_of::<Link>();

    pub(crate) const fn new() -> Self {
        Self { links: Vec::new(), newest: NONE, oldest: NONE }
    }

    /// Makes room for slots up to `capacity`, and for no more than that.
    pub(crate) fn try_reserve(&mut self, capacity: usize) -> Result<(), TryReserveError> {
        self.links.try_reserve_exact(capacity - self.links.len())
    }

    /// Bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.links.capacity() * Self::SLOT
    }

    /// The slot whose last use lies furthest back.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Takes in a slot as the newest. It must not be in the order yet.
    pub(crate) fn insert(&mut self, slot: u32) {
        let link = Link { newer: NONE, older: self.newest };
        match self.links.get_mut(slot as usize) {
            Some(place) => *place = link,
            None => self.links.push(link),
        }
        match self.newest {
            NONE => self.oldest = slot,
            newest => self.links[newest as usize].newer = slot,
        }
        self.newest = slot;
    }

    /// Takes a slot out of the order.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Link { newer, older } = self.links[slot as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
    }

    /// Makes a slot the newest.
    pub(crate) fn touch(&mut self, slot: u32) {
        if slot != self.newest {
            self.remove(slot);
            self.insert(slot);
        }
    }

    /// The slots from the newest to the oldest, after a walk in both directions that panics where
    /// they disagree.
    #[cfg(test)]
    pub(crate) fn check(&self) -> Vec<u32> {
        let walk = |from: u32, next: fn(&Link) -> u32| {
            let slot = |slot: u32| (slot != NONE).then_some(slot);
            let steps =
                core::iter::successors(slot(from), |&at| slot(next(&self.links[at as usize])));
            steps.take(self.links.len() + 1).collect::<Vec<_>>()
        };
        let down = walk(self.newest, |link| link.older);
        let mut up = walk(self.oldest, |link| link.newer);
        up.reverse();
        assert_eq!(down, up, "the order reads differently from its two ends");
        down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_one_not_touched_for_longest() {
        let mut lru = Lru::new();
        for slot in 0..4 {
            lru.insert(slot);
        }
        lru.touch(0);
        lru.touch(2);
        assert_eq!(lru.check(), [2, 0, 3, 1]);
        assert_eq!(lru.oldest(), Some(1));
    }

    #[test]
    fn slots_leave_from_both_ends_and_the_middle() {
        let mut lru = Lru::new();
        for slot in 0..5 {
            lru.insert(slot);
        }
        for (gone, left) in
            [(2, &[4, 3, 1, 0][..]), (4, &[3, 1, 0]), (0, &[3, 1]), (1, &[3]), (3, &[])]
        {
            lru.remove(gone);
            assert_eq!(lru.check(), left);
        }
        assert_eq!(lru.oldest(), None);
        lru.insert(2);
        assert_eq!(lru.check(), [2]);
    }
}
