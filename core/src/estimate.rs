//! Estimates: what the hit ratio would be with half, twice and four times the budget.
//!
//! Of every 128 keys one is sampled by its hash, and three lists of numbers play least recently
//! used over the sample, with a 128th of those budgets each (spatial sampling: Waldspurger et al.,
//! "Efficient MRC construction with SHARDS", FAST'15). No key and no value is kept, and all memory
//! is taken when the group is made.

use core::mem::size_of;

use allocator_api2::vec::Vec;
use hashbrown::HashTable;
use lock_api::{RawRwLock, RwLock};

use crate::{
    budget::Budget,
    entry::{Memory, OutOfMemory, Value},
    room,
    table::Table,
};

/// One key of so many is sampled, as a power of two.
const SAMPLE_BITS: u32 = 7;
/// A list has a node for each so many bytes of what it stands for. Of smaller entries it remembers
/// fewer than it should, and estimates too low.
const NODE_BYTES: usize = 128;
/// Nodes that are forgotten for a new one at most. After a large entry a list stands for more than its
/// budget, up to twice as much, and takes in no other one until that is made good: a stop while it makes
/// room would be worse.
const FORGETS: usize = 16;
const NONE: u32 = u32::MAX;

/// What another budget would have brought, as far as the sample tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The budget in bytes.
    pub budget: usize,
    /// Sampled requests since the group began.
    pub gets: u64,
    /// Those of them that this budget would have answered from memory.
    pub hits: u64,
}

pub(crate) struct Estimates<R: RawRwLock, A: Memory>(RwLock<R, [Ghosts<A>; 3]>);

impl<R: RawRwLock, A: Memory> Estimates<R, A> {
    /// The estimates of a group with this budget, which is charged with their memory.
    pub(crate) fn new(budget: &Budget, allocator: &A) -> Result<Self, OutOfMemory> {
        let ghosts = |bytes: usize| Ghosts::new(bytes, allocator.clone());
        let (half, double) = (budget.limit() / 2, budget.limit().saturating_mul(2));
        let lists = [ghosts(half)?, ghosts(double)?, ghosts(double.saturating_mul(2))?];
        let estimates = Self(RwLock::new(lists));
        budget.charge(estimates.memory());
        Ok(estimates)
    }

    const fn is_sampled(hash: u64) -> bool {
        (hash >> 16) & ((1 << SAMPLE_BITS) - 1) == 0
    }

    /// Notes that a key was asked for.
    pub(crate) fn asked(&self, hash: u64) {
        if Self::is_sampled(hash) {
            self.0.write().iter_mut().for_each(|ghosts| ghosts.asked(hash));
        }
    }

    /// Notes that an entry was stored.
    pub(crate) fn stored(&self, hash: u64, entry: &Value<A>) {
        if Self::is_sampled(hash) {
            let bytes = entry.memory() + Table::<A>::ENTRY_BYTES;
            self.0.write().iter_mut().for_each(|ghosts| ghosts.stored(hash, bytes));
        }
    }

    pub(crate) fn read(&self) -> [Estimate; 3] {
        let lists = self.0.read();
        [0, 1, 2].map(|at: usize| lists.get(at).map_or_else(Estimate::default, |it| it.estimate))
    }

    pub(crate) fn memory(&self) -> usize {
        self.0.read().iter().map(Ghosts::memory).sum()
    }
}

#[derive(Clone, Copy)]
struct Node {
    mark: u32,
    bytes: u32,
    newer: u32,
    older: u32,
}

/// A list of entries that are not there.
struct Ghosts<A: Memory> {
    estimate: Estimate,
    /// Bytes of the entries it stands for, and how many they may be.
    bytes: usize,
    room: usize,
    nodes: Vec<Node, A>,
    free: u32,
    newest: u32,
    oldest: u32,
    index: HashTable<u32, A>,
}

impl<A: Memory> Ghosts<A> {
    fn new(budget: usize, allocator: A) -> Result<Self, OutOfMemory> {
        let room = budget >> SAMPLE_BITS;
        let count = (room / NODE_BYTES).clamp(1, 1 << 24);
        let nodes = room::empty(count, allocator.clone())?;
        let mut index = HashTable::new_in(allocator);
        // Twice as many as there are nodes: so a table full of traces is cleaned in its place.
        index.try_reserve(2 * count, |_| 0).map_err(|_| OutOfMemory)?;
        let estimate = Estimate { budget, gets: 0, hits: 0 };
        let [free, newest, oldest] = [NONE; 3];
        Ok(Self { estimate, bytes: 0, room, nodes, free, newest, oldest, index })
    }

    fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.index.allocation_size()
    }

    fn asked(&mut self, hash: u64) {
        self.estimate.gets += 1;
        let mark = mark(hash);
        if let Some(node) = self.find(mark) {
            self.estimate.hits += 1;
            self.unlink(node);
            self.link(node);
        }
    }

    fn stored(&mut self, hash: u64, bytes: usize) {
        let mark = mark(hash);
        if let Some(node) = self.find(mark) {
            self.forget(node);
        }
        let Some(size) = u32::try_from(bytes).ok().filter(|_| bytes <= self.room) else { return };
        for _ in 0..FORGETS {
            if self.bytes + bytes <= self.room && !self.is_full() {
                break;
            }
            self.forget(self.oldest);
        }
        if self.bytes > self.room {
            return;
        }
        let node = Node { mark, bytes: size, newer: NONE, older: NONE };
        let at = self.free;
        let at = match self.nodes.get_mut(at as usize) {
            Some(place) => {
                self.free = place.older;
                *place = node;
                at
            }
            None => {
                room::place(&mut self.nodes, node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.bytes += bytes;
        let Self { nodes, index, .. } = self;
        let hash_of = |&at: &u32| nodes.get(at as usize).map_or(0, |node| spread(node.mark));
        index.insert_unique(spread(mark), at, hash_of);
        self.link(at);
    }

    fn is_full(&self) -> bool {
        self.free == NONE && self.nodes.len() == self.nodes.capacity()
    }

    fn find(&self, mark: u32) -> Option<u32> {
        let is_it = |&at: &u32| self.nodes.get(at as usize).is_some_and(|node| node.mark == mark);
        self.index.find(spread(mark), is_it).copied()
    }

    fn forget(&mut self, at: u32) {
        self.unlink(at);
        let Some(node) = self.nodes.get_mut(at as usize) else { return };
        self.bytes -= node.bytes as usize;
        node.older = self.free;
        let mark = node.mark;
        self.free = at;
        if let Ok(found) = self.index.find_entry(spread(mark), |&other| other == at) {
            found.remove();
        }
    }

    fn link(&mut self, at: u32) {
        let older = self.newest;
        if let Some(node) = self.nodes.get_mut(at as usize) {
            (node.newer, node.older) = (NONE, older);
        }
        match self.nodes.get_mut(older as usize) {
            Some(neighbour) => neighbour.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    fn unlink(&mut self, at: u32) {
        let Some(&Node { newer, older, .. }) = self.nodes.get(at as usize) else { return };
        match self.nodes.get_mut(newer as usize) {
            Some(neighbour) => neighbour.older = older,
            None => self.newest = older,
        }
        match self.nodes.get_mut(older as usize) {
            Some(neighbour) => neighbour.newer = newer,
            None => self.oldest = newer,
        }
    }
}

/// Bits of a hash to know a key by.
const fn mark(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A mark as a hash of the index, which takes its first and its last bits.
const fn spread(mark: u32) -> u64 {
    (mark as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use allocator_api2::alloc::Global;

    /// Under the lock of a shard, it must not take long.
    #[test]
    fn a_large_entry_pushes_few_out_at_a_time() {
        let mut ghosts = Ghosts::new(1 << 30, Global).expect("memory");
        let mut stored = 0;
        let mut store = |ghosts: &mut Ghosts<Global>, bytes| {
            stored += 1;
            ghosts.stored(spread(stored), bytes);
        };
        (0..60_000).for_each(|_| store(&mut ghosts, 130));
        let (before, half) = (ghosts.index.len(), ghosts.room / 2);
        store(&mut ghosts, half);
        assert!(before - ghosts.index.len() < 20, "{} went", before - ghosts.index.len());
        (0..10_000).for_each(|_| store(&mut ghosts, 130));
        assert!(ghosts.bytes <= ghosts.room, "by and by it has its room");
        assert!((20_000..40_000).contains(&ghosts.index.len()));
    }
}
