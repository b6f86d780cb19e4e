//! `Budget`: how much memory a group may hold, one for all its shards, and how much it lends.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes are reserved before they are allocated and released after they are given back: the memory
/// never exceeds the count, and the count never the limit.
///
/// Relaxed where nothing else is said: the counts guard no other data.
pub(crate) struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    lent: AtomicUsize,
}

/// There is no more memory than half of the addresses, and a size that is none fits no budget.
const fn possible(limit: usize) -> usize {
    if limit > isize::MAX as usize { isize::MAX as usize } else { limit }
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        let limit = AtomicUsize::new(possible(limit));
        Self { limit, used: AtomicUsize::new(0), lent: AtomicUsize::new(0) }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets the limit. Says by how many bytes more than that are used.
    pub(crate) fn set_limit(&self, limit: usize) -> usize {
        self.limit.store(possible(limit), Ordering::SeqCst);
        self.used.load(Ordering::SeqCst).saturating_sub(limit)
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of values that are no longer cached, but still held by who got them.
    pub(crate) fn lent(&self) -> usize {
        self.lent.load(Ordering::Relaxed)
    }

    /// Bytes that the allocator has not back.
    pub(crate) fn held(&self) -> usize {
        self.used().saturating_add(self.lent())
    }

    /// Reserves bytes if they fit.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        let limit = self.limit();
        let more = |used: usize| used.checked_add(bytes).filter(|&sum| sum <= limit);
        if self.used.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).is_err() {
            return false;
        }
        // A limit that was lowered in between: either who lowered it has seen these bytes, or it is
        // seen here.
        let still_fits = self.limit.load(Ordering::SeqCst) >= limit;
        if !still_fits {
            self.release(bytes);
        }
        still_fits
    }

    /// Counts bytes that are there already, whether they fit or not.
    pub(crate) fn charge(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Moves bytes of an evicted value that someone holds from the used to the lent ones.
    pub(crate) fn lend(&self, bytes: usize) {
        self.lent.fetch_add(bytes, Ordering::Relaxed);
        self.release(bytes);
    }

    pub(crate) fn take_back(&self, bytes: usize) {
        self.lent.fetch_sub(bytes, Ordering::Relaxed);
    }
}
