//! `List`: an order of entries, doubly linked through the slots of a table.

use core::mem;

use crate::{
    entry::{Memory, Value, prefetch},
    segment::{Links, NONE},
    table::Table,
    width::IS_NARROW,
};

/// The ends of a list and its length. A slot stands in one list at a time.
#[derive(Clone, Copy)]
pub(crate) struct List {
    newest: u32,
    oldest: u32,
    len: u32,
}

impl List {
    pub(crate) const fn new() -> Self {
        Self { newest: NONE, oldest: NONE, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// The slot that was pushed longest ago.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The numbers it keeps, to be brought up to date.
    pub(crate) fn ends(&mut self) -> [&mut u32; 2] {
        [&mut self.newest, &mut self.oldest]
    }

    /// Links a slot in as the newest. It must stand in no list.
    pub(crate) fn push<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        let older = self.newest;
        let Some(links) = table.links_mut(slot) else { return };
        *links = Links { newer: NONE, older };
        match table.links_mut(older) {
            Some(neighbour) => neighbour.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
        self.len += 1;
    }

    /// Takes out a slot that stands in this list.
    pub(crate) fn unlink<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        let Some(&Links { newer, older }) = table.links(slot) else { return };
        match table.links_mut(newer) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
        match table.links_mut(older) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
        self.len -= 1;
    }

    /// Has at hand what [`List::renew`] will change beside the slot itself.
    pub(crate) fn prefetch<A: Memory>(table: &Table<A>, slot: u32) {
        if IS_NARROW {
            return;
        }
        let Some(&Links { newer, older }) = table.links(slot) else { return };
        table.links(newer).into_iter().chain(table.links(older)).for_each(prefetch);
    }

    /// Has at hand the oldest entry, which goes next, and what leads to the one after it.
    pub(crate) fn foresee<A: Memory>(&self, table: &Table<A>) {
        table.entry(self.oldest).into_iter().for_each(Value::prefetch);
        let next = table.links(self.oldest).map_or(NONE, |links| links.newer);
        table.prefetch(next);
    }

    /// Makes a slot that stands in this list its newest.
    pub(crate) fn renew<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        if self.newest == slot {
            return;
        }
        let newest = self.newest;
        let Some(links) = table.links_mut(slot) else { return };
        let Links { newer, older } = mem::replace(links, Links { newer: NONE, older: newest });
        // It is not the newest, so that it has a newer neighbour.
        table.links_mut(newer).into_iter().for_each(|neighbour| neighbour.older = older);
        match table.links_mut(older) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
        table.links_mut(newest).into_iter().for_each(|neighbour| neighbour.newer = slot);
        self.newest = slot;
    }

    /// The slots from the newest to the oldest, after a walk in both directions that panics where
    /// they disagree.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn walk<A: Memory>(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        let walk = |from: u32, next: fn(&Links) -> u32| {
            let step = |&at: &u32| table.links(at).map(next);
            core::iter::successors(Some(from), step)
                .take_while(|&at| at != NONE)
                .take(table.len() + 1)
                .collect::<alloc::vec::Vec<_>>()
        };
        let down = walk(self.newest, |links| links.older);
        let mut up = walk(self.oldest, |links| links.newer);
        up.reverse();
        assert_eq!(down, up, "the list reads differently from its two ends");
        assert_eq!(down.len(), self.len(), "the list knows its length");
        down
    }
}
