//! What fails when there is no memory: each allocation of a run fails once, and then all from it on.
//! Nothing panics, nothing leaks, the books stay right, and whoever asked is answered: with the
//! value wherever there is one.

mod script;

use std::time::Duration;

use gocache_core::{
    Error, Eviction, Group, Instant, Loader, Lru, OutOfMemory, Policy, S3Fifo, Seed, Settings,
    SpinLock, Value,
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
        assert!(lru.min(s3_fifo) > 40, "{lru} and {s3_fifo} allocations prove little");
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
    for eviction in [Eviction::Lru, Eviction::S3Fifo] {
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
