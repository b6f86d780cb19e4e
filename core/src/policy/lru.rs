//! Exact least recently used: one list, a hit makes its entry the newest.

use super::Policy;
use crate::{
    entry::{Memory, OutOfMemory},
    list::List,
    seed::Seed,
    table::Table,
};

/// The entry goes whose last use lies furthest back.
pub struct Lru {
    order: List,
}

impl<A: Memory> Policy<A> for Lru {
    fn new(_: usize, _: A) -> Result<Self, OutOfMemory> {
        Ok(Self { order: List::new() })
    }

    fn shares_hits(&self) -> bool {
        false
    }

    fn touch(&mut self, table: &mut Table<A>, slot: u32) {
        self.order.renew(table, slot);
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
        slots
    }
}
