//! The blocks of the reserve: those that an allocator gives when the system has none.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait, and deals in raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr, thread,
};

use gocache::Reserve;

/// Bytes of a block, and how many there are.
const BLOCK: usize = 2 << 10;
const BLOCKS: usize = 256;

/// The system's memory, if it has any.
struct Short;

thread_local! {
    static HAS_NONE: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: all memory is the system's.
unsafe impl GlobalAlloc for Short {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        if HAS_NONE.get() { ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("it is small")
}

#[test]
fn blocks_are_told_apart_and_come_back() {
    let memory = Box::new(Reserve::new(Short));
    HAS_NONE.set(true);
    for round in 0..3_u8 {
        let take = |number: usize| {
            // SAFETY: the size is not zero; what is written lies within it.
            let block = unsafe { memory.alloc_zeroed(layout(1 + 7 * number)) };
            assert!(!block.is_null(), "block {number} of round {round}");
            // SAFETY: as above.
            unsafe { block.write(number as u8) };
            block
        };
        let blocks: Vec<_> = (0..BLOCKS).map(take).collect();
        // SAFETY: the sizes are not zero.
        assert!(unsafe { memory.alloc(layout(1)) }.is_null(), "all of them are in use");
        assert_eq!(memory.used() as usize, BLOCKS);
        for (number, block) in blocks.into_iter().enumerate() {
            // SAFETY: it was given for this layout, and its first byte written.
            unsafe {
                assert_eq!(block.read(), number as u8);
                memory.dealloc(block, layout(1 + 7 * number));
            }
        }
        assert_eq!(memory.used(), 0);
    }
}

#[test]
fn a_block_moves_between_the_system_and_the_reserve() {
    let memory = Box::new(Reserve::new(Short));
    // SAFETY: the layouts are those that the blocks have at the time, and none is empty; what is
    // written and read lies within them.
    unsafe {
        let block = memory.alloc(layout(100));
        block.write_bytes(7, 100);
        HAS_NONE.set(true);
        assert!(memory.alloc(layout(BLOCK + 1)).is_null(), "too long");
        let ours = memory.realloc(block, layout(100), 200);
        assert_eq!((memory.used(), ours.add(99).read()), (1, 7));
        assert_eq!(memory.realloc(ours, layout(200), BLOCK), ours);
        assert!(memory.realloc(ours, layout(BLOCK), BLOCK + 1).is_null(), "nobody has it");
        HAS_NONE.set(false);
        let system = memory.realloc(ours, layout(BLOCK), 2 * BLOCK);
        assert_eq!((memory.used(), system.add(99).read()), (0, 7));
        memory.dealloc(system, layout(2 * BLOCK));
    }
}

#[test]
fn no_block_is_given_twice() {
    static MEMORY: Reserve<Nothing> = Reserve::new(Nothing);
    struct Nothing;
    // SAFETY: what gives nothing gets nothing back.
    unsafe impl GlobalAlloc for Nothing {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            ptr::null_mut()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
            panic!("nothing came from here");
        }
    }
    thread::scope(|scope| {
        for mark in 0..4_u8 {
            scope.spawn(move || {
                for _ in 0..500 {
                    // SAFETY: the size is not zero, and what is written and read lies within it.
                    unsafe {
                        let block = MEMORY.alloc(layout(64));
                        assert!(!block.is_null(), "there are more blocks than threads");
                        block.write_bytes(mark, 64);
                        thread::yield_now();
                        assert_eq!(block.add(63).read(), mark, "another has written to it");
                        MEMORY.dealloc(block, layout(64));
                    }
                }
            });
        }
    });
    assert_eq!(MEMORY.used(), 0);
}
