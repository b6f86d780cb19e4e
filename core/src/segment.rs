//! `Segment`: a table of some of the hashes, in chunks.
//!
//! A chunk is two cache lines for seven slots. In the first are a byte of hash for each and the
//! handles of their entries, so that a lookup goes from one line straight to the entry; in the second
//! are the neighbours of each in the list it stands in (see `list`). An entry whose chunk is full goes
//! to the next one, and each chunk counts those that went past it: a lookup knows where to end, and a
//! removal leaves no trace (after Facebook's F14, "Open-sourcing F14 for faster, more memory-efficient
//! hash tables", 2019).

use core::mem::size_of;

use allocator_api2::vec::Vec;

use crate::{
    entry::{Memory, Value, prefetch},
    width::IS_NARROW,
};

/// Slots of a chunk. A number has one value more for them, so that [`NONE`] is never a slot.
pub(crate) const SLOTS: usize = 7;
pub(crate) const SLOT_BITS: u32 = 3;
const SLOT_MASK: usize = (1 << SLOT_BITS) - 1;
/// Links of a chunk. Where a cache line has room for one that no slot uses, it is there, so that no
/// number has to be checked.
const LINKS: usize = if IS_NARROW { SLOTS } else { SLOTS + 1 };
/// A segment grows when it has more entries than this for each chunk.
pub(crate) const LOAD: usize = 6;

/// Stands for "no slot".
pub(crate) const NONE: u32 = u32::MAX;

/// The two neighbours of an entry in the list it stands in.
#[derive(Clone, Copy)]
pub(crate) struct Links {
    pub(crate) newer: u32,
    pub(crate) older: u32,
}

impl Links {
    /// Of an entry alone.
    pub(crate) const NONE: Self = Self { newer: NONE, older: NONE };
}

#[cfg_attr(target_pointer_width = "64", repr(C, align(128)))]
#[cfg_attr(not(target_pointer_width = "64"), repr(C))]
pub(crate) struct Chunk<A: Memory> {
    /// A byte of each entry's hash, 0 where there is no entry, [`HIDDEN`] where lookups shall not
    /// find it; in the last byte, how many entries found this chunk full. From 255 on that stays:
    /// then lookups go on to the next one in vain.
    pub(crate) tags: [u8; SLOTS + 1],
    entries: [Option<Value<A>>; SLOTS],
    links: [Links; LINKS],
}

/// Its highest bit tells it from "none" and from [`HIDDEN`]: the test in [`Chunk::find`] may take a
/// byte for the tag that differs from it in the lowest bit alone, and those two never shall pass.
pub(crate) const fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8 | 0x80
}

const HIDDEN: u8 = 1;

impl<A: Memory> Chunk<A> {
    pub(crate) fn empty() -> Self {
        let (tags, links) = ([0; SLOTS + 1], [Links::NONE; LINKS]);
        Self { tags, entries: [const { None }; SLOTS], links }
    }

    pub(crate) fn prefetch(&self) {
        prefetch(&self.tags);
        prefetch(&self.links);
    }

    fn passed(&mut self) -> &mut u8 {
        &mut self.tags[SLOTS]
    }

    /// The slot of the entry that `is_it` among those with a tag: eight tags are compared at once
    /// (Mycroft's test for a zero byte; one above a right one may pass it wrongly).
    #[inline]
    fn find(&self, tag: u8, is_it: impl Fn(&Value<A>) -> bool) -> Option<(usize, &Value<A>)> {
        if IS_NARROW {
            let mut slots = self.tags.iter().zip(&self.entries).enumerate();
            return slots.find_map(|(at, (byte, entry))| {
                let entry = entry.as_ref().filter(|entry| *byte == tag && is_it(entry))?;
                Some((at, entry))
            });
        }
        const ONES: u64 = 0x0101_0101_0101_0101;
        let differ = u64::from_le_bytes(self.tags) ^ (ONES * u64::from(tag));
        let mut equal = differ.wrapping_sub(ONES) & !differ & (ONES << 7 & u64::MAX >> 8);
        while equal != 0 {
            let slot = (equal.trailing_zeros() / 8) as usize;
            if let Some(entry) = self.entries.get(slot)?.as_ref().filter(|entry| is_it(entry)) {
                return Some((slot, entry));
            }
            equal &= equal - 1;
        }
        None
    }
}

/// The share of `0..range` that 32 bits of a hash stand for: Lemire's multiplication in place of a
/// division.
pub(crate) const fn share(bits: u64, range: usize) -> usize {
    (((bits & 0xffff_ffff) * range as u64) >> 32) as usize
}

/// A table of some of the hashes.
pub(crate) struct Segment<A: Memory> {
    pub(crate) chunks: Vec<Chunk<A>, A>,
    pub(crate) len: usize,
}

impl<A: Memory> Segment<A> {
    pub(crate) fn home(&self, hash: u64) -> usize {
        share(hash, self.chunks.len())
    }

    fn next(&self, chunk: usize) -> usize {
        if chunk + 1 < self.chunks.len() { chunk + 1 } else { 0 }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.len < self.chunks.len() * LOAD
    }

    pub(crate) fn memory(&self) -> usize {
        self.chunks.len() * size_of::<Chunk<A>>()
    }

    #[inline]
    pub(crate) fn entry(&self, place: usize) -> Option<&Value<A>> {
        self.chunk(place)?.entries.get(place & SLOT_MASK)?.as_ref()
    }

    #[inline]
    pub(crate) fn links(&self, place: usize) -> Option<&Links> {
        self.chunk(place)?.links.get(place & SLOT_MASK)
    }

    #[inline]
    pub(crate) fn links_mut(&mut self, place: usize) -> Option<&mut Links> {
        self.chunks.get_mut(place >> SLOT_BITS)?.links.get_mut(place & SLOT_MASK)
    }

    /// The place of the entry of this hash that `is_it`.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: u64,
        is_it: impl Fn(&Value<A>) -> bool,
    ) -> Option<(usize, &Value<A>)> {
        let home = self.home(hash);
        let mut at = home;
        loop {
            let chunk = self.chunks.get(at)?;
            if let Some((slot, entry)) = chunk.find(tag(hash), &is_it) {
                return Some((at << SLOT_BITS | slot, entry));
            }
            at = self.next(at);
            if chunk.tags[SLOTS] == 0 || at == home {
                return None;
            }
        }
    }

    #[inline]
    pub(crate) fn chunk(&self, place: usize) -> Option<&Chunk<A>> {
        self.chunks.get(place >> SLOT_BITS)
    }

    /// Puts an entry into the first chunk with a free slot, from its home on. Says in which place; it
    /// comes back where there is none.
    pub(crate) fn insert(&mut self, hash: u64, entry: Value<A>) -> Result<usize, Value<A>> {
        let mut at = self.home(hash);
        for _ in 0..self.chunks.len() {
            let next = self.next(at);
            let Some(chunk) = self.chunks.get_mut(at) else { break };
            let mut free = chunk.tags.iter_mut().zip(&mut chunk.entries).enumerate();
            if let Some((number, (byte, place))) = free.find(|(_, (byte, _))| **byte == 0) {
                (*byte, *place) = (tag(hash), Some(entry));
                self.len += 1;
                return Ok(at << SLOT_BITS | number);
            }
            *chunk.passed() = chunk.passed().saturating_add(1);
            at = next;
        }
        Err(entry)
    }

    /// Keeps the entry of a place from being found.
    pub(crate) fn hide(&mut self, place: usize) {
        self.tag_mut(place).into_iter().for_each(|tag| *tag = HIDDEN);
    }

    pub(crate) fn is_hidden(&self, place: usize) -> bool {
        let chunk = self.chunk(place);
        chunk.is_some_and(|chunk| chunk.tags.get(place & SLOT_MASK).copied() == Some(HIDDEN))
    }

    fn tag_mut(&mut self, place: usize) -> Option<&mut u8> {
        self.chunks.get_mut(place >> SLOT_BITS)?.tags.get_mut(place & SLOT_MASK)
    }

    /// Takes an entry out and leaves its tag, for a segment that is to be dropped; else see
    /// [`Segment::remove`].
    pub(crate) fn take(&mut self, place: usize) -> Option<Value<A>> {
        self.chunks.get_mut(place >> SLOT_BITS)?.entries.get_mut(place & SLOT_MASK)?.take()
    }

    pub(crate) fn remove(&mut self, hash: u64, place: usize) -> Option<Value<A>> {
        let entry = self.take(place)?;
        let mut at = self.home(hash);
        while at != place >> SLOT_BITS {
            let next = self.next(at);
            let chunk = self.chunks.get_mut(at)?;
            let passed = chunk.passed();
            *passed = passed.saturating_sub(u8::from(*passed != u8::MAX));
            at = next;
        }
        self.tag_mut(place).into_iter().for_each(|tag| *tag = 0);
        self.len -= 1;
        Some(entry)
    }

    /// Every used place, after a recount.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) -> alloc::vec::Vec<usize> {
        let mut used = alloc::vec::Vec::new();
        for (at, chunk) in self.chunks.iter().enumerate() {
            for (number, (tag, entry)) in chunk.tags.iter().zip(&chunk.entries).enumerate() {
                assert_eq!(*tag == 0, entry.is_none(), "a tag stands for an entry");
                used.extend(entry.iter().map(|_| at << SLOT_BITS | number));
            }
        }
        assert_eq!(used.len(), self.len, "a segment knows its length");
        used
    }
}
