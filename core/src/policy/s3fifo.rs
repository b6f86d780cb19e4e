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

use core::mem::{self, size_of};

use allocator_api2::vec::Vec;

use super::Policy;
use crate::{
    entry::{Memory, OutOfMemory, prefetch},
    list::List,
    room,
    seed::Seed,
    segment::share,
    table::Table,
};

/// Entries that one eviction looks at. The next one then goes whatever its uses are: a run of used
/// entries must not make an insert wait.
const SCAN: u32 = 32;

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

/// Fingerprints of evicted entries, the newest first; 0 is none. One cache line.
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
#[derive(Clone, Copy)]
struct Ghosts([u32; WAYS]);

const WAYS: usize = 16;

/// Bits of a hash, whatever they are; never 0.
const fn fingerprint(hash: u64) -> u32 {
    (hash >> 16) as u32 | 1
}

impl Ghosts {
    /// Remembers a hash, and forgets the oldest one.
    fn remember(&mut self, mark: u32) {
        self.0.iter_mut().fold(mark, |newer, place| mem::replace(place, newer));
    }

    /// Says whether a hash is remembered, and forgets it.
    fn recall(&mut self, mark: u32) -> bool {
        let found = self.0.iter().position(|&other| other == mark);
        found.and_then(|at| self.0.get_mut(at)).map(|mark| *mark = 0).is_some()
    }
}

/// Entries go that were used seldom; those used once are out soonest.
pub struct S3Fifo<A: Memory = allocator_api2::alloc::Global> {
    small: Queue,
    main: Queue,
    /// For each segment of the table, as many as the main queue has entries there.
    ghosts: Vec<Vec<Ghosts, A>, A>,
}

impl<A: Memory> S3Fifo<A> {
    /// Whether the next one to go is of the small queue: it keeps a tenth.
    fn small_is_over(&self) -> bool {
        let all = self.small.bytes + self.main.bytes;
        self.main.order.len() == 0 || self.small.bytes >= all / 10 && self.small.order.len() > 0
    }

    /// Where a hash would be remembered: the segment, and which of its lines.
    fn place(&self, hash: u64, table: &Table<A>) -> Option<(usize, usize)> {
        let segment = table.segment_of(hash);
        // By other bits than those that have chosen the shard: else a shard uses few of its lines.
        Some((segment, share(hash, self.ghosts.get(segment)?.len())))
    }

    fn ghosts(&mut self, hash: u64, table: &Table<A>) -> Option<&mut Ghosts> {
        let (segment, line) = self.place(hash, table)?;
        self.ghosts.get_mut(segment)?.get_mut(line)
    }

    /// Lines for a segment with room for so many entries. It is two thirds full on average; the
    /// main queue has nine in ten of that.
    const fn lines(capacity: usize) -> usize {
        (capacity * 6 / 10).div_ceil(WAYS)
    }
}

impl<A: Memory> Policy<A> for S3Fifo<A> {
    fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory> {
        let none = |_| Vec::new_in(allocator.clone());
        let ghosts = room::filled(segments, allocator.clone(), none)?;
        Ok(Self { small: Queue::EMPTY, main: Queue::EMPTY, ghosts })
    }

    /// The use that the entry itself counts is all there is to note.
    fn note(&self, _: &Table<A>, _: u32) -> bool {
        true
    }

    fn touch(&mut self, _: &mut Table<A>, _: u32) {}

    fn settle(&mut self, _: &mut Table<A>) {}

    fn admit(&mut self, table: &mut Table<A>, slot: u32, hash: u64) {
        let ghosts = self.ghosts(hash, table);
        if ghosts.is_some_and(|ghosts| ghosts.recall(fingerprint(hash))) {
            table.entry(slot).into_iter().for_each(|entry| entry.promote());
            self.main.push(table, slot);
        } else {
            self.small.push(table, slot);
        }
    }

    fn remove(&mut self, table: &mut Table<A>, slot: u32) {
        let is_main = table.entry(slot).is_some_and(|entry| entry.is_promoted());
        if is_main { &mut self.main } else { &mut self.small }.remove(table, slot);
    }

    fn evict(&mut self, table: &mut Table<A>, seed: &Seed) -> Option<u32> {
        for step in 0..=SCAN {
            if self.small_is_over() {
                let slot = self.small.order.oldest()?;
                let entry = table.entry(slot)?;
                if entry.uses() == 0 || step == SCAN {
                    let hash = seed.hash(entry.key());
                    self.small.remove(table, slot);
                    let ghosts = self.ghosts(hash, table);
                    ghosts.into_iter().for_each(|ghosts| ghosts.remember(fingerprint(hash)));
                    return Some(slot);
                }
                entry.promote();
                self.small.remove(table, slot);
                self.main.push(table, slot);
            } else {
                let slot = self.main.order.oldest()?;
                let entry = table.entry(slot)?;
                if entry.uses() == 0 || step == SCAN {
                    self.main.remove(table, slot);
                    return Some(slot);
                }
                entry.discount_use();
                self.main.order.renew(table, slot);
            }
        }
        None
    }

    fn foresee(&self, table: &Table<A>, hash: u64) {
        let place = self.place(hash, table);
        let line = place.and_then(|(segment, line)| self.ghosts.get(segment)?.get(line));
        line.into_iter().for_each(prefetch);
        if self.small_is_over() { &self.small } else { &self.main }.order.foresee(table);
    }

    fn growth(&self, segment: usize, capacity: usize) -> usize {
        let now = self.ghosts.get(segment).map_or(0, |lines| lines.len());
        let next = Self::lines(capacity);
        if next > now { next * size_of::<Ghosts>() } else { 0 }
    }

    fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory> {
        let next = Self::lines(capacity);
        let lines = self.ghosts.get_mut(segment).filter(|lines| lines.len() < next);
        let Some(old) = lines else { return Ok(0) };
        let mut new = room::filled(next, old.allocator().clone(), |_| Ghosts([0; WAYS]))?;
        // A hash keeps its place among the lines. Of those that were one line, all find what that
        // one remembered.
        for (at, line) in new.iter_mut().enumerate() {
            let from = (at * old.len()).checked_div(next).and_then(|from| old.get(from));
            from.into_iter().for_each(|from| *line = *from);
        }
        let freed = old.capacity() * size_of::<Ghosts>();
        *old = new;
        Ok(freed)
    }

    fn lists(&mut self, show: &mut dyn FnMut(&mut List)) {
        show(&mut self.small.order);
        show(&mut self.main.order);
    }

    fn shrink(&mut self, segment: usize) -> usize {
        let Some(lines) = self.ghosts.get_mut(segment) else { return 0 };
        let freed = lines.capacity() * size_of::<Ghosts>();
        *lines = Vec::new_in(lines.allocator().clone());
        freed
    }

    fn memory(&self) -> usize {
        let lines = self.ghosts.iter().map(|lines| lines.capacity() * size_of::<Ghosts>());
        lines.sum::<usize>() + self.ghosts.capacity() * size_of::<Vec<Ghosts, A>>()
    }

    #[cfg(any(test, feature = "check"))]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
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
