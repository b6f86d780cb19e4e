//! S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP'23): three queues,
//! first in first out.
//!
//! A new entry enters the *small* queue, a tenth of the cache. At its end, an entry that was used
//! goes on to the *main* queue, where its uses are counted anew; any other is evicted, and the
//! *ghost* queue keeps a fingerprint of its hash. Whose fingerprint is there when it comes again
//! enters the main queue at once. At the end of the main queue, a used entry goes round again with
//! one use less. A hit counts a use in the entry, up to three, and moves nothing.
//!
//! The paper asks for two uses before an entry goes on. One finds more over most of the traces that
//! `core/benches` were run with, and stays closer to LRU where that is best.

use super::{
    Policy,
    ghosts::Ghosts,
    queues::{Queues, evict},
};
use crate::{
    entry::{Memory, OutOfMemory},
    list::List,
    seed::Seed,
    table::Table,
};

/// Entries go that were used seldom; those used once are out soonest.
pub struct S3Fifo<A: Memory = allocator_api2::alloc::Global> {
    queues: Queues,
    ghosts: Ghosts<A>,
}

impl<A: Memory> Policy<A> for S3Fifo<A> {
    fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory> {
        Ok(Self { queues: Queues::EMPTY, ghosts: Ghosts::new(segments, allocator)? })
    }

    /// The use that the entry itself counts is all there is to note.
    fn note(&self, _: u32) -> bool {
        true
    }

    fn touch(&mut self, _: &mut Table<A>, _: u32) {}

    fn settle(&mut self, _: &mut Table<A>) {}

    fn admit(&mut self, table: &mut Table<A>, slot: u32, hash: u64) {
        let is_known = self.ghosts.recall(hash, table);
        self.queues.admit(table, slot, is_known);
    }

    fn remove(&mut self, table: &mut Table<A>, slot: u32) {
        self.queues.remove(table, slot);
    }

    fn evict(&mut self, table: &mut Table<A>, seed: &Seed) -> Option<u32> {
        let Self { queues, ghosts } = self;
        evict(table, seed, ghosts, |table, is_last| queues.look(table, is_last))
    }

    fn foresee(&self, table: &Table<A>, hash: u64) {
        self.ghosts.prefetch(hash, table);
        self.queues.foresee(table);
    }

    fn growth(&self, segment: usize, capacity: usize) -> usize {
        self.ghosts.growth(segment, capacity)
    }

    fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory> {
        self.ghosts.grow(segment, capacity)
    }

    fn shrink(&mut self, segment: usize) -> usize {
        self.ghosts.shrink(segment)
    }

    fn memory(&self) -> usize {
        self.ghosts.memory()
    }

    fn lists(&mut self, show: &mut dyn FnMut(&mut List)) {
        self.queues.lists().into_iter().for_each(show);
    }

    #[cfg(any(test, feature = "check"))]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        self.queues.check(table)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::queues::LOOKS, *};
    use crate::{Cache, Instant};
    use std::vec::Vec;

    /// All were used as often as is counted: the queue might go round three times for one insert.
    #[test]
    fn one_insert_looks_at_few_entries_however_often_they_were_used() {
        const NOW: Instant = Instant::ZERO;
        let mut cache: Cache<S3Fifo> = Cache::new(64 << 10, Seed::new(7)).expect("memory");
        let mut number = 0_u32;
        let mut used = Vec::new();
        while cache.lent() == 0 {
            cache.insert(&number.to_le_bytes(), &[7; 100], NOW).expect("it fits");
            (0..3).for_each(|_| drop(cache.get(&number.to_le_bytes(), NOW)));
            used.extend(cache.get(&number.to_le_bytes(), NOW));
            number += 1;
        }
        let evicted = cache.lent() / used.first().map_or(1, |value| value.memory());
        let discounted = used.iter().filter(|value| value.uses() < 3).count();
        assert!(used.len() > 300 && evicted < 10, "{evicted} of {} went", used.len());
        assert!(discounted <= evicted * LOOKS as usize, "{discounted} of {}", used.len());
        cache.check();
    }
}
