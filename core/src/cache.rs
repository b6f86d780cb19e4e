//! `Cache`: keys, values and their order under one budget of bytes.
//!
//! Every byte counts: keys, values, the slab of entries, the index and the order. An insert fits
//! whole or leaves no trace, and room is made before it is taken.

use alloc::vec::Vec;
use core::{mem, mem::size_of, time::Duration};

use hashbrown::HashTable;

use crate::{
    key::{Key, Seed},
    lru::Lru,
    time::Instant,
    value::Value,
};

/// What the cache keeps of one key.
struct Entry {
    key: Key,
    value: Value,
    born: Instant,
}

impl Entry {
    fn memory(&self) -> usize {
        self.key.memory() + self.value.memory()
    }
}

/// A place in the slab; the free ones form a list.
enum Slot {
    Used(Entry),
    Free { next: Option<u32> },
}

/// What came of looking a key up.
pub(crate) enum Lookup {
    /// The value and when it was loaded.
    Hit(Value, Instant),
    /// It was there, but past its lifetime; now it is gone.
    Expired,
    Miss,
}

/// What came of storing a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It is stored; so many entries went to make room.
    Stored { evicted: u64 },
    /// It does not fit the budget, or the allocator had no memory. Nothing else was touched.
    Refused,
}

pub(crate) struct Cache {
    budget: usize,
    seed: Seed,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Option<u32>,
    order: Lru,
    /// Memory behind the keys and values of all entries.
    content: usize,
}

impl Cache {
    pub(crate) const fn new(budget: usize, seed: Seed) -> Self {
        Self {
            budget,
            seed,
            index: HashTable::new(),
            slots: Vec::new(),
            free: None,
            order: Lru::new(),
            content: 0,
        }
    }

    pub(crate) const fn budget(&self) -> usize {
        self.budget
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of memory held: entries and tables.
    pub(crate) fn used(&self) -> usize {
        self.content + self.tables()
    }

    fn tables(&self) -> usize {
        self.index.allocation_size()
            + self.slots.capacity() * size_of::<Slot>()
            + self.order.memory()
    }

    /// Looks a key up and makes it the newest.
    pub(crate) fn get(
        &mut self,
        hash: u64,
        key: &[u8],
        lifetime: Option<Duration>,
        now: Instant,
    ) -> Lookup {
        let Some(slot) = self.find(hash, key) else { return Lookup::Miss };
        let entry = self.entry(slot);
        let born = entry.born;
        if lifetime.is_some_and(|lifetime| now.since(born) >= lifetime) {
            self.evict(slot);
            return Lookup::Expired;
        }
        let value = entry.value.clone();
        self.order.touch(slot);
        Lookup::Hit(value, born)
    }

    /// Stores a value as the newest, in place of one with the same key. Where it is refused, an
    /// older value of the key goes all the same: it is known to be outdated.
    pub(crate) fn insert(&mut self, hash: u64, key: Key, value: Value, now: Instant) -> Insert {
        self.remove(hash, &key);
        let entry = Entry { key, value, born: now };
        // Tables do not shrink: what exceeds the budget beside them stays out, and flushes nothing.
        if self.tables().saturating_add(entry.memory()) > self.budget {
            return Insert::Refused;
        }
        let mut evicted = 0;
        loop {
            if self.used() + self.growth() + entry.memory() <= self.budget {
                if self.grow().is_err() {
                    return Insert::Refused;
                }
                self.place(hash, entry);
                return Insert::Stored { evicted };
            }
            // A slot that becomes free also spares the growth.
            let Some(oldest) = self.order.oldest() else { return Insert::Refused };
            self.evict(oldest);
            evicted += 1;
        }
    }

    /// Forgets a key. Says whether it was there.
    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> bool {
        let found = self.find(hash, key);
        if let Some(slot) = found {
            self.evict(slot);
        }
        found.is_some()
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |&slot| &*self.entry(slot).key == key).copied()
    }

    /// The entry in a slot that the index or the order names.
    fn entry(&self, slot: u32) -> &Entry {
        match &self.slots[slot as usize] {
            Slot::Used(entry) => entry,
            Slot::Free { .. } => unreachable!("the index and the order name used slots only"),
        }
    }

    /// Slots to have after the next step: some eighth more, so that a cache near its budget does
    /// not throw a quarter of it out to double.
    fn next_slots(&self) -> usize {
        self.slots.len() + self.slots.len() / 8 + 4
    }

    /// Bytes that the tables would grow by to take in one more entry.
    fn growth(&self) -> usize {
        let slab = match self.free {
            Some(_) => 0,
            None if self.slots.len() < self.slots.capacity() => 0,
            None => (self.next_slots() - self.slots.len()) * (size_of::<Slot>() + Lru::SLOT),
        };
        let index = if self.index.len() < self.index.capacity() { 0 } else { self.index_growth() };
        slab + index
    }

    /// hashbrown doubles its buckets (from 4, for an 8-byte entry or less) and keeps one control
    /// byte for each beside the group width; at least as much is set aside here.
    fn index_growth(&self) -> usize {
        const GROUP_WIDTH: usize = 16;
        let buckets = (self.index.num_buckets() * 2).max(4);
        buckets * (size_of::<u32>() + 1) + 2 * GROUP_WIDTH - self.index.allocation_size()
    }

    fn grow(&mut self) -> Result<(), ()> {
        if self.free.is_none() && self.slots.len() == self.slots.capacity() {
            let slots = self.next_slots();
            self.slots.try_reserve_exact(slots - self.slots.len()).map_err(drop)?;
            self.order.try_reserve(slots).map_err(drop)?;
        }
        let Self { index, slots, seed, .. } = self;
        index.try_reserve(1, |&slot| seed.hash(key_of(slots, slot))).map_err(drop)
    }

    fn place(&mut self, hash: u64, entry: Entry) {
        self.content += entry.memory();
        let slot = match self.free {
            Some(slot) => {
                let place = &mut self.slots[slot as usize];
                let Slot::Free { next } = mem::replace(place, Slot::Used(entry)) else {
                    unreachable!("the list of free slots names free slots only")
                };
                self.free = next;
                slot
            }
            None => {
                self.slots.push(Slot::Used(entry));
                u32::try_from(self.slots.len() - 1).expect("a slab ends long before 2^32 entries")
            }
        };
        let Self { index, slots, seed, order, .. } = self;
        index.insert_unique(hash, slot, |&slot| seed.hash(key_of(slots, slot)));
        order.insert(slot);
    }

    /// Takes an entry out, whether it makes room, has expired or is removed.
    fn evict(&mut self, slot: u32) {
        let place = mem::replace(&mut self.slots[slot as usize], Slot::Free { next: self.free });
        let Slot::Used(entry) = place else { unreachable!("only used slots are evicted") };
        self.free = Some(slot);
        self.order.remove(slot);
        self.content -= entry.memory();
        let hash = self.seed.hash(&entry.key);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
    }

    /// Recounts everything from scratch and panics where the running figures differ.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let order = self.order.check();
        assert_eq!(order.len(), self.index.len(), "order and index hold the same entries");
        let content: usize = order.iter().map(|&slot| self.entry(slot).memory()).sum();
        assert_eq!(content, self.content, "the content counter is exact");
        for &slot in &order {
            let key = &self.entry(slot).key;
            assert_eq!(self.find(self.seed.hash(key), key), Some(slot), "each entry is found");
        }
        let free = core::iter::successors(self.free, |&slot| match self.slots[slot as usize] {
            Slot::Free { next } => next,
            Slot::Used(_) => panic!("slot {slot} is in the list of free slots and used"),
        });
        assert_eq!(free.take(self.slots.len() + 1).count() + order.len(), self.slots.len());
        assert!(self.used() <= self.budget, "{} bytes used of {}", self.used(), self.budget);
    }
}

fn key_of(slots: &[Slot], slot: u32) -> &[u8] {
    match &slots[slot as usize] {
        Slot::Used(entry) => &entry.key,
        Slot::Free { .. } => unreachable!("the index names used slots only"),
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
