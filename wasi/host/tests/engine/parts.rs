//! Several instances share the keys, the budgets and the loads: together they are one cache.

use std::collections::HashSet;

use gocache::{Config, Engine};
use gocache_core::{Error, Get, Waiter};
use gocache_wasi::{Settings, WasiEngine};

use crate::{COMPONENT, SCORES, ZERO, change, fetch, get, land, settings, value};

fn engine(instances: usize) -> WasiEngine {
    let mut settings = Settings { instances, ..settings() };
    change(&mut settings, 0, |group| group.budget = 1_000_003);
    WasiEngine::new(&COMPONENT, settings).unwrap()
}

#[test]
fn each_key_is_in_one_of_them() {
    let engine = engine(3);
    let mut flights = HashSet::new();
    for key in 0..90_u8 {
        let first = fetch(&engine, &[key], 1);
        assert!(flights.insert(first.flight()), "no two loads have a number in common");
        assert!(matches!(get(&engine, &[key], 2), Get::Wait), "all who ask are told the same");
        assert_eq!(land(&engine, first, value(&[key])).waiters, [Waiter(1), Waiter(2)]);
    }
    for key in 0..90_u8 {
        let Get::Hit(hit) = get(&engine, &[key], 3) else { panic!("a hit") };
        assert_eq!(&*hit.value, [key]);
    }
    let stats = engine.stats();
    assert_eq!((stats.len(), stats[0].0), (2, SCORES));
    let scores = stats[0].1;
    assert_eq!((scores.gets, scores.hits, scores.waits, scores.entries), (270, 90, 90, 90));
    assert_eq!(scores.budget, 1_000_003, "to the byte");
    assert_eq!(engine.put(SCORES, &[7], b"new", ZERO), Ok(()));
    let Get::Hit(hit) = get(&engine, &[7], 3) else { panic!("a hit") };
    assert_eq!(&*hit.value, b"new");
    assert!(engine.remove(SCORES, &[7], ZERO) && !engine.remove(SCORES, &[7], ZERO));
}

#[test]
fn no_more_loads_are_in_the_air_than_a_group_may_have() {
    let engine = engine(3);
    let asked = (0..200_u8)
        .map(|key| engine.get(SCORES, &[key], gocache_core::Asker::Client, Waiter(1), ZERO));
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked.iter().filter(|got| got.is_ok()).count(), 8);
    assert!(asked.iter().all(|got| !matches!(got, Err(error) if *error != Error::Busy)));
}

#[test]
fn loads_that_take_too_long_end_in_each_of_them() {
    let mut settings = Settings { instances: 3, ..settings() };
    // All keys may fall to one instance, which has a third of this.
    change(&mut settings, 0, |group| group.limits.flights = 30);
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    let keys = (0..4_u8).map(|key| fetch(&engine, &[key], key.into()));
    let keys: Vec<_> = keys.collect();
    let late = gocache_core::Instant::from_millis(5_000);
    let mut told: Vec<_> = std::iter::from_fn(|| engine.overdue(late))
        .flat_map(|done| done.waiters.iter().map(|waiter| waiter.0).collect::<Vec<_>>())
        .collect();
    told.sort_unstable();
    assert_eq!((told, keys.len()), (vec![0, 1, 2, 3], 4));
}

/// How many there are, and what one may need, for a budget and so many loops.
fn instances(budget: &str, loops: usize, limits: &str) -> usize {
    let text = format!(
        "loops = {loops}\n[origins.api]\nkind = \"http\"\nurl = \"http://localhost:1/\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"{budget}\"\n[limits]\n{limits}"
    );
    Settings::new(&Config::from_toml(&text).unwrap(), 1).instances
}

#[test]
fn there_is_one_for_each_loop_where_the_budget_is_worth_it() {
    assert_eq!(instances("1 GiB", 4, ""), 4);
    assert_eq!(instances("1 MiB", 4, ""), 1);
    assert_eq!(instances("33 MiB", 4, ""), 2);
    assert_eq!(instances("1 GiB", 4, "flights = 8"), 1, "a limit is not split to nothing");
    assert_eq!(instances("12 GiB", 2, ""), 7, "and as many as have room for it");
}
