//! The caller's clock: the core has none of its own.

use core::time::Duration;

use crate::{
    entry::{Memory, Value},
    width::IS_NARROW,
};

/// A point on the caller's monotonic clock, in whole milliseconds since any start that stays put
/// while the cache lives. The wall clock will not do: it jumps, and lifetimes would jump with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The clock's start; enough for who sets no lifetimes and no deadlines.
    pub const ZERO: Self = Self(0);

    /// The instant `millis` milliseconds after the clock's start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved on by `delay`.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(millis(delay)))
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis().into())
}

/// The unit in which entries keep their age, in milliseconds: four bytes of them last for two years
/// and eight months.
const TICK_MILLIS: u32 = 20;
const TICKS_A_SECOND: u32 = 1_000 / TICK_MILLIS;

impl Instant {
    /// The tick in which this instant lies.
    pub(crate) fn tick(self) -> u32 {
        match IS_NARROW {
            true => long_division(self.0),
            false => (self.0 / u64::from(TICK_MILLIS)) as u32,
        }
    }
}

/// The same by 32 bits at a time: to divide 64 takes almost a kilobyte of code where no instruction
/// does.
const fn long_division(millis: u64) -> u32 {
    // In each of the high half there are so many ticks, and so much is left over.
    const TICKS: u32 = ((1 << 32) / TICK_MILLIS as u64) as u32;
    const REST: u32 = ((1 << 32) % TICK_MILLIS as u64) as u32;
    let (high, low) = ((millis >> 32) as u32, millis as u32);
    let rest = high % TICK_MILLIS * REST + low % TICK_MILLIS;
    let ticks = high.wrapping_mul(TICKS).wrapping_add(high / TICK_MILLIS * REST);
    ticks.wrapping_add(low / TICK_MILLIS + rest / TICK_MILLIS)
}

/// So many ticks as a duration.
pub(crate) const fn of_ticks(ticks: u32) -> Duration {
    let (seconds, rest) = (ticks / TICKS_A_SECOND, ticks % TICKS_A_SECOND);
    Duration::new(seconds as u64, rest * TICK_MILLIS * 1_000_000)
}

/// A duration in whole ticks, at most half of what the counter can tell apart.
pub(crate) fn whole_ticks(duration: Duration) -> u32 {
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let rest = duration.subsec_millis() / TICK_MILLIS;
    seconds.saturating_mul(TICKS_A_SECOND).saturating_add(rest).min(u32::MAX / 2)
}

/// The same for a lifetime: one that ends before it begins would keep nothing.
pub(crate) fn ticks(lifetime: Duration) -> u32 {
    whole_ticks(lifetime).max(1)
}

/// An entry past its lifetime or its generation.
pub(crate) struct Stale;

/// What decides whether an entry is stale.
pub(crate) struct Now {
    pub(crate) tick: u32,
    /// Ticks that an entry lives which has no lifetime of its own.
    pub(crate) lifetime: Option<u32>,
    /// By how many 256ths of it a lifetime may be cut short.
    pub(crate) jitter: u8,
    pub(crate) generation: u32,
}

impl Now {
    /// How old an entry is, where that is known.
    pub(crate) fn age<A: Memory>(&self, entry: &Value<A>, hash: u64) -> Result<Option<u32>, Stale> {
        match entry.is_of(self.generation) {
            true if entry.is_plain() => Ok(None),
            true => self.age_of(entry, hash),
            false => Err(Stale),
        }
    }

    fn age_of<A: Memory>(&self, entry: &Value<A>, hash: u64) -> Result<Option<u32>, Stale> {
        let extras = entry.extras();
        let Some(born) = extras.born else { return Ok(None) };
        // Clocks of two threads may be read in one order and used in the other.
        let age = match self.tick.wrapping_sub(born) {
            ahead if ahead > u32::MAX / 2 => 0,
            age => age,
        };
        let lifetime = extras.lifetime.or(self.lifetime);
        let is_over = lifetime.is_some_and(|lifetime| age >= self.shortened(lifetime, hash));
        if is_over { Err(Stale) } else { Ok(Some(age)) }
    }

    /// Entries that were loaded together shall not expire together: each lifetime is cut short by
    /// a share of its own, drawn from the hash.
    fn shortened(&self, lifetime: u32, hash: u64) -> u32 {
        let share = (u64::from(self.jitter) * (hash & 0xff)) >> 8;
        lifetime - ((u64::from(lifetime) * share) >> 8) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_division_divides() {
        let shifted = (0..64).map(|shift| u64::MAX >> shift);
        for millis in shifted.flat_map(|millis| [millis, millis - millis % 20, millis / 3]) {
            assert_eq!(long_division(millis), (millis / 20) as u32, "{millis}");
        }
    }

    #[test]
    fn ticks_are_durations_and_back() {
        for ticks in [0, 1, 49, 50, 51, 2_999, u32::MAX / 2] {
            let duration = of_ticks(ticks);
            assert_eq!(duration, Duration::from_millis(u64::from(ticks) * 20));
            assert_eq!(whole_ticks(duration), ticks);
            assert_eq!(whole_ticks(duration + Duration::from_millis(19)), ticks);
        }
        assert_eq!(whole_ticks(Duration::MAX), u32::MAX / 2);
    }
}
