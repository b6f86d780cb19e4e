//! `Table`: the entries of a cache, found by their hash, under numbers of four bytes.
//!
//! One large table stops everything when it grows: a million entries take tens of milliseconds to
//! move. So there are many small ones, *segments*, about one for each [`SEGMENT_BYTES`] of the
//! budget; each grows by itself, by a quarter when it is full, and moves its own few hundred.
//!
//! A number that names no slot reads as "nothing there" throughout: no path here can panic.

use core::mem::size_of;

use allocator_api2::vec::Vec;

use crate::{
    entry::{Memory, OutOfMemory, Value},
    room,
    segment::{Chunk, LOAD, Links, NONE, SLOT_BITS, Segment, share},
};

/// Some hundred entries of common size, at most a thousand of the smallest.
const SEGMENT_BYTES: usize = 32 << 10;
/// Places between the entry that is moved and the one that is fetched meanwhile.
const AHEAD: usize = 8;
const MAX_SEGMENTS: usize = 1 << 20;

pub(crate) struct Table<A: Memory> {
    segments: Vec<Segment<A>, A>,
    /// Bits of a number that tell places of one segment apart; the others name the segment.
    place_bits: u32,
    len: usize,
}

impl<A: Memory> Table<A> {
    /// A table for a cache of that many bytes.
    pub(crate) fn new(budget: usize, allocator: A) -> Result<Self, OutOfMemory> {
        let count = (budget / SEGMENT_BYTES).clamp(1, MAX_SEGMENTS);
        let segment = |_| Segment { chunks: Vec::new_in(allocator.clone()), len: 0 };
        let segments = room::filled(count, allocator.clone(), segment)?;
        let place_bits = (count as u32 - 1).leading_zeros().min(u32::BITS - 1);
        Ok(Self { segments, place_bits, len: 0 })
    }

    /// What an entry costs in a table, on average: of seven slots five or six are used.
    #[cfg(feature = "estimates")]
    pub(crate) const ENTRY_BYTES: usize = size_of::<Chunk<A>>() * 2 / 11;

    /// Entries there are, those included that are lent.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Which segment a hash belongs to: by bits that neither its tag nor its home are made of
    /// alone.
    pub(crate) fn segment_of(&self, hash: u64) -> usize {
        share(hash >> 24, self.segments.len())
    }

    pub(crate) const fn number(&self, segment: usize, place: usize) -> u32 {
        (segment as u32) << self.place_bits | place as u32
    }

    pub(crate) const fn segment(&self, slot: u32) -> usize {
        (slot >> self.place_bits) as usize
    }

    const fn place(&self, slot: u32) -> usize {
        (slot & ((1 << self.place_bits) - 1)) as usize
    }

    pub(crate) fn entry(&self, slot: u32) -> Option<&Value<A>> {
        self.segments.get(self.segment(slot))?.entry(self.place(slot))
    }

    #[inline]
    pub(crate) fn links(&self, slot: u32) -> Option<&Links> {
        self.segments.get(self.segment(slot))?.links(self.place(slot))
    }

    #[inline]
    pub(crate) fn links_mut(&mut self, slot: u32) -> Option<&mut Links> {
        let (segment, place) = (self.segment(slot), self.place(slot));
        self.segments.get_mut(segment)?.links_mut(place)
    }

    /// Has a slot at hand: the handle of its entry, and its links.
    pub(crate) fn prefetch(&self, slot: u32) {
        let segment = self.segments.get(self.segment(slot));
        let chunk = segment.and_then(|segment| segment.chunk(self.place(slot)));
        chunk.into_iter().for_each(Chunk::prefetch);
    }

    /// Has at hand where the entry of a hash is, or is going to be.
    pub(crate) fn prefetch_home(&self, hash: u64) {
        let segment = self.segments.get(self.segment_of(hash));
        let chunk = segment.and_then(|segment| segment.chunks.get(segment.home(hash)));
        chunk.into_iter().for_each(Chunk::prefetch);
    }

    /// Keeps the entry of a slot from being found.
    pub(crate) fn hide(&mut self, slot: u32) {
        let (segment, place) = (self.segment(slot), self.place(slot));
        let segment = self.segments.get_mut(segment);
        segment.into_iter().for_each(|segment| segment.hide(place));
    }

    pub(crate) fn is_hidden(&self, slot: u32) -> bool {
        let segment = self.segments.get(self.segment(slot));
        segment.is_some_and(|segment| segment.is_hidden(self.place(slot)))
    }

    #[inline]
    pub(crate) fn find(
        &self,
        hash: u64,
        is_it: impl Fn(&Value<A>) -> bool,
    ) -> Option<(u32, &Value<A>)> {
        let segment = self.segment_of(hash);
        let (place, entry) = self.segments.get(segment)?.find(hash, is_it)?;
        Some((self.number(segment, place), entry))
    }

    /// Puts an entry into a slot, into no list. It comes back where there is no room for its hash.
    pub(crate) fn insert(&mut self, hash: u64, entry: Value<A>) -> Result<u32, Value<A>> {
        let at = self.segment_of(hash);
        let Some(segment) = self.segments.get_mut(at).filter(|segment| segment.has_room()) else {
            return Err(entry);
        };
        let place = segment.insert(hash, entry)?;
        self.len += 1;
        Ok(self.number(at, place))
    }

    /// Takes an entry out that stands in no list. Says too how many bytes that gave back: the last
    /// entry of a segment takes the chunks with it.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) -> Option<(Value<A>, usize)> {
        let (segment, place) = (self.segment(slot), self.place(slot));
        let segment = self.segments.get_mut(segment)?;
        let entry = segment.remove(hash, place)?;
        self.len -= 1;
        let mut freed = 0;
        if segment.len == 0 {
            freed = segment.memory();
            segment.chunks = Vec::new_in(segment.chunks.allocator().clone());
        }
        Some((entry, freed))
    }

    /// Whether an entry of this hash can be inserted without growing.
    pub(crate) fn has_room(&self, hash: u64) -> bool {
        self.segments.get(self.segment_of(hash)).is_some_and(Segment::has_room)
    }

    /// How many chunks the segment of a hash has after it has grown.
    fn next_chunks(&self, hash: u64) -> usize {
        let segment = self.segments.get(self.segment_of(hash));
        let chunks = segment.map_or(0, |segment| segment.chunks.len());
        chunks + chunks / 4 + 1
    }

    /// How many entries the segment of a hash has room for after [`Table::grow`].
    pub(crate) fn next_capacity(&self, hash: u64) -> usize {
        self.next_chunks(hash) * LOAD
    }

    /// Bytes that [`Table::grow`] allocates, before it gives the old ones back.
    pub(crate) fn growth(&self, hash: u64) -> usize {
        self.next_chunks(hash) * size_of::<Chunk<A>>()
    }

    /// Moves the segment of a hash into more chunks. The numbers of its slots change; `others` shows
    /// each number that is kept elsewhere. Says how many bytes the move gave back.
    pub(crate) fn grow(
        &mut self,
        hash: u64,
        hash_of: impl Fn(&Value<A>) -> u64,
        others: impl FnOnce(&mut dyn FnMut(&mut u32)),
    ) -> Result<usize, OutOfMemory> {
        let (count, at) = (self.next_chunks(hash), self.segment_of(hash));
        // Places are numbered within so many bits.
        if count << SLOT_BITS > 1 << self.place_bits {
            return Err(OutOfMemory);
        }
        let segment = self.segments.get_mut(at).ok_or(OutOfMemory)?;
        let allocator = segment.chunks.allocator().clone();
        let chunks = room::filled(count, allocator, |_| Chunk::empty())?;
        let mut old = core::mem::replace(segment, Segment { chunks, len: 0 });
        // First each entry moves, and leaves behind where it is now...
        for place in 0..old.chunks.len() << SLOT_BITS {
            old.entry(place + AHEAD).into_iter().for_each(Value::prefetch);
            let is_hidden = old.is_hidden(place);
            let Some(entry) = old.take(place) else { continue };
            let Some(links) = old.links_mut(place) else { continue };
            let hash = hash_of(&entry);
            let Ok(place) = segment.insert(hash, entry) else { continue };
            segment.links_mut(place).into_iter().for_each(|moved| *moved = *links);
            links.newer = place as u32;
            if is_hidden {
                segment.hide(place);
            }
        }
        // ... then who pointed to one of them is told.
        let moved = |table: &Self, slot: u32| match table.segment(slot) == at && slot != NONE {
            true => old
                .links(table.place(slot))
                .map_or(NONE, |left| table.number(at, left.newer as usize)),
            false => slot,
        };
        for place in 0..count << SLOT_BITS {
            self.relink(at, place, &moved);
        }
        others(&mut |number| *number = moved(self, *number));
        Ok(old.memory())
    }

    /// Brings the links to and from a slot up to date after its segment `at` has moved.
    fn relink(&mut self, at: usize, place: usize, moved: &impl Fn(&Self, u32) -> u32) {
        let own = self.number(at, place);
        if self.entry(own).is_none() {
            return;
        }
        let Some(&Links { newer, older }) = self.links(own) else { return };
        let (newer, older) = (moved(self, newer), moved(self, older));
        self.links_mut(own).into_iter().for_each(|links| *links = Links { newer, older });
        // Neighbours in this segment come to it by themselves.
        if self.segment(newer) != at {
            self.links_mut(newer).into_iter().for_each(|neighbour| neighbour.older = own);
        }
        if self.segment(older) != at {
            self.links_mut(older).into_iter().for_each(|neighbour| neighbour.newer = own);
        }
    }

    /// The place after a slot, for whoever goes through all of them; the first one at the end.
    pub(crate) fn after(&self, slot: u32) -> u32 {
        let (segment, place) = (self.segment(slot), self.place(slot));
        let places = self.segments.get(segment).map_or(0, |it| it.chunks.len() << SLOT_BITS);
        match (place + 1 < places, segment + 1 < self.segments.len()) {
            (true, _) => slot + 1,
            (false, true) => self.number(segment + 1, 0),
            (false, false) => 0,
        }
    }

    /// Bytes of memory held, without what the entries hold.
    pub(crate) fn memory(&self) -> usize {
        let own = self.segments.capacity() * size_of::<Segment<A>>();
        self.segments.iter().map(Segment::memory).sum::<usize>() + own
    }

    /// Every used slot, after a recount.
    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) -> alloc::vec::Vec<u32> {
        let mut used = alloc::vec::Vec::new();
        for (at, segment) in self.segments.iter().enumerate() {
            used.extend(segment.check().into_iter().map(|place| self.number(at, place)));
        }
        assert_eq!(used.len(), self.len, "the table knows its length");
        used
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
