//! Exact least recently used: one list, a hit makes its entry the newest.
//!
//! To move an entry in a list takes exclusive access, which hits of several threads would wait for. So a
//! hit that has none only notes the number of its slot. Before anything asks for the order, and when
//! there is no place for another note, the list is brought up to date. At whichever moment the order is
//! looked at, it is the order of the hits.
//!
//! A move changes both neighbours of the entry, which are anywhere in memory. They are asked for before
//! the count of the entry goes up: the processor waits for that, an atomic operation, but meanwhile goes
//! on fetching what it was asked for before.

use core::{
    mem,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

use super::Policy;
use crate::{
    entry::{Memory, OutOfMemory},
    list::List,
    seed::Seed,
    table::Table,
    width::IS_NARROW,
};

/// Hits that are noted before the list is brought up to date.
const NOTES: usize = if IS_NARROW { 4 } else { 16 };

/// The entry goes whose last use lies furthest back.
pub struct Lru {
    order: List,
    /// Slots that were hit since, in the order of the hits; and how many were, or would have been
    /// had there been place.
    notes: [AtomicU32; NOTES],
    noted: AtomicUsize,
}

impl<A: Memory> Policy<A> for Lru {
    fn new(_: usize, _: A) -> Result<Self, OutOfMemory> {
        Ok(Self { order: List::new(), notes: Default::default(), noted: AtomicUsize::new(0) })
    }

    fn foresee_touch(&self, table: &Table<A>, slot: u32) {
        List::prefetch(table, slot);
    }

    fn note(&self, slot: u32) -> bool {
        // A full page is left as it is, for this must not wrap round.
        if self.noted.load(Ordering::Relaxed) >= NOTES {
            return false;
        }
        let at = self.noted.fetch_add(1, Ordering::Relaxed);
        let Some(note) = self.notes.get(at) else { return false };
        note.store(slot, Ordering::Relaxed);
        true
    }

    fn touch(&mut self, table: &mut Table<A>, slot: u32) {
        self.settle(table);
        self.order.renew(table, slot);
    }

    fn settle(&mut self, table: &mut Table<A>) {
        let Self { order, notes, noted } = self;
        let noted = mem::take(noted.get_mut());
        notes.iter_mut().take(noted).for_each(|slot| order.renew(table, *slot.get_mut()));
    }

    fn admit(&mut self, table: &mut Table<A>, slot: u32, _: u64) {
        self.order.push(table, slot);
    }

    fn remove(&mut self, table: &mut Table<A>, slot: u32) {
        self.order.unlink(table, slot);
    }

    fn evict(&mut self, table: &mut Table<A>, _: &Seed) -> Option<u32> {
        let oldest = self.order.oldest()?;
        self.order.unlink(table, oldest);
        Some(oldest)
    }

    fn foresee(&self, table: &Table<A>, _: u64) {
        self.order.foresee(table);
    }

    fn growth(&self, _: usize, _: usize) -> usize {
        0
    }

    fn grow(&mut self, _: usize, _: usize) -> Result<usize, OutOfMemory> {
        Ok(0)
    }

    fn shrink(&mut self, _: usize) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn lists(&mut self, show: &mut dyn FnMut(&mut List)) {
        show(&mut self.order);
    }

    #[cfg(any(test, feature = "check"))]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        let mut slots = self.order.walk(table);
        slots.reverse();
        for note in self.notes.iter().take(self.noted.load(Ordering::Relaxed)) {
            let noted = note.load(Ordering::Relaxed);
            let at = slots.iter().position(|&slot| slot == noted).expect("a note is of an entry");
            slots[at..].rotate_left(1);
        }
        slots
    }
}
