//! A counting allocator: what is live in the heap, as asked for and as malloc rounds it.
//!
//! It counts only while told to, so that the tables of times pay one predicted branch for it.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait; each call goes on to `System`")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

static ON: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static CHUNKS: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// The system's allocator with a counter.
pub struct Counting;

/// Bytes live since the counting began. Negative where older memory was given back.
#[derive(Clone, Copy)]
pub struct Live {
    /// As asked for.
    pub asked: i64,
    /// As malloc keeps it: rounded, and with its header of 8 bytes.
    pub chunks: i64,
    /// The most that was ever live of `asked`. A block that is enlarged counts once.
    pub peak: i64,
}

/// Counts from zero.
pub fn start() {
    for counter in [&LIVE, &CHUNKS, &PEAK] {
        counter.store(0, Relaxed);
    }
    ON.store(true, Relaxed);
}

/// What is live now.
pub fn live() -> Live {
    Live { asked: LIVE.load(Relaxed), chunks: CHUNKS.load(Relaxed), peak: PEAK.load(Relaxed) }
}

/// Counts no more.
pub fn stop() {
    ON.store(false, Relaxed);
}

#[cold]
fn count(asked: i64, chunks: i64) {
    let live = LIVE.fetch_add(asked, Relaxed) + asked;
    CHUNKS.fetch_add(chunks, Relaxed);
    PEAK.fetch_max(live, Relaxed);
}

/// The chunk behind a block.
fn chunk(block: *mut u8) -> i64 {
    const HEADER: usize = size_of::<usize>();
    // SAFETY: the block is live and came from malloc, as all of `System`'s do here.
    (unsafe { libc::malloc_usable_size(block.cast()) } + HEADER) as i64
}

// SAFETY: every call goes on to `System` with the arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`.
        let block = unsafe { System.alloc(layout) };
        if ON.load(Relaxed) && !block.is_null() {
            count(layout.size() as i64, chunk(block));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if ON.load(Relaxed) {
            count(-(layout.size() as i64), -chunk(block));
        }
        // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc_zeroed`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if ON.load(Relaxed) && !block.is_null() {
            count(layout.size() as i64, chunk(block));
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let before = if ON.load(Relaxed) { chunk(block) } else { 0 };
        // SAFETY: the caller keeps the promises of `GlobalAlloc::realloc`.
        let moved = unsafe { System.realloc(block, layout, size) };
        if ON.load(Relaxed) && !moved.is_null() {
            count(size as i64 - layout.size() as i64, chunk(moved) - before);
        }
        moved
    }
}
