//! What fails when there is no memory: each allocation of a run fails once, and then all from it on.
//! Nothing panics, nothing leaks, the books stay right, and whoever asked is answered: with the
//! value wherever there is one.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

mod script;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
    sync::Arc,
    time::Duration,
};

use gocache_core::{
    AddError, DEFAULT_BASE, Error, Eviction, Global, Group, GroupId, Instant, Loader, Lru, Node,
    OutOfMemory, Policy, Ring, RingError, Route, RouteError, S3Fifo, Seed, Settings, SizeAware,
    SpinLock, Value, encode,
};
use script::{
    cache::{self, CacheRun},
    group::{self, GroupRun},
    head,
    meter::{Fails, Gauge, Meter},
    numbers,
};

/// Runs something with each of its allocations failing, and then with all from each one on. Says how
/// many there were.
fn every_failure(run: impl Fn(&Meter)) -> usize {
    for number in 0.. {
        let mut was_reached = false;
        for fails in [Fails::At(number), Fails::From(number)] {
            let meter = Meter::new(fails);
            run(&meter);
            assert_eq!((&meter).live(), 0, "{fails:?}: a leak");
            was_reached = (&meter).calls() > number;
        }
        if !was_reached {
            return number;
        }
    }
    unreachable!("a run ends")
}

const STEPS: usize = 150;

fn run_a_cache<'a, P: Policy<&'a Meter>>(
    meter: &'a Meter,
    (seed, budget): (u64, usize),
    is_lru: bool,
) {
    let setup = cache::Setup {
        budget,
        lifetime: None,
        holds: true,
        clears: !is_lru,
        longest: 2_000,
        is_exact: is_lru,
        recounts: true,
    };
    let mut draw = numbers(seed);
    if let Ok(mut run) = CacheRun::<P, _>::new(setup, meter) {
        (0..STEPS).for_each(|_| run.step(&mut draw));
    }
}

#[test]
fn a_cache_without_memory_stays_whole() {
    for case in [(1, 3 << 10), (2, 20 << 10), (3, 90 << 10)] {
        let lru = every_failure(|meter| run_a_cache::<Lru>(meter, case, true));
        let s3_fifo = every_failure(|meter| run_a_cache::<S3Fifo<_>>(meter, case, false));
        let sized = every_failure(|meter| run_a_cache::<SizeAware<_>>(meter, case, false));
        let least = lru.min(s3_fifo).min(sized);
        assert!(least > 40, "{least} allocations prove little");
    }
}

fn fail_a_group(eviction: Eviction) {
    let head = head(&&Meter::new(Fails::Never));
    for (seed, shards) in [(1, 1), (2, 3)] {
        let settings = Settings {
            budget: 20 << 10,
            eviction,
            lifetime: (seed == 2).then(|| Duration::from_secs(20)),
            shards,
            digests: seed == 2,
            estimates: seed == 2,
            limits: group::tight(),
            ..Settings::default()
        };
        let allocations = every_failure(|meter| {
            let settings = settings.clone();
            let setup = group::Setup {
                settings,
                holds: true,
                has_peer: true,
                longest: 2_000,
                recounts: true,
            };
            let mut draw = numbers(seed);
            if let Ok(mut run) = GroupRun::new(setup, head, meter) {
                (0..STEPS).for_each(|_| run.step(&mut draw));
                run.finish();
            }
        });
        println!("{allocations}");
        assert!(allocations > 100, "{allocations} allocations prove little");
    }
}

#[test]
fn a_group_without_memory_stays_whole_and_answers() {
    fail_a_group(Eviction::Lru);
    fail_a_group(Eviction::S3Fifo);
    fail_a_group(Eviction::SizeAware);
}

type Getting<'a, G> = Loader<G, SpinLock, &'a Meter>;

/// Asks a group for a few keys; what is there has to come, and what fails has to say why.
fn ask<'a, G: gocache_core::Getter<&'a Meter>>(loader: &Getting<'a, G>, meter: &'a Meter) {
    for number in 0..60_usize {
        let key = [(number * number % 23) as u8];
        meter.mark();
        match loader.get(&key, Instant::ZERO) {
            Ok(value) => assert_eq!(*value, *answer(&key)),
            Err(error) => assert!(error == Error::OutOfMemory && meter.failed(), "{error:?}"),
        }
        assert_eq!(loader.group().stats().flights, 0, "no load is left behind");
        loader.group().check();
    }
}

fn answer(key: &[u8]) -> Vec<u8> {
    vec![key[0]; usize::from(key[0]) * 9]
}

#[test]
fn a_getter_without_memory_answers() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo, Eviction::SizeAware] {
        let allocations = every_failure(|meter| {
            let settings = Settings { budget: 2 << 10, eviction, ..Settings::default() };
            let group: Result<Group<SpinLock, &Meter>, OutOfMemory> =
                Group::new_in("scores", settings, Seed::new(7), meter);
            let Ok(group) = group else { return };
            let getter = |key: &[u8]| Ok(Value::new_in(&answer(key), meter)?);
            ask(&group.with_getter(getter), meter);
        });
        assert!(allocations > 50, "{allocations} allocations prove little");
    }
}

/// The system's memory, of which a thread gets as many pieces as it has left.
struct Rationed;

thread_local! {
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[global_allocator]
static RATIONED: Rationed = Rationed;

// SAFETY: all memory is the system's, and given back to it with the layout it came with.
unsafe impl GlobalAlloc for Rationed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = LEFT.get();
        LEFT.set(left.saturating_sub(1));
        // SAFETY: the caller's promise, passed on.
        if left > 0 { unsafe { System.alloc(layout) } } else { ptr::null_mut() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

/// Does something that gets so many pieces of memory and no more.
fn with_pieces<T>(count: usize, act: impl FnOnce() -> T) -> T {
    LEFT.set(count);
    let done = act();
    LEFT.set(usize::MAX);
    done
}

#[test]
fn a_target_is_read_or_there_was_no_memory() {
    let parse = |target| Route::parse(DEFAULT_BASE, target).map(drop);
    let plain = b"/_gocache/scores/Tom";
    assert_eq!(with_pieces(0, || parse(plain)), Ok(()), "what is not encoded is borrowed");
    let encoded = b"/_gocache/my%20scores/Tom%20%26%20Ann";
    for pieces in [0, 1] {
        assert_eq!(with_pieces(pieces, || parse(encoded)), Err(RouteError::OutOfMemory));
    }
    assert_eq!(with_pieces(2, || parse(encoded)), Ok(()));
}

#[test]
fn a_target_is_written_without_memory() {
    let target = || Route::target(DEFAULT_BASE, b"my scores", b"a/b");
    assert!(with_pieces(0, || target().eq("/_gocache/my%20scores/a%2Fb".chars())));
    assert!(with_pieces(0, || encode(b"a/b").eq("a%2Fb".chars())));
}

#[test]
fn a_ring_is_made_or_there_was_no_memory() {
    let ring = || Ring::new(&["one", "two", "three"]);
    for pieces in 0..3 {
        let error = with_pieces(pieces, ring).expect_err("it takes three pieces");
        assert_eq!(error, RingError::OutOfMemory);
    }
    let ring = with_pieces(3, ring).expect("it takes three pieces");
    assert_eq!(with_pieces(0, || ring.try_clone()).err(), Some(OutOfMemory));
    let clone = with_pieces(1, || ring.try_clone()).expect("it takes one piece");
    assert_eq!(clone.fingerprint(), ring.fingerprint());
    for key in 0..100_u32 {
        assert_eq!(clone.owner(&key.to_le_bytes()), ring.owner(&key.to_le_bytes()));
    }
}

#[test]
fn a_node_without_memory_for_a_group_is_not_changed() {
    let group = || {
        let settings = Settings { budget: 4 << 10, ..Settings::default() };
        Arc::new(Group::new("scores", settings, Seed::new(7)).expect("memory"))
    };
    let mut node: Node<SpinLock, Global, Arc<Group>> = Node::new_in(Global);
    for pieces in [0, 1] {
        let group = group();
        let adopted = with_pieces(pieces, || node.adopt(GroupId(900), group));
        assert_eq!(adopted.err(), (pieces == 0).then_some(AddError::OutOfMemory));
        let next = if pieces == 0 { GroupId(0) } else { GroupId(901) };
        let named = Group::new(format!("group {pieces}"), Settings::default(), Seed::new(7));
        assert_eq!(node.add(Arc::new(named.expect("memory"))), Ok(next));
    }
    assert_eq!(node.groups().count(), 3);
}
