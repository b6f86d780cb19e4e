//! The cache against its promises one by one, for each policy, then against a naive model on
//! random operations.

use super::*;
use crate::policy::{S3Fifo, SizeAware};
use proptest::{collection::vec, prelude::*};
use std::{format, string::String, vec::Vec};

#[path = "cache_policy_tests.rs"]
mod policies;

const SEED: Seed = Seed::new(0x5eed);
const NOW: Instant = Instant::ZERO;

fn cache<P: Policy<Global>>(budget: usize) -> Cache<P> {
    Cache::new(budget, SEED).expect("memory for a few tables")
}

impl<P: Policy<Global>> Cache<P> {
    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let stored = self.insert(key.as_bytes(), value, NOW);
        self.check();
        stored
    }

    fn len_of(&mut self, key: &str) -> Option<usize> {
        let found = self.get(key.as_bytes(), NOW).map(|value| value.len());
        self.check();
        found
    }

    fn evicted(&self) -> usize {
        self.store.departed.evicted
    }
}

fn name(number: usize) -> String {
    format!("key-{number}")
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut cache: Cache = cache(4 << 10);
    let mut stored = 0;
    while cache.evicted() == 0 {
        assert_eq!(cache.put(&name(stored), &[7; 100]), Ok(()));
        stored += 1;
        assert!(cache.len_of("key-0").is_some(), "touched each time, it stays");
    }
    assert!(stored > 20, "only {stored} entries of 100 bytes fit 4 KiB");
    assert_eq!(cache.len_of("key-1"), None, "the oldest untouched one went");
    assert!(cache.len_of("key-0").is_some());
    assert!(cache.len_of(&name(stored - 1)).is_some(), "the new one is there");
}

#[test]
fn the_demonstration_fits_its_two_kilobytes() {
    let mut cache: Cache = cache(2 << 10);
    for (key, value) in [("Tom", "630"), ("Jack", "589"), ("Sam", "567")] {
        assert_eq!(cache.put(key, value.as_bytes()), Ok(()));
    }
    assert_eq!((cache.len(), cache.evicted()), (3, 0));
}

fn on_its_own<P: Policy<Global>>() {
    let mut small = cache::<P>(4 << 10);
    assert_eq!(small.put("small", b"stays"), Ok(()));
    assert_eq!(small.put("large", &[0; 4 << 10]), Err(Refusal::TooLarge));
    assert_eq!((small.len_of("large"), small.len_of("small")), (None, Some(5)));

    let used = small.used();
    assert_eq!(small.put("small", b"moved"), Ok(()));
    assert_eq!((small.used(), small.len()), (used, 1), "a replacement counts once");
    assert_eq!(small.put("small", &[0; 4 << 10]), Err(Refusal::TooLarge));
    assert_eq!(small.len_of("small"), None, "it was outdated");

    assert_eq!(small.put("large", &[0; 3 << 10]), Ok(()), "it may have nearly all");
    assert!(small.remove(b"large", NOW) && !small.remove(b"large", NOW));
    small.check();

    let mut none = cache::<P>(0);
    assert_eq!(none.insert(b"key", b"", NOW), Err(Refusal::TooLarge));
    assert!(none.is_empty());
}

#[test]
fn a_budget_is_kept_by_each_policy() {
    on_its_own::<Lru>();
    on_its_own::<S3Fifo>();
    on_its_own::<SizeAware>();
}

#[test]
fn a_value_that_is_held_outlives_its_eviction_and_counts_as_lent() {
    let mut cache: Cache = cache(2 << 10);
    assert_eq!(cache.put("key", b"value"), Ok(()));
    let held = cache.get(b"key", NOW).expect("just stored");
    let used = cache.used();
    assert!(cache.remove(b"key", NOW));
    cache.check();
    assert_eq!(&*held, b"value");
    assert_eq!(cache.lent(), held.memory());
    assert!(cache.used() < used);
    drop(held);
    assert_eq!(cache.put("other", b"value"), Ok(()));
    assert_eq!(cache.lent(), 0, "it came back");
}

/// What is held leaves as lent: that makes room as well.
#[test]
fn no_more_goes_than_has_to_where_all_of_it_is_held() {
    let mut cache: Cache = cache(64 << 10);
    let mut stored = 0;
    while cache.evicted() == 0 {
        assert_eq!(cache.put(&name(stored), &[7; 100]), Ok(()));
        stored += 1;
    }
    let held: Vec<_> =
        (0..stored).filter_map(|number| cache.get(name(number).as_bytes(), NOW)).collect();
    let (len, evicted) = (cache.len(), cache.evicted());
    assert!(held.len() == len && len > 300, "{len} entries are held");
    for number in 0..10 {
        assert_eq!(cache.put(&format!("new-{number}"), &[7; 100]), Ok(()));
    }
    // Some more than ten, for a table that grows.
    assert!(cache.evicted() - evicted < 50, "{} went for ten", cache.evicted() - evicted);
    assert!(held.iter().all(|value| **value == [7; 100]));
}

/// Keys of 65,536 bytes, and values of 4 GiB: whatever the budget is.
#[test]
#[cfg_attr(miri, ignore = "an interpreter would look at all 4 GiB")]
fn what_no_entry_can_have_is_refused_and_takes_nothing_with_it() {
    let (key, value) = (std::vec![0; 64 << 10], std::vec![0; 4 << 30]);
    for budget in [300 << 10, 6 << 30, usize::MAX] {
        let mut cache: Cache = cache(budget);
        for number in 0..1_000 {
            assert_eq!(cache.insert(name(number).as_bytes(), &[7; 100], NOW), Ok(()));
        }
        let used = cache.used();
        assert_eq!(cache.put("key", &value), Err(Refusal::TooLarge));
        assert_eq!(cache.insert(&key, b"value", NOW), Err(Refusal::TooLarge));
        assert_eq!((cache.len(), cache.used()), (1_000, used), "of {budget} bytes");
        cache.check();
    }
}

#[test]
fn after_many_small_ones_a_large_one_still_fits() {
    let mut cache: Cache = cache(64 << 10);
    for number in 0..3_000 {
        assert_eq!(cache.insert(name(number).as_bytes(), b"", NOW), Ok(()));
    }
    cache.check();
    assert_eq!(cache.put("large", &[0; 60 << 10]), Ok(()));
    assert_eq!(cache.len_of("large"), Some(60 << 10));
}

#[test]
fn an_entry_expires_at_its_lifetime_and_not_a_tick_before() {
    let mut cache: Cache = cache(1 << 10).with_lifetime(Duration::from_secs(16));
    cache.insert(b"key", b"value", Instant::from_millis(32_000)).expect("it fits");
    assert!(cache.get(b"key", Instant::from_millis(47_999)).is_some());
    assert!(cache.get(b"key", Instant::from_millis(31_000)).is_some(), "the clock of another");
    assert!(cache.get(b"key", Instant::from_millis(48_000)).is_none());
    assert!(cache.is_empty());
    cache.check();
}

#[test]
fn what_has_expired_is_swept_by_other_operations() {
    let mut cache: Cache = cache(64 << 10).with_lifetime(Duration::from_secs(10));
    for number in 0..100 {
        assert_eq!(cache.insert(name(number).as_bytes(), &[7; 100], NOW), Ok(()));
    }
    let later = Instant::from_millis(11_000);
    for number in 100..200 {
        assert_eq!(cache.insert(name(number).as_bytes(), b"", later), Ok(()));
        cache.check();
    }
    assert_eq!(cache.len(), 100);
    assert_eq!(cache.store.departed.expired, 100);
}

#[test]
fn a_cleared_cache_is_empty_at_once_and_its_memory_comes_back() {
    let mut cache: Cache = cache(64 << 10);
    // More often than the meter can tell generations apart.
    for round in 0..100 {
        for number in 0..20 {
            assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
        }
        cache.clear();
        assert!((0..20).all(|number| cache.len_of(&name(number)).is_none()), "round {round}");
        assert_eq!(cache.put("key", b""), Ok(()));
        assert_eq!(cache.len_of("key"), Some(0));
    }
    assert!(cache.len() <= 1 + 20);
}

/// What a random run does.
#[derive(Clone, Debug)]
enum Operation {
    Get(u8),
    Insert(u8, usize),
    Remove(u8),
    Hold(u8),
    /// Of what is held; where the order is no matter, of all there is.
    Drop,
}

fn operation() -> impl Strategy<Value = Operation> {
    let size = prop_oneof![8 => 0..60_usize, 2 => 60..900_usize, 1 => 900..5_000_usize];
    prop_oneof![
        30 => (0..40_u8).prop_map(Operation::Get),
        30 => (0..40_u8, size).prop_map(|(key, size)| Operation::Insert(key, size)),
        10 => (0..40_u8).prop_map(Operation::Remove),
        5 => (0..40_u8).prop_map(Operation::Hold),
        1 => Just(Operation::Drop),
    ]
}

/// Keys and value lengths, newest first: what a cache is, written as plainly as possible. How many
/// entries stay depends on the tables' growth, so the model is told how many were evicted and
/// checks that they are the oldest ones.
#[derive(Default)]
struct Model(Vec<(u8, usize)>);

impl Model {
    fn take(&mut self, key: u8) -> Option<(u8, usize)> {
        let at = self.0.iter().position(|entry| entry.0 == key)?;
        Some(self.0.remove(at))
    }

    fn get(&mut self, key: u8) -> Option<usize> {
        let entry = self.take(key)?;
        self.0.insert(0, entry);
        Some(entry.1)
    }
}

/// An interpreter has not the time for as many.
fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 4 } else { 256 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What a cache says of itself and of its entries stays true, whichever entries go.
fn keeps_its_books<P: Policy<Global>>(
    budget: usize,
    run: Vec<Operation>,
) -> Result<(), TestCaseError> {
    let mut cache = cache::<P>(budget);
    for operation in run {
        match operation {
            Operation::Get(key) | Operation::Hold(key) => {
                if let Some(value) = cache.get(name(key.into()).as_bytes(), NOW) {
                    prop_assert!(value.iter().all(|&byte| byte == key));
                }
            }
            Operation::Insert(key, size) => {
                let stored = cache.put(&name(key.into()), &std::vec![key; size]);
                prop_assert_eq!(cache.len_of(&name(key.into())), stored.ok().map(|()| size));
            }
            Operation::Remove(key) => {
                cache.remove(name(key.into()).as_bytes(), NOW);
                prop_assert_eq!(cache.len_of(&name(key.into())), None);
            }
            Operation::Drop => cache.clear(),
        }
        cache.check();
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_run_agrees_with_the_model(budget in 0..8_000_usize, run in vec(operation(), 1..200)) {
        let mut cache: Cache = cache(budget);
        let (mut model, mut held) = (Model::default(), Vec::new());
        for operation in run {
            match operation {
                Operation::Get(key) => {
                    prop_assert_eq!(cache.len_of(&name(key.into())), model.get(key));
                }
                Operation::Insert(key, size) => {
                    let before = cache.evicted();
                    let stored = cache.put(&name(key.into()), &std::vec![key; size]);
                    model.take(key);
                    let evicted = cache.evicted() - before;
                    model.0.truncate(model.0.len() - evicted);
                    if stored.is_ok() {
                        model.0.insert(0, (key, size));
                    }
                }
                Operation::Remove(key) => {
                    let removed = cache.remove(name(key.into()).as_bytes(), NOW);
                    prop_assert_eq!(removed, model.take(key).is_some());
                }
                Operation::Hold(key) => {
                    held.extend(cache.get(name(key.into()).as_bytes(), NOW));
                    model.get(key);
                }
                Operation::Drop => held.clear(),
            }
            cache.check();
        }
        for (key, size) in model.0 {
            prop_assert_eq!(cache.len_of(&name(key.into())), Some(size));
        }
    }

    #[test]
    fn s3_fifo_keeps_its_books(budget in 0..8_000_usize, run in vec(operation(), 1..200)) {
        keeps_its_books::<S3Fifo>(budget, run)?;
    }

    #[test]
    fn size_aware_keeps_its_books(budget in 0..8_000_usize, run in vec(operation(), 1..200)) {
        keeps_its_books::<SizeAware>(budget, run)?;
    }
}
