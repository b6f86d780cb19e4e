//! What each verb answers, once around.

use std::{ops::Range, time::Duration};

use gocache::{Config, Engine};
use gocache_core::{
    Asker, Error, Found, Get, GroupId, Instant, Landing, Load, LoadError, PeerId, Source, Stats,
    Value, Waiter,
};
use gocache_wasi::{Settings, WasiEngine};

use crate::{
    COMPONENT, FRESH, SCORES, ZERO, change, engine, fetch, get, land, ring, settings, value,
};

#[test]
fn miss_land_hit() {
    let engine = engine();
    let fetch = fetch(&engine, b"Tom\0\xff", 7);
    assert_eq!(
        (fetch.group(), fetch.key(), fetch.source()),
        (SCORES, &b"Tom\0\xff"[..], Source::Origin)
    );
    let done = land(&engine, fetch, value(b"630"));
    let found = Found { value: Value::new(b"630").unwrap(), age: None };
    assert_eq!((done.group, done.result), (SCORES, Ok(found.clone())));
    assert_eq!(done.waiters, [Waiter(7)]);
    let Get::Hit(hit) = get(&engine, b"Tom\0\xff", 8) else { panic!("a hit") };
    assert_eq!(hit, found);
    let stats: Vec<_> = engine.stats().into_iter().map(|(_, stats)| stats).collect();
    assert_eq!(
        (stats[0].gets, stats[0].hits, stats[0].entries, stats[0].budget),
        (2, 1, 1, 1 << 20)
    );
    assert_eq!((stats.len(), stats[1].gets), (2, 0));
}

#[test]
fn of_many_who_ask_one_loads() {
    let engine = engine();
    let fetch = fetch(&engine, b"Tom", 1);
    for waiter in 2..=4 {
        assert!(matches!(get(&engine, b"Tom", waiter), Get::Wait));
    }
    let fifth = engine.get(SCORES, b"Tom", Asker::Client, Waiter(5), ZERO);
    assert_eq!(fifth.unwrap_err(), Error::Busy);
    assert_eq!(land(&engine, fetch, value(b"630")).waiters, [1, 2, 3, 4].map(Waiter));
}

#[test]
fn each_end_of_a_load_is_told() {
    let engine = engine();
    let ends = [
        (LoadError::NotFound, Error::NotFound),
        (LoadError::Failed, Error::Failed),
        (LoadError::TimedOut, Error::TimedOut),
        (LoadError::Busy, Error::Busy),
        (LoadError::Panicked, Error::Panicked),
        (LoadError::PeerDown, Error::Failed),
        (LoadError::OutOfMemory, Error::OutOfMemory),
    ];
    for (end, told) in ends {
        let fetch = fetch(&engine, b"Tom", 1);
        assert_eq!(land(&engine, fetch, Err(end)).result, Err(told));
    }
}

#[test]
fn a_load_that_takes_too_long_is_given_up() {
    let engine = engine();
    let fetch = fetch(&engine, b"Tom", 1);
    assert!(engine.overdue(Instant::from_millis(4_999)).is_none());
    let overdue = engine.overdue(Instant::from_millis(5_000)).unwrap();
    assert_eq!((overdue.result, &*overdue.waiters), (Err(Error::TimedOut), &[Waiter(1)][..]));
    assert!(engine.overdue(Instant::from_millis(5_000)).is_none());
    assert_eq!(land(&engine, fetch, value(b"630")).waiters, []);
    assert!(matches!(get(&engine, b"Tom", 2), Get::Fetch(_)), "what came too late is not kept");
}

#[test]
fn what_is_put_is_a_hit_and_what_is_removed_is_none() {
    let engine = engine();
    let before = fetch(&engine, b"Tom", 1);
    assert_eq!(engine.put(SCORES, b"Tom", b"new", ZERO), Ok(()));
    land(&engine, before, value(b"old"));
    let Get::Hit(hit) = get(&engine, b"Tom", 2) else { panic!("a hit") };
    assert_eq!(&*hit.value, b"new");
    assert!(engine.remove(SCORES, b"Tom", ZERO) && !engine.remove(SCORES, b"Tom", ZERO));
    assert!(matches!(get(&engine, b"Tom", 3), Get::Fetch(_)));
    assert_eq!(engine.put(SCORES, b"Tom", &[7; 1 << 20], ZERO), Err(Error::TooLarge));
    assert_eq!(engine.put(SCORES, &[0; 65], b"", ZERO), Err(Error::KeyTooLong { limit: 64 }));
    let stats = engine.stats()[0].1;
    assert_eq!((stats.puts, stats.removals), (2, 2));
}

#[test]
fn values_age_where_their_group_says_so() {
    let engine = engine();
    let ask = |at| engine.get(FRESH, b"Tom", Asker::Client, Waiter(1), Instant::from_millis(at));
    let Ok(Get::Fetch(fetch)) = ask(0) else { panic!("a load") };
    land(&engine, fetch, value(b"630"));
    let Ok(Get::Hit(hit)) = ask(9_980) else { panic!("a hit") };
    assert_eq!(hit.age, Some(Duration::from_millis(9_980)));
    assert!(matches!(ask(10_000), Ok(Get::Fetch(_))));
}

#[test]
fn a_load_may_bring_a_lifetime_of_its_own() {
    let engine = engine();
    let fetch = fetch(&engine, b"Tom", 1);
    let lifetime = Some(Duration::from_secs(1));
    land(&engine, fetch, value(b"630").map(|load| Load { lifetime, ..load }));
    let ask = |at| {
        engine.get(SCORES, b"Tom", Asker::Client, Waiter(1), Instant::from_millis(at)).unwrap()
    };
    assert!(matches!(ask(980), Get::Hit(_)));
    assert!(matches!(ask(1_000), Get::Fetch(_)));
}

#[test]
fn lifetimes_are_cut_short_by_their_jitter() {
    let mut settings = settings();
    change(&mut settings, 0, |group| group.lifetime = Some(Duration::from_secs(10)));
    change(&mut settings, 0, |group| group.jitter = 128);
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    for key in 0..64 {
        let fetch = fetch(&engine, &[key], 1);
        land(&engine, fetch, value(b"630"));
    }
    let hits = [5_000, 7_500, 10_000].map(|at| {
        let is_hit = |key: &u8| {
            let got = engine.get(SCORES, &[*key], Asker::Peer, Waiter(1), Instant::from_millis(at));
            matches!(got, Ok(Get::Hit(_)))
        };
        (0..64).filter(is_hit).count()
    });
    assert!(hits[0] > 60 && (10..54).contains(&hits[1]) && hits[2] == 0, "{hits:?}");
}

#[test]
fn a_key_of_another_node_comes_from_there_and_else_from_the_origin() {
    let engine =
        WasiEngine::new(&COMPONENT, Settings { ring: Some(ring()), ..settings() }).unwrap();
    let keys = (0..100u32).map(|key| key.to_string());
    let source = |key: &String| match get(&engine, key.as_bytes(), 1) {
        Get::Fetch(fetch) => {
            let from = fetch.source();
            (from != Source::Origin).then_some(fetch)
        }
        other => panic!("a load, not {other:?}"),
    };
    let fetch = keys.take(8).find_map(|key| source(&key)).expect("other nodes own two thirds");
    assert!(matches!(fetch.source(), Source::Peer(PeerId(1 | 2))));
    let (key, flight) = (fetch.key().to_vec(), fetch.flight());
    let Landing::Refetch(again) = engine.land(fetch, Err(LoadError::PeerDown), ZERO) else {
        panic!("the origin is left")
    };
    assert_eq!((again.key(), again.flight(), again.source()), (&*key, flight, Source::Origin));
    let age = Duration::from_millis(1_500);
    let done = land(&engine, again, value(b"630").map(|load| Load { age, ..load }));
    assert_eq!(done.waiters, [Waiter(1)]);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let engine = engine();
    let ask = |group, key: &[u8]| engine.get(group, key, Asker::Peer, Waiter(1), ZERO).unwrap_err();
    assert_eq!(ask(SCORES, &[0; 65]), Error::KeyTooLong { limit: 64 });
    assert_eq!(ask(GroupId(2), b"Tom"), Error::NoSuchGroup);
    assert!(matches!(get(&engine, b"Tom", 1), Get::Fetch(_)), "it goes on");
    assert_eq!(engine.stats()[0].1.gets, 1, "in the same instance");
}

#[test]
fn a_budget_fills_up_whatever_the_allocator_adds() {
    const BUDGET: usize = 32 << 20;
    let config = format!(
        "[origins.api]\nkind = \"http\"\nurl = \"http://localhost:1/\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = {BUDGET}\n[limits]\nvalue_bytes = 1048576\n"
    );
    let mut settings = Settings::new(&Config::from_toml(&config).unwrap(), 1);
    settings.instances = 1;
    // What is granted beside the caches, and the largest values, would hide what they need.
    settings.memory_bytes = Some(2 * BUDGET + (7 << 20));
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    let fill = |keys: Range<u32>, value_bytes: usize| {
        for key in keys {
            let fetch = fetch(&engine, &key.to_le_bytes(), 1);
            let done = land(&engine, fetch, value(&vec![7; value_bytes]));
            assert_eq!(done.waiters, [Waiter(1)], "at {key}");
        }
        engine.stats()[0].1
    };
    let refused = |stats: &Stats| stats.refused_too_large + stats.refused_no_memory;
    let small = fill(0..900_000, 1);
    assert!(small.evictions > 0 && refused(&small) == 0, "{small:?}");
    // The worst for an allocator: the pieces of the small ones hold the large ones up.
    let large = fill(1_000_000..1_000_200, 1 << 20);
    assert!(large.evictions > small.evictions && refused(&large) == 0, "{large:?}");
}
