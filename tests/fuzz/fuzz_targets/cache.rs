//! Operations on a cache of each policy and on a group, as the fuzzer draws them: after each one the
//! cache agrees with the model, recounts itself, and has exactly the memory that it says.
#![no_main]

#[path = "../../../core/tests/script/mod.rs"]
mod script;

use std::time::Duration;

use gocache_core::{Eviction, Lru, Policy, S3Fifo, Settings};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary, Result, Unstructured},
    fuzz_target,
};
use script::{
    cache::{self, CacheRun},
    group::{self, GroupRun},
    head,
    meter::{Fails, Gauge, Meter},
};

/// Steps of one run: after so many, a longer one finds nothing new.
const STEPS: usize = 400;
const LONGEST: usize = 5_000;

/// What a run is about, drawn first.
#[derive(Arbitrary)]
struct Start {
    what: u8,
    budget: u16,
    shards: u8,
    flags: u8,
    fails: u16,
}

impl Start {
    const fn has(&self, flag: u8) -> bool {
        self.flags & 1 << flag != 0
    }

    /// Small budgets meet their end soon.
    const fn budget(&self) -> usize {
        self.budget as usize >> (self.what / 3 % 5)
    }

    /// Every other run lacks memory once, and some from there on.
    fn fails(&self) -> Fails {
        match self.fails % 4 {
            0 => Fails::At(usize::from(self.fails / 4)),
            1 => Fails::From(usize::from(self.fails / 4)),
            _ => Fails::Never,
        }
    }

    fn lifetime(&self) -> Option<Duration> {
        self.has(0).then(|| Duration::from_secs(5))
    }

    fn cache(&self, is_lru: bool) -> cache::Setup {
        let is_exact = is_lru && !self.has(0) && !self.has(1);
        cache::Setup {
            budget: self.budget(),
            lifetime: self.lifetime(),
            holds: self.has(2),
            clears: self.has(1),
            longest: LONGEST,
            is_exact,
            recounts: true,
        }
    }

    fn group(&self) -> group::Setup {
        let settings = Settings {
            budget: self.budget(),
            eviction: if self.has(3) { Eviction::Lru } else { Eviction::S3Fifo },
            lifetime: self.lifetime(),
            jitter: if self.has(4) { 200 } else { 0 },
            shards: u16::from(self.shards % 4),
            digests: self.has(5),
            estimates: self.has(6),
            limits: group::tight(),
        };
        let (holds, has_peer) = (self.has(2), self.has(7));
        group::Setup { settings, holds, has_peer, longest: LONGEST, recounts: true }
    }
}

fn run_a_cache<'a, P: Policy<&'a Meter>>(
    setup: cache::Setup,
    meter: &'a Meter,
    from: &mut Unstructured<'_>,
) {
    let Ok(mut run) = CacheRun::<P, _>::new(setup, meter) else { return };
    for _ in 0..STEPS {
        if from.is_empty() {
            return;
        }
        run.step(&mut |below| from.int_in_range(0..=below - 1).unwrap_or(0));
    }
}

fn run_a_group(setup: group::Setup, meter: &Meter, from: &mut Unstructured<'_>) {
    let head = head(&&Meter::new(Fails::Never));
    let Ok(mut run) = GroupRun::new(setup, head, meter) else { return };
    for _ in 0..STEPS {
        if from.is_empty() {
            break;
        }
        run.step(&mut |below| from.int_in_range(0..=below - 1).unwrap_or(0));
    }
    run.finish();
}

fn run(data: &[u8]) -> Result<()> {
    let mut from = Unstructured::new(data);
    let start = Start::arbitrary(&mut from)?;
    let meter = Meter::new(start.fails());
    match start.what % 3 {
        0 => run_a_cache::<Lru>(start.cache(true), &meter, &mut from),
        1 => run_a_cache::<S3Fifo<_>>(start.cache(false), &meter, &mut from),
        _ => run_a_group(start.group(), &meter, &mut from),
    }
    assert_eq!((&meter).live(), 0, "every byte came back");
    Ok(())
}

// Input that is too short for a start is no run.
fuzz_target!(|data: &[u8]| {
    let _too_short = run(data);
});
