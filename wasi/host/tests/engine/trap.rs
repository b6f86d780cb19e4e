//! A trap, had honestly: the budget is larger than the memory that the host grants.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant as Clock},
};

use gocache::{Asks, Config, Engine, Overrides, Said, Server};
use gocache_core::{Asker, Error, Fetch, Get, GroupId, Instant, Waiter};
use gocache_wasi::{Settings, StartError, WasiEngine};

use crate::{
    COMPONENT, SCORES, ZERO, change, client, fetch, get, land, program, ring, settings, soak, value,
};

fn cramped() -> WasiEngine {
    let mut settings = Settings { memory_bytes: Some(4 << 20), ..settings() };
    change(&mut settings, 0, |group| group.budget = 1 << 30);
    WasiEngine::new(&COMPONENT, settings).unwrap()
}

/// Lands what the memory has no room for, not even on its way in.
fn trap(engine: &WasiEngine) {
    let fetch = fetch(engine, b"large", 99);
    assert_eq!(land(engine, fetch, value(&[7; 8 << 20])).result, Err(Error::Failed));
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
    assert_eq!(engine.traps(), Some(2));
}

#[test]
fn the_other_instances_go_on() {
    let mut settings = Settings { memory_bytes: Some(4 << 20), instances: 3, ..settings() };
    change(&mut settings, 0, |group| group.budget = 1 << 30);
    change(&mut settings, 0, |group| group.limits.flights = 300);
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    let keys: Vec<_> = (0..100_u8).map(|key| [b'k', key]).collect();
    for key in &keys {
        land(&engine, fetch(&engine, key, 1), value(b"630"));
    }
    trap(&engine);
    let is_there = |key: &&[u8; 2]| matches!(get(&engine, *key, 2), Get::Hit(_));
    let kept = keys.iter().filter(is_there).count();
    assert!((40..90).contains(&kept), "{kept} of 100 keys are in the other two instances");
    assert_eq!(engine.traps(), Some(1));
}

/// Through a server: what a client sees of it, and an operator.
#[test]
fn the_request_gets_a_502_and_it_is_counted() {
    let (origin, _) = soak::origin(Duration::ZERO);
    let file = program::configuration("traps.toml", &origin, "1 MiB");
    let config = Config::from_file(file.as_ref(), &Overrides::default()).unwrap();
    let settings = Settings { memory_bytes: Some(4 << 20), ..Settings::new(&config, 1) };
    let engine = WasiEngine::new(&COMPONENT, settings).unwrap();
    let server = Server::start_with(config, Arc::new(engine)).unwrap();
    let ask = |addr: SocketAddr, target: &str| {
        let mut stream = TcpStream::connect(addr).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for (key, status) in [("Tom", "200"), ("large", "502"), ("Tom", "200"), ("Ann", "200")] {
        let answer = ask(server.addr(), &format!("/_gocache/scores/{key}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{key}: {answer}");
    }
    let metrics = ask(server.ops_addr(), "/metrics");
    assert!(metrics.contains("\ngocache_component_traps_total 1\n"), "{metrics}");
    assert!(ask(server.ops_addr(), "/stats").contains("\"component_traps\": 1"));
    server.drain();
}

/// A ring is worked out when a node is set up; one of so many nodes takes seconds.
#[test]
fn a_call_that_takes_too_long_is_ended() {
    let mut slow = ring();
    slow.names = (0..60_000).map(|node| format!("node-{node}:1")).collect();
    let settings = Settings {
        ring: Some(slow),
        patience: Duration::from_millis(1),
        memory_bytes: Some(1 << 30),
        ..settings()
    };
    let began = Clock::now();
    match WasiEngine::new(&COMPONENT, settings) {
        Err(StartError::Trap(trap)) => {
            assert!(format!("{trap:#}").contains("interrupt"), "{trap:#}");
        }
        other => panic!("a trap, not {:?}", other.map(drop)),
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
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
        assert_eq!(done.result, Err(Error::Failed));
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
    assert_eq!(engine.put(SCORES, b"large", &[7; 8 << 20], ZERO), Err(Error::Failed));
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

/// Asks for a value that is there, and so many that are not. `None`: there was memory for that.
fn begin_until_it_traps(count: usize) -> Option<(WasiEngine, Fetch)> {
    let engine = cramped();
    land(&engine, fetch(&engine, b"Tom", 1), value(b"630"));
    let waits = fetch(&engine, b"Ann", 1);
    let misses = (2..).map(|waiter| client(SCORES, b"", waiter)).take(count);
    let asks: Asks = [client(SCORES, b"Tom", 0)].into_iter().chain(misses).collect();
    let mut told = vec![None; asks.len()];
    engine.get_batch(&asks, ZERO, &mut |at, said| {
        let is_hit = said.map(|said| matches!(said, Said::Lent(_)));
        assert_eq!(told[at].replace(is_hit), None, "{at} is told twice");
    });
    if engine.traps() == Some(0) {
        return None;
    }
    assert_eq!(told[0], Some(Ok(true)), "it was told before the trap");
    assert!(told[1..].iter().all(|told| *told == Some(Err(Error::Failed))));
    assert_eq!(engine.traps(), Some(1));
    Some((engine, waits))
}

/// Where there is memory to look for so many hits, and none beside it for what is missed.
#[test]
fn all_whose_loads_were_to_be_begun_are_told_of_a_trap() {
    let (engine, waits) = (1_000..100_000).step_by(2_000).find_map(begin_until_it_traps).unwrap();
    let lost: Vec<_> = std::iter::from_fn(|| engine.overdue(ZERO)).collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].waiters, [Waiter(1)], "who waited since before, and no other");
    drop(waits);
}

#[test]
fn all_who_are_asked_together_are_told_of_a_trap() {
    let engine = cramped();
    let asks: Asks =
        [client(SCORES, b"Tom", 1), client(SCORES, b"Ann", 2), client(SCORES, b"Tom", 3)]
            .into_iter()
            .collect();
    engine.get_batch(&asks, ZERO, &mut |_, said| {
        assert!(matches!(said, Ok(Said::Got(Get::Wait | Get::Fetch(_)))));
    });
    // Keys that do not fit on their way in.
    let long = vec![7; 8 << 20];
    let asks: Asks = [client(SCORES, &long, 4), client(SCORES, b"Sam", 5)].into_iter().collect();
    let mut told = Vec::new();
    engine.get_batch(&asks, ZERO, &mut |at, said| told.push((at, said.map(drop))));
    assert_eq!(told, [(0, Err(Error::Failed)), (1, Err(Error::Failed))]);
    assert_eq!(engine.traps(), Some(1));
    let lost = std::iter::from_fn(|| engine.overdue(ZERO));
    let mut waiters: Vec<_> = lost.flat_map(|done| done.waiters.to_vec()).collect();
    waiters.sort_unstable_by_key(|waiter| waiter.0);
    assert_eq!(waiters, [1, 2, 3].map(Waiter), "who waited since before");
}
