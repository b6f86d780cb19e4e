//! A run on a `Cache`.

use std::time::Duration;

use gocache_core::{Cache, Instant, Memory, OutOfMemory, Policy, Refusal, Seed};

use super::{Draw, Held, Holding, KEYS, Key, Stored, Texts, length, meter::Gauge};

/// What a run is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) budget: usize,
    pub(crate) lifetime: Option<Duration>,
    /// Whether values are held while others are stored.
    pub(crate) holds: bool,
    /// Whether all is cleared now and then.
    pub(crate) clears: bool,
    pub(crate) longest: usize,
    /// Whether the policy evicts exactly the least recently used.
    pub(crate) is_exact: bool,
    /// Whether the cache recounts itself after each step, for which it allocates.
    pub(crate) recounts: bool,
}

pub(crate) struct CacheRun<P: Policy<A>, A: Memory + Gauge> {
    setup: Setup,
    cache: Cache<P, A>,
    gauge: A,
    /// Bytes that are not the cache's.
    base: usize,
    texts: Texts,
    now: u64,
    version: usize,
    model: [Option<Stored>; KEYS],
    /// Keys, the last one used first; known where the policy is exact and nothing expires.
    order: Vec<usize>,
    held: Holding<A>,
}

impl<P: Policy<A>, A: Memory + Gauge> CacheRun<P, A> {
    pub(crate) fn new(setup: Setup, gauge: A) -> Result<Self, OutOfMemory> {
        let (texts, held, order) = (Texts::new(), Holding::new(), Vec::with_capacity(KEYS + 1));
        gauge.mark();
        let base = gauge.live();
        let cache = Cache::new_in(setup.budget, Seed::new(7), gauge.clone());
        assert!(cache.is_ok() || gauge.failed(), "there was memory");
        let mut cache = cache?;
        if let Some(lifetime) = setup.lifetime {
            cache = cache.with_lifetime(lifetime);
        }
        let (now, version, model) = (1_000, 0, [None; KEYS]);
        let run = Self { setup, cache, gauge, base, texts, now, version, model, order, held };
        run.check();
        Ok(run)
    }

    /// Does one thing, and checks all that is known of what comes of it.
    pub(crate) fn step(&mut self, draw: Draw<'_>) {
        self.gauge.mark();
        let before = (self.cache.used(), self.cache.lent());
        let key = draw(KEYS as u32) as usize;
        match draw(32) {
            0..=10 => self.get(key, false),
            11..=13 => self.get(key, self.setup.holds),
            14..=23 => self.insert(key, length(draw, self.setup.longest)),
            24..=26 => self.remove(key),
            27..=28 => self.held.drop_some(draw(64) as usize),
            29 => self.now += u64::from(draw(3_000)),
            30 if self.setup.clears => {
                self.cache.clear();
                self.model = [None; KEYS];
            }
            _ => self.now += u64::from(draw(30)),
        }
        self.check_peak(before);
        self.check();
    }

    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn get(&mut self, number: usize, keeps: bool) {
        let found = self.cache.get(Key::new(number).bytes(), self.at());
        let place = self.order.iter().position(|&other| other == number);
        if self.setup.is_exact {
            assert_eq!(found.is_some(), place.is_some(), "key {number}");
        }
        let Some(value) = found else { return };
        let stored = self.model[number].expect("a hit was stored");
        assert!(*value == *self.texts.value(stored.version, stored.len), "key {number}");
        assert!(self.now < stored.dies, "key {number} has expired");
        if let Some(place) = place {
            self.order[..=place].rotate_right(1);
        }
        if keeps {
            self.held.keep(Held { value, stored, own: 0 });
        }
    }

    fn insert(&mut self, number: usize, len: usize) {
        self.version += 1;
        self.order.retain(|&other| other != number);
        let value = self.texts.value(self.version, len);
        let done = self.cache.insert(Key::new(number).bytes(), value, self.at());
        let lifetime = self.setup.lifetime.map_or(u64::MAX / 2, |it| it.as_millis() as u64 + 20);
        let stored = Stored { version: self.version, len, dies: self.now + lifetime };
        self.model[number] = done.is_ok().then_some(stored);
        match done {
            Ok(()) => {
                // What made room is the end of the order.
                self.order.truncate(self.cache.len() - 1);
                self.order.insert(0, number);
            }
            Err(Refusal::OutOfMemory) => assert!(self.gauge.failed(), "there was memory"),
            Err(Refusal::TooLarge) => {}
        }
        self.order.truncate(self.cache.len());
    }

    fn remove(&mut self, number: usize) {
        let removed = self.cache.remove(Key::new(number).bytes(), self.at());
        let known = self.model[number].take();
        assert!(!removed || known.is_some(), "key {number} was not there");
        let before = self.order.len();
        self.order.retain(|&other| other != number);
        if self.setup.is_exact {
            assert_eq!(removed, self.order.len() < before, "key {number}");
        }
    }

    /// What was allocated within one operation is never more than the budget and what is lent.
    fn check_peak(&self, (used, lent): (usize, usize)) {
        let most = self.setup.budget.max(used) + lent + self.cache.lent();
        let peak = self.gauge.peak() - self.base - self.held.own();
        assert!(peak <= most, "{peak} bytes where {most} are allowed");
    }

    fn check(&self) {
        let live = self.gauge.live() - self.base;
        assert_eq!(live, self.cache.used() + self.cache.lent(), "each byte is counted");
        assert!(self.setup.holds || self.cache.lent() == 0, "nobody holds what is lent");
        if self.setup.is_exact {
            assert_eq!(self.order.len(), self.cache.len());
        }
        self.held.check(&self.texts);
        if self.setup.recounts {
            self.cache.check();
        }
    }
}
