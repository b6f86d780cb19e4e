//! An allocator that counts to the byte, and fails when it is told to.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, System},
    cell::Cell,
    ptr::{self, NonNull},
};

use allocator_api2::alloc::{AllocError, Allocator, Layout};

/// What is told of memory.
pub(crate) trait Gauge {
    /// Bytes that are allocated and not given back.
    fn live(&self) -> usize;

    /// The most that they were since `mark`. What is moved counts twice while it moves.
    fn peak(&self) -> usize;

    /// Allocations that were asked for.
    fn calls(&self) -> usize;

    /// Whether an allocation has failed since `mark`.
    fn failed(&self) -> bool;

    /// Begins an operation.
    fn mark(&self);
}

/// Bytes and calls.
pub(crate) struct Counts {
    live: Cell<usize>,
    peak: Cell<usize>,
    calls: Cell<usize>,
}

impl Counts {
    pub(crate) const fn new() -> Self {
        Self { live: Cell::new(0), peak: Cell::new(0), calls: Cell::new(0) }
    }

    pub(crate) fn taken(&self, bytes: usize) {
        let live = self.live.get().wrapping_add(bytes);
        self.live.set(live);
        self.peak.set(self.peak.get().max(live));
        self.calls.set(self.calls.get() + 1);
    }

    pub(crate) fn given_back(&self, bytes: usize) {
        self.live.set(self.live.get().wrapping_sub(bytes));
    }

    pub(crate) fn live(&self) -> usize {
        self.live.get()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    pub(crate) fn mark(&self) {
        self.peak.set(self.live.get());
    }
}

/// Which allocations fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fails {
    Never,
    /// The one of this number.
    At(usize),
    /// This one and all after it.
    From(usize),
}

/// Memory of the system, past the global allocator, counted. `&Meter` is the allocator.
pub(crate) struct Meter {
    counts: Counts,
    fails: Fails,
    failed: Cell<bool>,
}

impl Meter {
    pub(crate) const fn new(fails: Fails) -> Self {
        Self { counts: Counts::new(), fails, failed: Cell::new(false) }
    }
}

impl Gauge for &Meter {
    fn live(&self) -> usize {
        self.counts.live()
    }

    fn peak(&self) -> usize {
        self.counts.peak()
    }

    fn calls(&self) -> usize {
        self.counts.calls()
    }

    fn failed(&self) -> bool {
        self.failed.get()
    }

    fn mark(&self) {
        self.counts.mark();
        self.failed.set(false);
    }
}

// SAFETY: all memory is the system's, and given back to it with the layout it came with; a block of
// no size is none of its.
unsafe impl Allocator for &Meter {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let number = self.counts.calls();
        let fails = match self.fails {
            Fails::Never => false,
            Fails::At(at) => number == at,
            Fails::From(first) => number >= first,
        };
        if fails {
            self.counts.calls.set(number + 1);
            self.failed.set(true);
            return Err(AllocError);
        }
        self.counts.taken(layout.size());
        let block = match layout.size() {
            0 => ptr::without_provenance_mut(layout.align()),
            // SAFETY: the size is not zero.
            _ => unsafe { System.alloc(layout) },
        };
        let block = NonNull::new(block).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, layout.size()))
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.counts.given_back(layout.size());
        if layout.size() > 0 {
            // SAFETY: the system gave it for this layout, as the caller promises.
            unsafe { System.dealloc(block.as_ptr(), layout) };
        }
    }
}
