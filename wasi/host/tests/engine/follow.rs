//! Other settings are taken on by instances that run: what stays keeps its values, what is in the air
//! lands. The suite of the workspace has what clients see of it.

use std::sync::Arc;

use gocache::{Config, Engine};
use gocache_core::{Asker, Error, Get, GroupId, Landing, Waiter};
use gocache_wasi::{Settings, WasiEngine};

use crate::{COMPONENT, SCORES, ZERO, fetch, get, land, value};

fn config(groups: &[(&str, &str)]) -> Config {
    let groups = groups.iter().map(|(name, budget)| {
        format!("[groups.{name}]\norigin = \"api\"\nbudget = \"{budget}\"\n")
    });
    let origin = "loops = 2\n[origins.api]\nkind = \"http\"\nurl = \"http://localhost:1/\"\n";
    let limits = "[limits]\nvalue_bytes = 1048576\n";
    Config::from_toml(&(origin.to_owned() + &groups.collect::<String>() + limits)).unwrap()
}

fn engine(config: &Config) -> Arc<WasiEngine> {
    let engine = WasiEngine::new(&COMPONENT, Settings::new(config, 1)).unwrap();
    Arc::new(engine)
}

#[test]
fn budgets_grow_and_shrink_and_what_fits_stays() {
    let before = config(&[("scores", "64 MiB")]);
    let engine = engine(&before);
    for key in 0..40_u8 {
        land(&*engine, fetch(&*engine, &[key], 1), value(&vec![key; 1 << 20]));
    }
    let entries = || engine.stats()[0].1.entries;
    assert_eq!(entries(), 40);
    let small = config(&[("scores", "8 MiB")]);
    engine.follow(&before, &small).unwrap();
    let stats = engine.stats()[0].1;
    assert_eq!(stats.budget, 8 << 20);
    assert!(stats.bytes <= 8 << 20 && stats.entries >= 4, "{stats:?}");
    let large = config(&[("scores", "512 MiB")]);
    engine.follow(&small, &large).unwrap();
    for key in 40..240_u8 {
        land(&*engine, fetch(&*engine, &[key], 1), value(&vec![key; 1 << 20]));
    }
    assert_eq!(entries(), stats.entries + 200, "the memory grows with the budget");
    assert_eq!(engine.traps(), Some(0));
}

#[test]
fn a_group_that_is_gone_ends_its_loads() {
    let before = config(&[("scores", "1 MiB")]);
    let engine = engine(&before);
    land(&*engine, fetch(&*engine, b"Tom", 1), value(b"630"));
    let waiting = fetch(&*engine, b"Ann", 2);
    let mut after = config(&[("tables", "1 MiB")]);
    after.groups[0].id = GroupId(1);
    engine.follow(&before, &after).unwrap();
    let Landing::Done(done) = engine.land(waiting, value(b"1"), ZERO) else { panic!("it ends") };
    assert_eq!((done.result.is_ok(), &*done.waiters), (true, &[Waiter(2)][..]));
    engine.follow(&after, &after).unwrap();
    let gone = engine.get(SCORES, b"Tom", Asker::Client, Waiter(3), ZERO);
    assert_eq!(gone.unwrap_err(), Error::NoSuchGroup);
    assert_eq!(engine.stats().len(), 1, "the other one");
}

#[test]
fn a_fresh_instance_has_what_was_told_last() {
    let before = config(&[("scores", "1 MiB")]);
    let engine = engine(&before);
    let after = config(&[("scores", "1 MiB"), ("tables", "2 MiB")]);
    engine.follow(&before, &after).unwrap();
    // A value for which there is no memory on its way in is a trap.
    land(&*engine, fetch(&*engine, b"large", 1), value(&vec![7; 100 << 20]));
    assert_eq!(engine.traps(), Some(1));
    assert!(matches!(get(&*engine, b"Tom", 2), Get::Fetch(_)));
    let budgets: Vec<_> = engine.stats().iter().map(|(_, stats)| stats.budget).collect();
    assert_eq!(budgets, [1 << 20, 2 << 20]);
}

#[test]
fn what_has_no_room_changes_nothing() {
    let before = config(&[("scores", "1 MiB")]);
    let engine = engine(&before);
    land(&*engine, fetch(&*engine, b"Tom", 1), value(b"630"));
    let why = engine.follow(&before, &config(&[("scores", "3 GiB")])).map(drop).unwrap_err();
    assert!(why.contains("4 GiB"), "{why}");
    assert!(matches!(get(&*engine, b"Tom", 2), Get::Hit(_)));
    assert_eq!(engine.stats()[0].1.budget, 1 << 20);
}
