//! `Queues`: the small and the main queue of S3-FIFO (see `s3fifo.rs`).

use super::ghosts::Ghosts;
use crate::{entry::Memory, list::List, seed::Seed, table::Table};

/// Entries that one eviction looks at. The last one goes whatever its uses are: a run of used entries
/// must not make an insert wait.
pub(super) const LOOKS: u32 = 33;

/// A queue and the bytes of its entries.
struct Queue {
    order: List,
    bytes: usize,
}

impl Queue {
    const EMPTY: Self = Self { order: List::new(), bytes: 0 };

    fn push<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        self.bytes += table.entry(slot).map_or(0, |entry| entry.memory());
        self.order.push(table, slot);
    }

    fn remove<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        self.bytes -= table.entry(slot).map_or(0, |entry| entry.memory());
        self.order.unlink(table, slot);
    }
}

/// What came of a look at the entry whose turn it is.
pub(super) enum Look {
    Stays,
    /// It is let go of.
    Goes {
        slot: u32,
        is_small: bool,
    },
}

/// Looks at entries until one goes, and remembers it where it was of a small queue.
pub(super) fn evict<A: Memory>(
    table: &mut Table<A>,
    seed: &Seed,
    ghosts: &mut Ghosts<A>,
    mut look: impl FnMut(&mut Table<A>, bool) -> Option<Look>,
) -> Option<u32> {
    for left in (0..LOOKS).rev() {
        let Look::Goes { slot, is_small } = look(table, left == 0)? else { continue };
        if is_small {
            let hash = seed.hash(table.entry(slot)?.key());
            ghosts.remember(hash, table);
        }
        return Some(slot);
    }
    None
}

/// Entries in the small or in the main queue, as their meter says.
pub(super) struct Queues {
    small: Queue,
    main: Queue,
}

impl Queues {
    pub(super) const EMPTY: Self = Self { small: Queue::EMPTY, main: Queue::EMPTY };

    #[cfg(feature = "size-aware")]
    pub(super) const fn len(&self) -> usize {
        self.small.order.len() + self.main.order.len()
    }

    /// Bytes of the entries.
    #[cfg(feature = "size-aware")]
    pub(super) const fn bytes(&self) -> usize {
        self.small.bytes + self.main.bytes
    }

    /// Whether the next one to go is of the small queue: it keeps a tenth of all, a ninth of the rest.
    const fn small_is_over(&self) -> bool {
        self.small.order.len() > 0 && self.small.bytes >= self.main.bytes / 9
    }

    /// Takes in a new entry; into the main queue at once, where it is known from before.
    pub(super) fn admit<A: Memory>(&mut self, table: &mut Table<A>, slot: u32, is_known: bool) {
        if is_known {
            table.entry(slot).into_iter().for_each(|entry| entry.promote(0));
        }
        if is_known { &mut self.main } else { &mut self.small }.push(table, slot);
    }

    pub(super) fn remove<A: Memory>(&mut self, table: &mut Table<A>, slot: u32) {
        let is_main = table.entry(slot).is_some_and(|entry| entry.is_promoted());
        if is_main { &mut self.main } else { &mut self.small }.remove(table, slot);
    }

    /// Looks at the entry whose turn it is. None are left where there is none.
    pub(super) fn look<A: Memory>(&mut self, table: &mut Table<A>, is_last: bool) -> Option<Look> {
        let is_small = self.small_is_over();
        let queue = if is_small { &mut self.small } else { &mut self.main };
        let slot = queue.order.oldest()?;
        let entry = table.entry(slot)?;
        let uses = entry.uses();
        if uses > 0 && !is_last {
            entry.promote(if is_small { 0 } else { uses - 1 });
            queue.remove(table, slot);
            self.main.push(table, slot);
            return Some(Look::Stays);
        }
        queue.remove(table, slot);
        Some(Look::Goes { slot, is_small })
    }

    /// Has at hand what the next look needs.
    pub(super) fn foresee<A: Memory>(&self, table: &Table<A>) {
        if self.small_is_over() { &self.small } else { &self.main }.order.foresee(table);
    }

    pub(super) fn lists(&mut self) -> [&mut List; 2] {
        [&mut self.small.order, &mut self.main.order]
    }

    /// The slots, after a recount.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check<A: Memory>(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        let mut all = alloc::vec::Vec::new();
        for (queue, is_main) in [(&self.small, false), (&self.main, true)] {
            let slots = queue.order.walk(table);
            let entries = slots.iter().filter_map(|&slot| table.entry(slot));
            assert_eq!(entries.clone().map(|entry| entry.memory()).sum::<usize>(), queue.bytes);
            assert!(entries.clone().all(|entry| entry.is_promoted() == is_main));
            all.extend(slots);
        }
        all
    }
}
