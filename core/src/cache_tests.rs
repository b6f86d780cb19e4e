//! The cache against its promises one by one, then against a naive model on random operations.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::{format, string::String};

const SEED: Seed = Seed::new(0x5eed);

/// A cache with its hashing done, as the shard does it.
struct Driven(Cache);

impl Driven {
    fn new(budget: usize) -> Self {
        Self(Cache::new(budget, SEED))
    }

    fn get(&mut self, key: &str) -> Option<Value> {
        match self.0.get(SEED.hash(key.as_bytes()), key.as_bytes(), None, Instant::ZERO) {
            Lookup::Hit(value, _) => Some(value),
            Lookup::Miss => None,
            Lookup::Expired => panic!("nothing expires without a lifetime"),
        }
    }

    fn insert(&mut self, key: &str, value: &[u8]) -> Insert {
        let (hash, key) = (SEED.hash(key.as_bytes()), Key::new(key.as_bytes()));
        let insert = self.0.insert(hash, key, Value::from(value), Instant::ZERO);
        self.0.check();
        insert
    }

    fn remove(&mut self, key: &str) -> bool {
        let removed = self.0.remove(SEED.hash(key.as_bytes()), key.as_bytes());
        self.0.check();
        removed
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let mut cache = Driven::new(4 << 10);
    let name = |number: usize| format!("key-{number}");
    let mut stored = 0;
    while cache.insert(&name(stored), &[7; 100]) == (Insert::Stored { evicted: 0 }) {
        stored += 1;
        assert!(cache.get("key-0").is_some(), "touched each time, it stays");
    }
    assert!(stored > 10, "only {stored} entries of 100 bytes fit 4 KiB");
    assert_eq!(cache.get("key-1"), None, "the oldest untouched one went");
    assert!(cache.get("key-0").is_some());
    assert!(cache.get(&name(stored)).is_some(), "the new one is there");
}

#[test]
fn the_demonstration_fits_its_two_kilobytes() {
    let mut cache = Driven::new(2 << 10);
    for (key, value) in [("Tom", "630"), ("Jack", "589"), ("Sam", "567")] {
        assert_eq!(cache.insert(key, value.as_bytes()), Insert::Stored { evicted: 0 });
    }
}

#[test]
fn a_value_over_the_budget_is_refused_and_flushes_nothing() {
    let mut cache = Driven::new(4 << 10);
    cache.insert("small", b"stays");
    assert_eq!(cache.insert("large", &[0; 4 << 10]), Insert::Refused);
    assert_eq!(cache.get("large"), None);
    assert!(cache.get("small").is_some());
}

#[test]
fn without_a_budget_nothing_is_stored() {
    let mut cache = Driven::new(0);
    assert_eq!(cache.insert("key", b""), Insert::Refused);
    assert_eq!(cache.0.used(), 0);
}

#[test]
fn a_replacement_counts_once() {
    let mut cache = Driven::new(4 << 10);
    cache.insert("key", b"one");
    let used = cache.0.used();
    cache.insert("key", b"two");
    assert_eq!(cache.0.used(), used);
    assert_eq!(cache.get("key").as_deref(), Some(b"two".as_slice()));
    assert_eq!(cache.0.len(), 1);
}

#[test]
fn a_refused_replacement_takes_the_outdated_value_with_it() {
    let mut cache = Driven::new(1 << 10);
    cache.insert("key", b"one");
    assert_eq!(cache.insert("key", &[0; 1 << 10]), Insert::Refused);
    assert_eq!(cache.get("key"), None);
}

#[test]
fn a_value_held_outlives_its_eviction() {
    let mut cache = Driven::new(1 << 10);
    cache.insert("key", b"value");
    let held = cache.get("key").expect("just stored");
    assert!(cache.remove("key"));
    assert!(!cache.remove("key"));
    assert_eq!(&*held, b"value");
}

#[test]
fn an_entry_expires_at_its_lifetime_and_not_before() {
    let mut cache = Cache::new(1 << 10, SEED);
    let (hash, lifetime) = (SEED.hash(b"key"), Some(Duration::from_secs(10)));
    cache.insert(hash, Key::new(b"key"), Value::from(b"value"), Instant::from_millis(5_000));
    let mut at = |millis| cache.get(hash, b"key", lifetime, Instant::from_millis(millis));
    assert!(matches!(at(14_999), Lookup::Hit(_, born) if born == Instant::from_millis(5_000)));
    assert!(matches!(at(15_000), Lookup::Expired));
    assert!(matches!(at(15_000), Lookup::Miss));
    cache.check();
}

/// What a random run does.
#[derive(Clone, Debug)]
enum Operation {
    Get(u8),
    Insert(u8, usize),
    Remove(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let size = prop_oneof![8 => 0..60_usize, 2 => 60..900_usize, 1 => 900..5_000_usize];
    prop_oneof![
        3 => (0..40_u8).prop_map(Operation::Get),
        3 => (0..40_u8, size).prop_map(|(key, size)| Operation::Insert(key, size)),
        1 => (0..40_u8).prop_map(Operation::Remove),
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

    fn insert(&mut self, key: u8, size: usize, outcome: &Insert) {
        self.take(key);
        if let Insert::Stored { evicted } = outcome {
            self.0.truncate(self.0.len() - usize::try_from(*evicted).expect("a count"));
            self.0.insert(0, (key, size));
        }
    }
}

proptest! {
    #[test]
    fn any_run_agrees_with_the_model(budget in 0..8_000_usize, run in vec(operation(), 1..200)) {
        let mut cache = Driven::new(budget);
        let mut model = Model::default();
        let name = |key: u8| -> String { format!("key-{key}") };
        for operation in run {
            match operation {
                Operation::Get(key) => {
                    let found = cache.get(&name(key)).map(|value| value.len());
                    prop_assert_eq!(found, model.get(key));
                }
                Operation::Insert(key, size) => {
                    let outcome = cache.insert(&name(key), &std::vec![key; size]);
                    model.insert(key, size, &outcome);
                }
                Operation::Remove(key) => {
                    prop_assert_eq!(cache.remove(&name(key)), model.take(key).is_some());
                }
            }
            prop_assert_eq!(cache.0.len(), model.0.len());
        }
        for (key, size) in model.0 {
            let found = cache.get(&name(key)).map(|value| value.len());
            prop_assert_eq!(found, Some(size));
        }
    }
}
