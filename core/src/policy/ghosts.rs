//! `Ghosts`: what a policy remembers of entries that it has evicted.

use core::mem::{self, size_of};

use allocator_api2::vec::Vec;

use crate::{
    entry::{Memory, OutOfMemory, prefetch},
    room,
    segment::share,
    table::Table,
};

/// Fingerprints of evicted entries, the newest first; 0 is none. One cache line.
#[cfg_attr(target_pointer_width = "64", repr(align(64)))]
#[derive(Clone, Copy)]
struct Line([u32; WAYS]);

const WAYS: usize = 16;

/// Bits of a hash, whatever they are; never 0.
const fn fingerprint(hash: u64) -> u32 {
    (hash >> 16) as u32 | 1
}

impl Line {
    const EMPTY: Self = Self([0; WAYS]);
}

/// The ghost queue of S3-FIFO, as long as the main one: nine in ten of the entries that are cached.
pub(super) struct Ghosts<A: Memory> {
    /// For each segment of the table. The first line is kept while the segment is empty, as it often
    /// is where entries are large.
    lines: Vec<Vec<Line, A>, A>,
}

impl<A: Memory> Ghosts<A> {
    pub(super) fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory> {
        let mut lines = room::empty(segments, allocator.clone())?;
        for _ in 0..segments {
            let first = room::filled(1, allocator.clone(), |_| Line::EMPTY)?;
            room::place(&mut lines, first);
        }
        Ok(Self { lines })
    }

    /// Where a hash is remembered.
    fn line(&mut self, hash: u64, table: &Table<A>) -> Option<&mut [u32]> {
        let mean = table.len().checked_div(self.lines.len())?;
        let lines = self.lines.get_mut(table.segment_of(hash))?;
        // A single line has more places than such a segment has entries, on average.
        let places = if lines.len() == 1 { WAYS.min(mean + 1) } else { WAYS };
        // By other bits than those that have chosen the shard: else a shard uses few of its lines.
        let line = share(hash, lines.len());
        lines.get_mut(line)?.0.get_mut(..places)
    }

    /// Remembers a hash, and forgets the oldest one.
    pub(super) fn remember(&mut self, hash: u64, table: &Table<A>) {
        let Some(line) = self.line(hash, table) else { return };
        line.iter_mut().fold(fingerprint(hash), |newer, place| mem::replace(place, newer));
    }

    /// Says whether a hash is remembered, and forgets it.
    pub(super) fn recall(&mut self, hash: u64, table: &Table<A>) -> bool {
        let Some(line) = self.line(hash, table) else { return false };
        let found = line.iter_mut().find(|place| **place == fingerprint(hash));
        found.map(|place| *place = 0).is_some()
    }

    /// Has at hand where a hash is remembered.
    pub(super) fn prefetch(&self, hash: u64, table: &Table<A>) {
        let lines = self.lines.get(table.segment_of(hash));
        let line = lines.and_then(|lines| lines.get(share(hash, lines.len())));
        line.into_iter().for_each(prefetch);
    }

    /// Lines for a segment with room for so many entries. It is two thirds full on average; the
    /// main queue has nine in ten of that.
    const fn count(capacity: usize) -> usize {
        capacity * 6 / 10 / WAYS + 1
    }

    /// See [`Policy::growth`](super::Policy::growth).
    pub(super) fn growth(&self, segment: usize, capacity: usize) -> usize {
        let now = self.lines.get(segment).map_or(0, |lines| lines.len());
        let next = Self::count(capacity);
        if next > now { next * size_of::<Line>() } else { 0 }
    }

    /// See [`Policy::grow`](super::Policy::grow).
    pub(super) fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory> {
        let next = Self::count(capacity);
        let lines = self.lines.get_mut(segment).filter(|lines| lines.len() < next);
        let Some(old) = lines else { return Ok(0) };
        let mut new = room::filled(next, old.allocator().clone(), |_| Line::EMPTY)?;
        // A hash keeps its place among the lines. Of those that were one line, all find what that
        // one remembered.
        for (at, line) in new.iter_mut().enumerate() {
            let from = (at * old.len()).checked_div(next).and_then(|from| old.get(from));
            from.into_iter().for_each(|from| *line = *from);
        }
        let freed = old.capacity() * size_of::<Line>();
        *old = new;
        Ok(freed)
    }

    /// See [`Policy::shrink`](super::Policy::shrink).
    pub(super) fn shrink(&mut self, segment: usize) -> usize {
        let lines = self.lines.get_mut(segment).filter(|lines| lines.len() > 1);
        let Some(lines) = lines else { return 0 };
        let freed = lines.capacity() * size_of::<Line>();
        *lines = Vec::new_in(lines.allocator().clone());
        freed
    }

    /// Bytes of memory held.
    pub(super) fn memory(&self) -> usize {
        let lines = self.lines.iter().map(|lines| lines.capacity() * size_of::<Line>());
        lines.sum::<usize>() + self.lines.capacity() * size_of::<Vec<Line, A>>()
    }
}
