//! `Reserve`: an allocator that has a little left when the system has nothing.
//!
//! How long something is that a client sends, or is sent, is for the client to say, and so its memory is
//! asked for in a way that can fail. What is short is not: the libraries that it comes from end the
//! process where they get no memory. Such blocks come from here then. They are few, and live no longer than
//! the request or the connection that they were for.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait, and deals in raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::{Cell, UnsafeCell},
    ptr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Bytes of a block; more are not had from here.
const BLOCK: usize = 2 << 10;
/// Blocks of a word of marks.
const MARKS: usize = u64::BITS as usize;
const WORDS: usize = 4;
const BLOCKS: usize = WORDS * MARKS;
/// From so many blocks in use on nothing more is begun: the others are for what is under way.
const LOW: u32 = BLOCKS as u32 / 2;

/// How many are in use: each process has one allocator.
static IN_USE: AtomicU32 = AtomicU32::new(0);

/// Whether there is so little memory left that nothing should be begun that takes some.
pub(crate) fn is_low() -> bool {
    IN_USE.load(Ordering::Relaxed) >= LOW
}

thread_local! {
    /// The thread is at something that copes with having no memory.
    static CAN_DO_WITHOUT: Cell<bool> = const { Cell::new(false) };
}

/// Does something that copes with having no memory, and so gets none from the reserve. What the cache
/// keeps, and what has a length that others choose, would use it up. (Not to be nested: the inner one would
/// end for both.)
#[inline]
pub(crate) fn fallibly<T>(work: impl FnOnce() -> T) -> T {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            CAN_DO_WITHOUT.set(false);
        }
    }
    debug_assert!(!CAN_DO_WITHOUT.get(), "one within another");
    let _end = End;
    CAN_DO_WITHOUT.set(true);
    work()
}

/// The memory of `A`, and some blocks beside it. Untouched, these take no memory of the machine.
pub struct Reserve<A = System> {
    inner: A,
    blocks: UnsafeCell<[Block; BLOCKS]>,
    /// A bit for each block, set while it is in use.
    marks: [AtomicU64; WORDS],
}

/// Aligned to as much as is asked for of any block.
#[derive(Clone, Copy)]
#[repr(align(2048))]
struct Block(#[expect(dead_code, reason = "it is memory of others")] [u8; BLOCK]);

// SAFETY: a block belongs to who has set its mark, which only one can.
unsafe impl<A: Sync> Sync for Reserve<A> {}

impl<A> Reserve<A> {
    /// Nothing of it is in use.
    pub const fn new(inner: A) -> Self {
        Self {
            inner,
            blocks: UnsafeCell::new([Block([0; BLOCK]); BLOCKS]),
            marks: [const { AtomicU64::new(0) }; WORDS],
        }
    }

    /// Blocks in use.
    pub fn used(&self) -> u32 {
        self.marks.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum()
    }

    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > BLOCK || layout.align() > BLOCK || CAN_DO_WITHOUT.get() {
            return ptr::null_mut();
        }
        for (at, word) in self.marks.iter().enumerate() {
            let free = |marks: u64| (marks != u64::MAX).then(|| marks | (marks + 1));
            // What the last user has written to the block comes before what the next one does.
            if let Ok(before) = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, free) {
                let number = at * MARKS + before.trailing_ones() as usize;
                IN_USE.fetch_add(1, Ordering::Relaxed);
                return self.blocks.get().cast::<Block>().wrapping_add(number).cast();
            }
        }
        ptr::null_mut()
    }

    /// The number of the block that this is, if it is one.
    fn number(&self, block: *mut u8) -> Option<usize> {
        let number = block.addr().wrapping_sub(self.blocks.get().addr()) / BLOCK;
        (number < BLOCKS).then_some(number)
    }

    #[cold]
    fn give_back(&self, number: usize) {
        self.marks[number / MARKS].fetch_and(!(1 << (number % MARKS)), Ordering::Release);
        IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: a block is memory of its own, at least as large and as aligned as what was asked for, until it is
// given back; all else is that of `A`, which gets back what it gave, with the layout it was given with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Reserve<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let block = unsafe { self.inner.alloc(layout) };
        if block.is_null() { self.take(layout) } else { block }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.number(block) {
            Some(number) => self.give_back(number),
            // SAFETY: the caller's promise, passed on, of what is not from here.
            None => unsafe { self.inner.dealloc(block, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        if !block.is_null() {
            return block;
        }
        let block = self.take(layout);
        if !block.is_null() {
            // SAFETY: it is as long as that at least, and nobody else has it.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let is_ours = self.number(block).is_some();
        if is_ours && size <= BLOCK {
            return block;
        }
        if !is_ours {
            // SAFETY: the caller's promise, passed on, of what is not from here.
            let moved = unsafe { self.inner.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: the caller has promised that this makes a layout, and `block` is as long as the old one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
