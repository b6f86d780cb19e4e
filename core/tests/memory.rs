//! All memory is counted, and never more of it than there may be: with a global allocator that
//! counts to the byte, after each operation of long runs and within it.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

mod script;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    time::Duration,
};

use allocator_api2::alloc::Global;
use gocache_core::{
    Asker, Cache, Eviction, Get, Group, Instant, LoadError, Lru, Node, Policy, S3Fifo, Seed,
    Settings, SizeAware, Value, Waiter,
};
use script::{
    KEYS, LONGEST, Texts,
    cache::{self, CacheRun},
    group::{self, GroupRun},
    head,
    meter::{Counts, Fails, Gauge, Meter},
    numbers,
};

/// The system's memory, counted for each thread: so no test disturbs another one.
struct Counting;

thread_local! {
    static COUNTS: Counts = const { Counts::new() };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: all memory is the system's, and given back to it with the layout it came with. What is
// moved comes from `alloc`, so that a peak has both places.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNTS.with(|counts| counts.taken(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        COUNTS.with(|counts| counts.given_back(layout.size()));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

impl Gauge for Global {
    fn live(&self) -> usize {
        COUNTS.with(Counts::live)
    }

    fn peak(&self) -> usize {
        COUNTS.with(Counts::peak)
    }

    fn calls(&self) -> usize {
        COUNTS.with(Counts::calls)
    }

    fn failed(&self) -> bool {
        false
    }

    fn mark(&self) {
        COUNTS.with(Counts::mark);
    }
}

const BUDGETS: [usize; 8] = [0, 700, 2 << 10, 5_000, 16 << 10, 64 << 10, 200 << 10, 1 << 20];
const ROUNDS: u64 = if cfg!(miri) { 6 } else { 64 };
const STEPS: usize = if cfg!(miri) { 40 } else { 1_000 };

fn cache_setup(round: u64, is_lru: bool) -> cache::Setup {
    let is_plain = round % 16 < 8;
    cache::Setup {
        budget: BUDGETS[round as usize % BUDGETS.len()],
        lifetime: (!is_plain).then(|| Duration::from_secs(20)),
        holds: (round / 16).is_multiple_of(2),
        clears: !is_plain,
        longest: if round.is_multiple_of(3) { 60 } else { LONGEST },
        is_exact: is_lru && is_plain,
        recounts: true,
    }
}

fn run_cache<P: Policy<Global>>(is_lru: bool) {
    Texts::new();
    for round in 0..ROUNDS {
        let setup = cache_setup(round, is_lru);
        println!("round {round}: {setup:?}");
        let mut draw = numbers(round);
        let before = Global.live();
        let mut run = CacheRun::<P, _>::new(setup, Global).expect("memory");
        (0..STEPS).for_each(|_| run.step(&mut draw));
        drop(run);
        assert_eq!(Global.live(), before, "every byte came back");
    }
}

#[test]
fn a_cache_takes_what_it_says_and_no_more_than_it_may() {
    run_cache::<Lru>(true);
    run_cache::<S3Fifo>(false);
    run_cache::<SizeAware>(false);
}

fn group_setup(round: u64, eviction: Eviction) -> group::Setup {
    let is_timed = round.is_multiple_of(3);
    let settings = Settings {
        budget: BUDGETS[round as usize % BUDGETS.len()],
        eviction,
        lifetime: is_timed.then(|| Duration::from_secs(20)),
        jitter: if is_timed { 100 } else { 0 },
        shards: [1, 1, 3, 8][round as usize / 8 % 4],
        digests: round % 5 < 2,
        estimates: round % 7 < 2,
        limits: group::tight(),
    };
    let longest = if round.is_multiple_of(2) { LONGEST } else { 200 };
    let (holds, has_peer) = ((round / 16).is_multiple_of(2), (round / 32).is_multiple_of(2));
    group::Setup { settings, holds, has_peer, longest, recounts: true }
}

fn run_group(eviction: Eviction) {
    Texts::new();
    let head = head(&Global);
    for round in 0..ROUNDS {
        let setup = group_setup(round, eviction);
        println!("round {round}: {setup:?}");
        let mut draw = numbers(round);
        let before = Global.live();
        let mut run = GroupRun::new(setup, head, Global).expect("memory");
        (0..STEPS).for_each(|_| run.step(&mut draw));
        run.finish();
        assert_eq!(Global.live(), before, "every byte came back");
    }
}

#[test]
fn a_group_takes_what_it_says_and_no_more_than_it_may() {
    run_group(Eviction::Lru);
    run_group(Eviction::S3Fifo);
    run_group(Eviction::SizeAware);
}

/// What is given an allocator takes nothing from anywhere else.
#[test]
fn an_allocator_is_the_only_one() {
    Texts::new();
    for round in 0..ROUNDS / 4 {
        let meter = Meter::new(Fails::Never);
        let setup = cache::Setup { recounts: false, ..cache_setup(round, false) };
        let mut run = CacheRun::<S3Fifo<_>, _>::new(setup, &meter).expect("memory");
        let (mut draw, before) = (numbers(round), Global.calls());
        (0..STEPS).for_each(|_| run.step(&mut draw));
        assert_eq!(
            Global.calls(),
            before,
            "round {round}: all memory of a cache is its allocator's"
        );
        drop(run);
        assert_eq!((&meter).live(), 0);

        let setup = group::Setup { recounts: false, ..group_setup(round, Eviction::Lru) };
        let mut run = GroupRun::new(setup, head(&&meter), &meter).expect("memory");
        let (mut draw, before) = (numbers(round), Global.calls());
        (0..STEPS).for_each(|_| run.step(&mut draw));
        assert_eq!(
            Global.calls(),
            before,
            "round {round}: all memory of a group is its allocator's"
        );
        run.finish();
        assert_eq!((&meter).live(), 0);
    }
}

const HITS: usize = if cfg!(miri) { 100 } else { 10_000 };
const NOW: Instant = Instant::ZERO;

/// Runs something many times, which must be hits, and which must not allocate.
fn without_memory(mut hit: impl FnMut(&[u8]) -> bool) {
    let (calls, live) = (Global.calls(), Global.live());
    for number in 0..HITS {
        assert!(hit(&[(number % KEYS) as u8]));
    }
    assert_eq!((Global.calls(), Global.live()), (calls, live), "a hit allocates nothing");
}

fn hit_a_cache<P: Policy<Global>>() {
    let mut cache: Cache<P> = Cache::new(64 << 10, Seed::new(7)).expect("memory");
    for number in 0..KEYS {
        cache.insert(&[number as u8], &[7; 100], NOW).expect("it fits");
    }
    without_memory(|key| cache.get(key, NOW).is_some());
}

#[test]
fn a_hit_allocates_nothing() {
    hit_a_cache::<Lru>();
    hit_a_cache::<S3Fifo>();
    hit_a_cache::<SizeAware>();
    for (eviction, shards) in
        [(Eviction::Lru, 1), (Eviction::Lru, 8), (Eviction::S3Fifo, 1), (Eviction::SizeAware, 8)]
    {
        let lifetime = (shards == 8).then(|| Duration::from_secs(20));
        let settings =
            Settings { eviction, shards, lifetime, estimates: true, ..Settings::default() };
        let group = || Group::new("scores", settings.clone(), Seed::new(7)).expect("memory");
        let mut node = Node::new();
        let id = node.add(group()).expect("the first one");
        let loader =
            group().with_getter(|_: &[u8]| -> Result<Value, LoadError> { Err(LoadError::Failed) });
        for number in 0..KEYS {
            for group in [node.group(id).expect("the only group"), loader.group()] {
                group.insert(&[number as u8], &[7; 100], None, NOW).expect("it fits");
            }
        }
        let waiter = Waiter(1);
        without_memory(|key| {
            matches!(node.get(id, key, Asker::Client, waiter, NOW), Ok(Get::Hit(_)))
        });
        without_memory(|key| loader.get(key, NOW).is_ok());
    }
}
