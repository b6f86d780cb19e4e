//! `Repeats`: what says the same again and again is let through once a second, with a count of what
//! was held back meanwhile.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    time::{Duration, Instant},
};

use crate::locks::Lock;

/// How long the same is held back after it was let through.
const PAUSE: Duration = Duration::from_secs(1);

/// Things that are told apart. Causes are few; should there be more, all are forgotten.
const MOST: usize = 1 << 10;

pub(crate) struct Repeats(Lock<Option<Seen>>);

#[derive(Default)]
struct Seen {
    hasher: RandomState,
    last: HashMap<u64, Last>,
}

struct Last {
    admitted: Instant,
    suppressed: u64,
}

impl Repeats {
    pub(crate) const fn new() -> Self {
        Self(Lock::new(None))
    }

    /// Whether to let this through now, and how often it was held back since the last time.
    pub(crate) fn admit(&self, what: &impl Hash) -> Option<u64> {
        self.admit_at(what, Instant::now())
    }

    fn admit_at(&self, what: &impl Hash, now: Instant) -> Option<u64> {
        let mut seen = self.0.write();
        let Seen { hasher, last } = seen.get_or_insert_default();
        let mark = hasher.hash_one(what);
        if let Some(before) = last.get_mut(&mark) {
            if now.duration_since(before.admitted) < PAUSE {
                before.suppressed += 1;
                return None;
            }
            before.admitted = now;
            return Some(std::mem::take(&mut before.suppressed));
        }
        if last.len() >= MOST {
            last.clear();
        }
        last.insert(mark, Last { admitted: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_comes_once_a_second_with_a_count() {
        let repeats = Repeats::new();
        let begin = Instant::now();
        let admit = |what, millis| repeats.admit_at(&what, begin + Duration::from_millis(millis));
        assert_eq!(admit("a", 0), Some(0));
        assert_eq!(admit("a", 1), None);
        assert_eq!(admit("b", 2), Some(0), "something else is not concerned");
        assert_eq!(admit("a", 999), None);
        assert_eq!(admit("a", 1_000), Some(2));
        assert_eq!(admit("a", 1_500), None);
        assert_eq!(admit("a", 9_000), Some(1));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_things() {
        let repeats = Repeats::new();
        for number in 0..10 * MOST {
            assert_eq!(repeats.admit(&number), Some(0));
        }
        let seen = repeats.0.read();
        assert!(seen.as_ref().is_some_and(|seen| seen.last.len() <= MOST));
    }
}
