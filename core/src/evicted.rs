//! `Evicted`: entries on their way out of a store, so that their memory is given back when its lock
//! is no longer held.

use crate::{
    budget::Budget,
    entry::{Memory, Value},
};

/// Entries on their way out, at most so many at a time. Dropping it gives their memory back.
pub(crate) struct Evicted<'a, A: Memory> {
    entries: [Option<Value<A>>; 8],
    /// Entries that have left, those included that are lent and take no place here.
    len: usize,
    /// Bytes to be released, those that are lent, and those to be taken back from the lent ones.
    pub(crate) bytes: usize,
    pub(crate) lent: usize,
    pub(crate) returned: usize,
    pub(crate) budget: &'a Budget,
}

impl<'a, A: Memory> Evicted<'a, A> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { entries: Default::default(), len: 0, bytes: 0, lent: 0, returned: 0, budget }
    }

    /// Counts an entry as lent, which is none that is given back here.
    pub(crate) fn lend(&mut self, bytes: usize) {
        self.budget.lend(bytes);
        self.lent += bytes;
        self.len += 1;
    }

    /// Should it ever be full, the entry is dropped here and now.
    pub(crate) fn push(&mut self, entry: Value<A>) {
        if let Some(place) = self.entries.get_mut(self.len) {
            *place = Some(entry);
            self.len += 1;
        }
    }

    /// Whether the next eviction could find no place.
    pub(crate) const fn is_full(&self) -> bool {
        self.len >= self.entries.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<A: Memory> Drop for Evicted<'_, A> {
    fn drop(&mut self) {
        self.entries.iter_mut().take(self.len).for_each(|entry| *entry = None);
        // Most bring nothing, and an atomic operation costs as much as the rest of them.
        if self.bytes > 0 {
            self.budget.release(self.bytes);
        }
        if self.returned > 0 {
            self.budget.take_back(self.returned);
        }
    }
}
