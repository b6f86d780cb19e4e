//! Runs that bytes decide on. A fuzzer makes the bytes (`tests/fuzz`), and what it kept of them is
//! played again by `corpus.rs`.

use std::time::Duration;

use gocache_core::{
    DEFAULT_BASE, Eviction, Lru, Policy, Route, RouteError, S3Fifo, Settings, SizeAware,
};

use super::{
    cache::{self, CacheRun},
    group::{self, GroupRun},
    head,
    meter::{Fails, Gauge, Meter},
};

/// Steps of one run: after so many, a longer one finds nothing new.
const STEPS: usize = 400;
const LONGEST: usize = 5_000;

/// Bytes as numbers.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    /// A number below another one, zero at the end of the input.
    fn below(&mut self, below: u32) -> u32 {
        let (mut number, mut range) = (0, 1);
        while range < u64::from(below) {
            let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
            (self.0, number, range) = (rest, number << 8 | u64::from(*first), range << 8);
        }
        (number % u64::from(below)) as u32
    }
}

/// What a run is about, drawn first.
struct Start {
    what: u8,
    budget: u16,
    shards: u8,
    flags: u8,
    fails: u16,
}

impl Start {
    fn new(input: &mut Input<'_>) -> Self {
        let [what, shards, flags] = [(); 3].map(|()| input.below(1 << 8) as u8);
        let [budget, fails] = [(); 2].map(|()| input.below(1 << 16) as u16);
        Self { what, budget, shards, flags, fails }
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & 1 << flag != 0
    }

    /// Small budgets meet their end soon.
    const fn budget(&self) -> usize {
        self.budget as usize >> (self.what / 3 % 5)
    }

    /// Every other run lacks memory once, or from there on.
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
            eviction: match (self.has(3), self.shards / 4 % 2) {
                (true, _) => Eviction::Lru,
                (false, 0) => Eviction::S3Fifo,
                (false, _) => Eviction::SizeAware,
            },
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
    mut input: Input<'_>,
) {
    let Ok(mut run) = CacheRun::<P, _>::new(setup, meter) else { return };
    for _ in 0..STEPS {
        if input.0.is_empty() {
            return;
        }
        run.step(&mut |below| input.below(below));
    }
}

fn run_a_group(setup: group::Setup, meter: &Meter, mut input: Input<'_>) {
    let head = head(&&Meter::new(Fails::Never));
    let Ok(mut run) = GroupRun::new(setup, head, meter) else { return };
    for _ in 0..STEPS {
        if input.0.is_empty() {
            break;
        }
        run.step(&mut |below| input.below(below));
    }
    run.finish();
}

/// Operations on a cache of any policy or on a group: after each one it agrees with the model,
/// recounts itself, and has exactly the memory that it says.
pub(crate) fn cache(input: &[u8]) {
    let mut input = Input(input);
    let start = Start::new(&mut input);
    let meter = Meter::new(start.fails());
    match start.what % 3 {
        0 => run_a_cache::<Lru>(start.cache(true), &meter, input),
        1 if start.has(3) => run_a_cache::<SizeAware<_>>(start.cache(false), &meter, input),
        1 => run_a_cache::<S3Fifo<_>>(start.cache(false), &meter, input),
        _ => run_a_group(start.group(), &meter, input),
    }
    assert_eq!((&meter).live(), 0, "every byte came back");
}

/// A target from outside: what is read from it is read again from the target that we write.
pub(crate) fn route(input: &[u8]) {
    match Route::parse(DEFAULT_BASE, input) {
        Ok(route) => {
            let target: String = Route::target(DEFAULT_BASE, &route.group, &route.key).collect();
            assert_eq!(Route::parse(DEFAULT_BASE, target.as_bytes()), Ok(route), "{target}");
        }
        Err(RouteError::BadEscape(at)) => assert_eq!(input[at], b'%'),
        Err(RouteError::Control(at)) => assert!(input[at].is_ascii_control()),
        Err(error) => assert_ne!(error, RouteError::OutOfMemory, "there was memory"),
    }
}
