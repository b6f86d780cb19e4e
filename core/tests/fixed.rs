//! Fixed mode: a region is all the memory that a cache or a group has. Nothing comes from anywhere
//! else, however long it runs and whatever it has to evict for it, and all of it comes back.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

mod script;

use std::{
    alloc::{GlobalAlloc, System},
    cell::Cell,
    io::{self, Write},
    mem::MaybeUninit,
    process,
    ptr::NonNull,
    thread,
    time::Duration,
};

use allocator_api2::alloc::{AllocError, Allocator, Layout};
use gocache_core::{Eviction, Limits, Lru, Policy, Region, S3Fifo, Settings, SizeAware};
use script::{
    cache::{self, CacheRun},
    group::{self, GroupRun},
    head,
    meter::{Counts, Gauge},
    numbers,
};

/// The system's memory. Ends the program where a thread asks for it that may not.
struct Elsewhere;

thread_local! {
    static IS_CONFINED: Cell<bool> = const { Cell::new(false) };
}

#[global_allocator]
static ELSEWHERE: Elsewhere = Elsewhere;

// SAFETY: all memory is the system's, and given back to it with the layout it came with.
unsafe impl GlobalAlloc for Elsewhere {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // What a failed assertion says takes memory too.
        if IS_CONFINED.get() && !thread::panicking() {
            // Nothing can be done about it: a panic would need memory itself.
            let _ = io::stderr().write_all(b"memory came from elsewhere than the region\n");
            process::abort();
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

/// Does something that may ask nobody but the region for memory.
fn confined(act: impl FnOnce()) {
    IS_CONFINED.set(true);
    act();
    IS_CONFINED.set(false);
}

/// A region that counts what is asked of it, to the byte. `&Fixed` is the allocator.
struct Fixed<'a> {
    region: &'a Region<'a>,
    counts: Counts,
    failed: Cell<bool>,
}

impl<'a> Fixed<'a> {
    const fn new(region: &'a Region<'a>) -> Self {
        Self { region, counts: Counts::new(), failed: Cell::new(false) }
    }
}

// SAFETY: the region's own promise.
unsafe impl Allocator for &Fixed<'_> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let block = self.region.allocate(layout);
        match block {
            Ok(_) => self.counts.taken(layout.size()),
            Err(_) => self.failed.set(true),
        }
        block
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.counts.given_back(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { self.region.deallocate(block, layout) };
    }
}

impl Gauge for &Fixed<'_> {
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

/// An interpreter has not the time for as many, nor for recounts.
const STEPS: usize = if cfg!(miri) { 40 } else { 2_000 };
const REGIONS: &[usize] =
    if cfg!(miri) { &[8 << 10] } else { &[8 << 10, 20 << 10, 60 << 10, 300 << 10] };
const RECOUNTS: &[bool] = if cfg!(miri) { &[false] } else { &[false, true] };

/// Runs something in regions of several sizes: with a budget of all of it, so that the region is
/// what runs out, and with one that leaves some. Once watched for allocations elsewhere, once with
/// a recount after each step, for which the recount itself allocates.
fn in_regions(run: impl Fn(&Fixed<'_>, usize, bool)) {
    for &bytes in REGIONS {
        for quarters in [3, 4] {
            for &recounts in RECOUNTS {
                let mut memory = vec![MaybeUninit::uninit(); bytes];
                let region = Region::new(&mut memory);
                run(&Fixed::new(&region), region.capacity() / 4 * quarters, recounts);
                region.check();
                assert_eq!(region.free(), region.capacity(), "all of it came back");
            }
        }
    }
}

/// A step of a run.
fn step(fixed: &Fixed<'_>, recounts: bool, act: impl FnOnce()) {
    if recounts {
        act();
        fixed.region.check();
    } else {
        confined(act);
    }
}

fn run_caches<'a, P: Policy<&'a Fixed<'a>>>(fixed: &'a Fixed<'a>, budget: usize, recounts: bool) {
    for (seed, holds) in [(1, false), (2, true)] {
        let setup = cache::Setup {
            budget,
            lifetime: holds.then(|| Duration::from_secs(20)),
            holds,
            clears: holds,
            longest: budget / 8,
            is_exact: false,
            recounts,
        };
        let mut draw = numbers(seed);
        let mut run = CacheRun::<P, _>::new(setup, fixed).expect("room for the tables");
        for _ in 0..STEPS {
            step(fixed, recounts, || run.step(&mut draw));
        }
    }
}

#[test]
fn a_cache_lives_in_a_region() {
    in_regions(|fixed, budget, recounts| {
        run_caches::<Lru>(fixed, budget, recounts);
        run_caches::<S3Fifo<_>>(fixed, budget, recounts);
        run_caches::<SizeAware<_>>(fixed, budget, recounts);
    });
}

#[test]
fn a_group_lives_in_a_region() {
    in_regions(|fixed, budget, recounts| {
        let head = head(&fixed);
        for (seed, eviction) in
            [(1, Eviction::Lru), (2, Eviction::S3Fifo), (3, Eviction::SizeAware)]
        {
            let limits = Limits { flights: 6, waiters: 4, ..group::tight() };
            let settings = Settings {
                budget,
                eviction,
                lifetime: (seed == 2).then(|| Duration::from_secs(20)),
                shards: seed,
                limits,
                ..Settings::default()
            };
            let setup = group::Setup {
                settings,
                holds: true,
                has_peer: true,
                longest: budget / 8,
                recounts,
            };
            let mut draw = numbers(u64::from(seed));
            let mut run = GroupRun::new(setup, head, fixed).expect("room for the tables");
            for _ in 0..STEPS {
                step(fixed, recounts, || run.step(&mut draw));
            }
            run.finish();
        }
    });
}
