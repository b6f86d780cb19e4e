//! Tests of `Region`: blocks of any size and alignment, against a model that knows who has what.

use std::{boxed::Box, vec::Vec};

use allocator_api2::alloc::{Allocator, Layout};

use super::*;
use crate::{Cache, Instant, Lru, Seed};

/// Numbers in a fixed order that looks like chance (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn memory(bytes: usize) -> Box<[MaybeUninit<u8>]> {
    Box::new_uninit_slice(bytes)
}

/// A block, and the byte that all of it is filled with.
struct Held(NonNull<[u8]>, Layout, u8);

impl Held {
    fn new(region: &Region<'_>, size: usize, align: usize, fill: u8) -> Option<Self> {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        let mut block = region.allocate(layout).ok()?;
        assert_eq!(block.cast::<u8>().addr().get() % align, 0, "aligned to {align}");
        assert_eq!(block.len(), size);
        // SAFETY: the block is ours alone.
        unsafe { block.as_mut() }.fill(fill);
        Some(Self(block, layout, fill))
    }

    fn give_back(self, region: &Region<'_>) {
        // SAFETY: the block was filled, and is given back once, with its layout.
        unsafe {
            assert!(self.0.as_ref().iter().all(|&byte| byte == self.2), "nobody else wrote there");
            region.deallocate(self.0.cast(), self.1);
        }
    }
}

#[test]
fn blocks_of_any_size_come_and_go() {
    let steps = if cfg!(miri) { 40 } else { 20_000 };
    let sizes = [(1 << 10, 60), (16 << 10, 600), (64 << 10, 9_000)];
    // Under Miri time goes with the bytes.
    for (bytes, longest) in sizes.into_iter().take(if cfg!(miri) { 1 } else { 3 }) {
        let (mut memory, mut dice) = (memory(bytes + 3), Dice(7));
        // At an address that is not even.
        let region = Region::new(&mut memory[3..]);
        let capacity = region.capacity();
        assert!(capacity > bytes * 3 / 4, "{capacity} of {bytes}");
        let mut held = Vec::new();
        for step in 0..steps {
            if dice.below(2) == 0 || held.is_empty() {
                let align = 1 << dice.below(8);
                held.extend(Held::new(&region, dice.below(longest), align, step as u8));
            } else {
                held.swap_remove(dice.below(held.len())).give_back(&region);
            }
            region.check();
        }
        held.into_iter().for_each(|block| block.give_back(&region));
        region.check();
        assert_eq!(region.free(), capacity);
        // It is one piece again.
        let all = Held::new(&region, capacity - 1, 1, 0).expect("all of it at once");
        assert!(Held::new(&region, 1, 1, 0).is_none());
        assert_eq!(region.free(), 0);
        all.give_back(&region);
    }
}

#[test]
fn a_block_costs_one_byte_rounded_up_to_four() {
    let mut memory = memory(4 << 10);
    let region = Region::new(&mut memory);
    for (size, cost) in [(1, 4), (3, 4), (4, 8), (7, 8), (8, 12), (115, 116), (116, 120)] {
        let block = Held::new(&region, size, 4, 1).expect("there is room");
        assert_eq!(region.capacity() - region.free(), cost, "a block of {size}");
        block.give_back(&region);
    }
}

#[test]
fn too_little_memory_is_a_region_without_any() {
    for bytes in (0..400).step_by(if cfg!(miri) { 97 } else { 1 }) {
        let mut memory = memory(bytes);
        let region = Region::new(&mut memory);
        region.check();
        let taken: Vec<_> = core::iter::from_fn(|| Held::new(&region, 1, 1, 9)).collect();
        assert_eq!(taken.len() * 4, region.capacity() - region.free());
        assert!(region.free() < 16, "a rest that is too short for a list");
        taken.into_iter().for_each(|block| block.give_back(&region));
        region.check();
        assert!(Held::new(&region, 400, 1, 0).is_none());
    }
}

#[test]
fn what_no_region_can_have_is_refused() {
    let mut memory = memory(4 << 10);
    let region = Region::new(&mut memory);
    for (size, align) in [(1 << 40, 1), (isize::MAX as usize, 1), (1, 1 << 40), (4, 1 << 31)] {
        assert!(region.allocate(Layout::from_size_align(size, align).expect("one")).is_err());
    }
    let nothing = region.allocate(Layout::new::<()>()).expect("nothing can always be had");
    assert_eq!((nothing.len(), region.free()), (0, region.capacity()));
    region.check();
}

#[test]
fn threads_share_a_region() {
    let mut memory = memory(2 << 10);
    let region = Region::new(&mut memory);
    let steps = if cfg!(miri) { 5 } else { 5_000 };
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let region = &region;
            scope.spawn(move || {
                let mut dice = Dice(thread + 1);
                for _ in 0..steps {
                    let fill = thread as u8;
                    let held: Vec<_> =
                        (0..5).filter_map(|_| Held::new(region, dice.below(90), 8, fill)).collect();
                    held.into_iter().for_each(|block| block.give_back(region));
                }
            });
        }
    });
    region.check();
    assert_eq!(region.free(), region.capacity());
}

/// Small entries leave small gaps, and those that go last lie anywhere.
#[test]
fn a_large_value_finds_its_place_among_small_ones() {
    /// Aligned, so that each run is the same.
    #[repr(align(128))]
    struct Memory([MaybeUninit<u8>; 32 << 10]);

    let (memory_len, large_len, steps) =
        if cfg!(miri) { (8 << 10, 3 << 9, 300) } else { (32 << 10, 6 << 10, 60_000) };
    let mut memory = Box::new(Memory([MaybeUninit::uninit(); 32 << 10]));
    let region = Region::new(&mut memory.0[..memory_len]);
    let (budget, mut dice) = (region.capacity(), Dice(7));
    let mut cache = Cache::<Lru, _>::new_in(budget, Seed::new(7), &region).expect("memory");
    let (mut asked, mut refused) = (0, 0);
    for number in 0..steps {
        let key = (dice.below(2_000) as u32).to_le_bytes();
        if cache.get(&key, Instant::ZERO).is_none() {
            cache.insert(&key, &[7; 40][..dice.below(40)], Instant::ZERO).expect("it fits");
        }
        if number % (steps / 60) == 0 {
            let large = &[7; 6 << 10][..large_len];
            asked += 1;
            refused += u32::from(cache.insert(b"large", large, Instant::ZERO).is_err());
        }
    }
    region.check();
    assert_eq!(refused, 0, "of {asked}");
}

/// What is lent makes room in a budget, and none in a region: what comes after it has to go as well.
#[test]
#[cfg_attr(miri, ignore = "takes an interpreter minutes")]
fn who_holds_the_oldest_values_keeps_no_others_out() {
    let mut memory = memory(16 << 10);
    let region = Region::new(&mut memory);
    let mut cache = Cache::<Lru, _>::new_in(1 << 20, Seed::new(7), &region).expect("memory");
    let mut put = |number: u32| {
        let stored = cache.insert(&number.to_le_bytes(), &[7; 60], Instant::ZERO);
        assert_eq!(stored, Ok(()), "number {number}");
        cache.get(&number.to_le_bytes(), Instant::ZERO)
    };
    let held: Vec<_> = (0..40).map(&mut put).collect();
    (40..400).for_each(|number| drop(put(number)));
    assert!(held.iter().flatten().all(|value| **value == [7; 60]));
    assert!(cache.len() > 40 && cache.lent() >= 40 * 60, "{} left", cache.len());
    cache.check();
    region.check();
}
