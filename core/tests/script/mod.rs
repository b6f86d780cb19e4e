//! Runs of operations on a cache and on a group, drawn from numbers, with a model beside them that
//! knows what a hit may bring and how much memory the run itself holds. What they prove depends on
//! whose memory they are given: see `memory.rs`, `failing.rs` and `corpus.rs`.
#![allow(dead_code, reason = "each proof uses its part of it")]

pub(crate) mod cache;
pub(crate) mod group;
pub(crate) mod input;
mod loads;
pub(crate) mod meter;

use std::sync::LazyLock;

use gocache_core::{Memory, Value};
use meter::Gauge;

/// Keys of a run.
pub(crate) const KEYS: usize = 64;
/// The longest value a run draws.
pub(crate) const LONGEST: usize = if cfg!(miri) { 1 << 10 } else { 96 << 10 };
/// Values that a run holds at most.
pub(crate) const HELD: usize = 24;

/// Draws a number below another one.
pub(crate) type Draw<'a> = &'a mut dyn FnMut(u32) -> u32;

/// Numbers from a seed (SplitMix64).
pub(crate) fn numbers(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed >> 32) * u64::from(below)) >> 32) as u32
    }
}

/// A length: mostly short, now and then long, none above `longest`.
pub(crate) fn length(draw: Draw<'_>, longest: usize) -> usize {
    let most = match draw(16) {
        0 => 0,
        1..=9 => 60,
        10..=13 => 900,
        14 => 6_000,
        _ => LONGEST,
    };
    draw(most.min(longest) as u32 + 1) as usize
}

/// The bytes of the values of all runs, made before the first one: a run itself must not allocate.
pub(crate) struct Texts(&'static [u8]);

const VERSIONS: usize = 1_024;

static TEXTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut next = numbers(9);
    (0..LONGEST + VERSIONS).map(|_| next(256) as u8).collect()
});

impl Texts {
    pub(crate) fn new() -> Self {
        Self(&TEXTS)
    }

    /// Another value for each version.
    pub(crate) fn value(&self, version: usize, len: usize) -> &[u8] {
        &self.0[version % VERSIONS..][..len]
    }
}

/// A key of one to fifty bytes.
pub(crate) struct Key([u8; 50]);

impl Key {
    pub(crate) const fn new(number: usize) -> Self {
        Self([number as u8; 50])
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..1 + usize::from(self.0[0]) * 7 % 50]
    }
}

/// What a key was stored with last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) version: usize,
    pub(crate) len: usize,
    /// From when on it must no longer be a hit.
    pub(crate) dies: u64,
}

/// A value that the run holds.
pub(crate) struct Held<A: Memory> {
    pub(crate) value: Value<A>,
    pub(crate) stored: Stored,
    /// Bytes of it, where it never was in the cache.
    pub(crate) own: usize,
}

/// Values that the run holds.
pub(crate) struct Holding<A: Memory>(Vec<Held<A>>);

impl<A: Memory> Holding<A> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(HELD))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Keeps a value if there is room.
    pub(crate) fn keep(&mut self, held: Held<A>) {
        if self.0.len() < HELD {
            self.0.push(held);
        }
    }

    /// Drops one, or all of them.
    pub(crate) fn drop_some(&mut self, which: usize) {
        match self.0.len() {
            0 => {}
            len if which < 2 * len => drop(self.0.swap_remove(which % len)),
            _ => self.0.clear(),
        }
    }

    /// Bytes of those that never were in the cache.
    pub(crate) fn own(&self) -> usize {
        self.0.iter().map(|held| held.own).sum()
    }

    /// Whatever became of the cached ones, who holds them reads what he got.
    pub(crate) fn check(&self, texts: &Texts) {
        for Held { value, stored, .. } in &self.0 {
            assert!(**value == *texts.value(stored.version, stored.len), "a held value changed");
        }
    }
}

/// Bytes of the head of each allocation of a value.
pub(crate) fn head<A: Memory + Gauge>(allocator: &A) -> usize {
    let before = allocator.live();
    let value = Value::new_in(b"", allocator.clone()).expect("nothing fails yet");
    let head = allocator.live() - before;
    drop(value);
    head
}
