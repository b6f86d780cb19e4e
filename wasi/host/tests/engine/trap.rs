//! A trap, had honestly: the budget is larger than the memory that the host grants.

use gocache::Engine;
use gocache_core::{Asker, Error, Fetch, Get, GroupId, Instant, Waiter};
use gocache_wasi::{Settings, WasiEngine};

use crate::{COMPONENT, SCORES, ZERO, fetch, get, land, settings, value};

fn cramped() -> WasiEngine {
    let mut settings = Settings { memory_bytes: 4 << 20, ..settings() };
    settings.groups[0].settings.budget = 1 << 30;
    WasiEngine::new(&COMPONENT, settings).unwrap()
}

/// Lands what the memory has no room for, not even on its way in.
fn trap(engine: &WasiEngine) {
    let fetch = fetch(engine, b"large", 99);
    assert_eq!(land(engine, fetch, value(&[7; 8 << 20])).result, Err(Error::Panicked));
}

#[test]
fn the_next_request_is_served() {
    let engine = cramped();
    trap(&engine);
    assert_eq!(engine.stats()[0].1.entries, 0, "the cache begins anew");
    let fetch = fetch(&engine, b"Tom", 1);
    assert_eq!(land(&engine, fetch, value(b"630")).waiters, [Waiter(1)]);
    assert!(matches!(get(&engine, b"Tom", 2), Get::Hit(_)));
    trap(&engine);
    assert!(matches!(get(&engine, b"Tom", 3), Get::Fetch(_)), "and again");
}

#[test]
fn a_lost_load_wakes_every_waiter_once() {
    let engine = cramped();
    let fresh = GroupId(1);
    let _lost: Fetch = fetch(&engine, b"Tom", 1);
    assert!(matches!(get(&engine, b"Tom", 2), Get::Wait));
    // One number may wait for two loads, and for one load twice.
    assert!(matches!(get(&engine, b"Tom", 2), Get::Wait));
    assert!(matches!(engine.get(fresh, b"Tom", Asker::Client, Waiter(2), ZERO), Ok(Get::Fetch(_))));
    let landed = fetch(&engine, b"Ann", 3);
    land(&engine, landed, value(b"1"));
    trap(&engine);

    let mut told = Vec::new();
    while let Some(done) = engine.overdue(ZERO) {
        assert_eq!(done.result, Err(Error::Panicked));
        told.extend(done.waiters.iter().map(|waiter| (done.group, waiter.0)));
    }
    told.sort_unstable_by_key(|&(group, waiter)| (group.0, waiter));
    assert_eq!(told, [(SCORES, 1), (SCORES, 2), (SCORES, 2), (SCORES, 99), (fresh, 2)]);
    assert!(engine.overdue(Instant::from_millis(60_000)).is_none(), "nobody is told twice");
}

#[test]
fn what_a_lost_load_brings_has_no_effect() {
    let engine = cramped();
    let lost = fetch(&engine, b"Tom", 1);
    trap(&engine);
    // The fresh instance numbers its loads anew; the engine does not.
    let again = fetch(&engine, b"Tom", 2);
    assert!(again.flight() > lost.flight());
    assert_eq!(land(&engine, lost, value(b"old")).waiters, []);
    assert_eq!(land(&engine, again, value(b"new")).waiters, [Waiter(2)]);
    let Get::Hit(hit) = get(&engine, b"Tom", 3) else { panic!("a hit") };
    assert_eq!(&*hit.value, b"new");
}

#[test]
fn a_put_that_traps_is_an_error_and_a_removal_is_done_even_so() {
    let engine = cramped();
    let lost = fetch(&engine, b"Tom", 1);
    assert_eq!(engine.put(SCORES, b"large", &[7; 8 << 20], ZERO), Err(Error::Panicked));
    assert!(!engine.remove(SCORES, b"large", ZERO));
    assert_eq!(engine.put(SCORES, b"Tom", b"630", ZERO), Ok(()));
    land(&engine, lost, value(b"old"));
    let Get::Hit(hit) = get(&engine, b"Tom", 2) else { panic!("a hit") };
    assert_eq!(&*hit.value, b"630");
}

#[test]
fn a_value_that_memory_takes_but_once_is_refused_without_a_trap() {
    let engine = cramped();
    let first = fetch(&engine, b"Tom", 1);
    land(&engine, first, value(b"630"));
    let large = fetch(&engine, b"large", 2);
    let done = land(&engine, large, value(&[7; 7 << 18]));
    assert_eq!((done.result, &*done.waiters), (Err(Error::OutOfMemory), &[Waiter(2)][..]));
    assert!(matches!(get(&engine, b"Tom", 3), Get::Hit(_)), "what is cached stays so");
}
