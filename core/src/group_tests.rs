//! A group against what a cache alone does not promise: shards, flushes, writes and estimates.

use super::*;
use crate::{
    error::{Error, LoadError, Refusal},
    flight::FlightId,
    landing::Landed,
    policy::Eviction,
    settings::Limits,
};
use std::{format, thread, vec};

const NOW: Instant = Instant::ZERO;

fn group(settings: Settings) -> Group {
    Group::new("scores", settings, Seed::new(7)).expect("memory for a few tables")
}

impl Group {
    fn ask(&self, key: &[u8]) -> Result<Got<Global>, Error> {
        self.get(key, Asker::Client, Waiter(1), NOW, || Source::Origin)
    }

    fn value(&self, key: &[u8]) -> Option<Value> {
        self.hit(key, NOW).map(|(value, _)| value)
    }

    fn is_cached(&self, key: &[u8]) -> bool {
        self.value(key).is_some()
    }

    fn lead(&self, key: &[u8]) -> (FlightId, Value) {
        match self.ask(key) {
            Ok(Got::Lead(id, key, _)) => (id, key),
            _ => panic!("nobody loads it yet"),
        }
    }

    /// Lands a load and says what whoever waits is given.
    fn bring(&self, (id, key): &(FlightId, Value), bytes: &[u8]) -> (usize, Option<Value>) {
        let load = Value::new(bytes).map(Load::from).map_err(LoadError::from);
        match self.land(key, *id, Source::Origin, load, NOW) {
            Landed::Done(waiters, result) => (waiters.len(), result.ok().map(|found| found.value)),
            Landed::Redirected => panic!("only a peer's load is redirected"),
        }
    }
}

#[test]
fn a_large_object_is_not_refused_for_the_share_of_a_shard() {
    let group = group(Settings { budget: 1 << 20, shards: 16, ..Settings::default() });
    for number in 0..10_000_u32 {
        assert_eq!(group.insert(&number.to_le_bytes(), &[7; 100], None, NOW), Ok(()));
    }
    let full = group.stats();
    assert!(full.evictions > 0 && full.bytes > 1_000_000 && full.bytes <= 1 << 20);
    group.check();
    assert_eq!(group.insert(b"large", &vec![0; 700 << 10], None, NOW), Ok(()));
    group.check();
    assert!(group.is_cached(b"large"));
    assert!(group.stats().entries > 1_000, "the others gave no more than was needed");
    assert_eq!(group.insert(b"huge", &vec![0; 1 << 20], None, NOW), Err(Refusal::TooLarge));
    assert_eq!(group.stats().refused_too_large, 1);
    assert!(group.is_cached(b"large"), "what never fits flushes nothing");
}

#[test]
fn a_flush_forgets_everything_and_outdates_what_is_in_the_air() {
    let group = group(Settings { shards: 4, ..Settings::default() });
    assert_eq!(group.insert(b"Sam", b"567", None, NOW), Ok(()));
    let before = group.lead(b"Tom");
    group.flush();
    assert!(!group.is_cached(b"Sam"));
    let after = group.lead(b"Tom");
    let (waiters, value) = group.bring(&before, b"old");
    assert_eq!((waiters, value.as_deref()), (1, Some(&b"old"[..])), "who asked before is served");
    assert!(!group.is_cached(b"Tom"));
    group.bring(&after, b"new");
    assert_eq!(group.value(b"Tom").as_deref(), Some(&b"new"[..]));
    group.check();
}

#[test]
fn a_write_is_not_undone_by_a_load_that_began_before_it() {
    let group = group(Settings::default());
    let before = group.lead(b"Tom");
    assert_eq!(group.insert(b"Tom", b"written", None, NOW), Ok(()));
    group.bring(&before, b"loaded");
    assert_eq!(group.value(b"Tom").as_deref(), Some(&b"written"[..]));
    assert!(group.remove(b"Tom", NOW) && !group.is_cached(b"Tom"));
    group.check();
}

#[test]
fn a_value_may_have_a_lifetime_of_its_own() {
    let group = group(Settings { lifetime: Some(Duration::from_secs(60)), ..Settings::default() });
    assert_eq!(group.insert(b"long", b"", Some(Duration::from_secs(600)), NOW), Ok(()));
    assert_eq!(group.insert(b"usual", b"", None, NOW), Ok(()));
    assert_eq!(group.insert(b"short", b"", Some(Duration::from_secs(6)), NOW), Ok(()));
    let left = |seconds: u64| {
        let at = Instant::from_millis(seconds * 1_000);
        [&b"long"[..], b"usual", b"short"].map(|key| group.hit(key, at).is_some())
    };
    assert_eq!(left(5), [true, true, true]);
    assert_eq!(left(6), [true, true, false]);
    assert_eq!(left(60), [true, false, false]);
    assert_eq!(left(600), [false, false, false]);
}

#[test]
fn jitter_spreads_the_ends_of_lifetimes() {
    let lifetime = Some(Duration::from_secs(100));
    let group = group(Settings { lifetime, jitter: 64, ..Settings::default() });
    for key in 0..=u8::MAX {
        assert_eq!(group.insert(&[key], b"", None, NOW), Ok(()));
    }
    let left = |seconds: u64| {
        let at = Instant::from_millis(seconds * 1_000);
        (0..=u8::MAX).filter(|&key| group.hit(&[key], at).is_some()).count()
    };
    assert_eq!((left(74), left(100)), (256, 0));
    assert!((40..216).contains(&left(87)), "about half at half of the time: {}", left(87));
}

#[test]
fn without_asking_the_expired_go_by_the_clock_alone() {
    let settings =
        Settings { lifetime: Some(Duration::from_secs(1)), shards: 3, ..Settings::default() };
    let group = group(settings);
    for key in 0..=u8::MAX {
        assert_eq!(group.insert(&[key], b"", None, NOW), Ok(()));
    }
    // A table of a 64 MiB group has many empty segments to go through.
    for _ in 0..200 {
        assert!(group.take_overdue(Instant::from_millis(2_000)).is_none());
    }
    let stats = group.stats();
    assert_eq!((stats.entries, stats.expirations), (0, 256));
    group.check();
}

#[test]
fn a_smaller_budget_holds_at_once() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo, Eviction::SizeAware] {
        let group = group(Settings { budget: 1 << 20, eviction, shards: 2, ..Settings::default() });
        for number in 0..5_000_u32 {
            assert_eq!(group.insert(&number.to_le_bytes(), &[7; 100], None, NOW), Ok(()));
        }
        group.set_budget(256 << 10);
        assert!(group.stats().bytes <= 256 << 10);
        group.check();
    }
}

#[test]
fn hits_of_s3_fifo_are_shared_and_counted() {
    let group = group(Settings { eviction: Eviction::S3Fifo, ..Settings::default() });
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    // Who only reads does not keep others from reading.
    let reader = group.shard(group.seed.hash(b"Tom")).expect("its shard").read();
    thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(group.ask(b"Tom"), Ok(Got::Hit(_)))));
    });
    drop(reader);
    assert_eq!((group.stats().gets, group.stats().hits, group.stats().misses()), (1, 1, 0));
    assert!(group.take_overdue(NOW).is_none());
    assert_eq!(group.stats().hits, 1, "they are counted once");
}

#[test]
fn estimates_tell_a_budget_that_is_too_small_from_one_that_is_not() {
    // A loop over these keys: least recently used keeps nothing of it, unless all of it fits.
    const KEYS: u32 = 20_000;
    let all = KEYS as usize * (12 + 4 + 100 + 23);
    let settings = |budget| Settings { budget, estimates: true, ..Settings::default() };
    let ratios = |budget: usize| {
        let group = group(settings(budget));
        for _ in 0..8 {
            for number in 0..KEYS {
                let key = number.to_le_bytes();
                if let Ok(Got::Lead(id, key, _)) = group.ask(&key) {
                    group.bring(&(id, key), &[7; 100]);
                }
            }
        }
        group.check();
        let estimates = group.estimates().expect("they are on");
        estimates.map(|it| it.hits as f64 / it.gets as f64)
    };
    let [half, double, four] = ratios(all * 3 / 4);
    assert!(half < 0.1 && double > 0.7 && four > 0.7, "{half} {double} {four}");
    let [half, double, four] = ratios(all * 3 / 8);
    assert!(half < 0.1 && double < 0.1 && four > 0.7, "{half} {double} {four}");
    assert!(group(Settings::default()).estimates().is_none());
}

#[test]
fn what_is_shared_between_threads_may_be() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<crate::Node>();
    is_shared::<crate::Loader<fn(&[u8]) -> Result<Value, LoadError>>>();
    is_shared::<crate::Cache>();
    is_shared::<crate::Cache<crate::S3Fifo>>();
    is_shared::<crate::Region<'static>>();
    is_shared::<Value<&crate::Region<'_>>>();
}

/// Each of the counters of what went, and why.
#[test]
fn what_goes_is_counted_by_its_reason() {
    let group = group(Settings { lifetime: Some(Duration::from_secs(10)), ..Settings::default() });
    for key in 0..100_u8 {
        assert_eq!(group.insert(&[key], b"", None, NOW), Ok(()));
    }
    assert!((0..30).all(|key| group.is_cached(&[key])));
    group.set_budget(0);
    let stats = group.stats();
    assert_eq!((stats.evictions, stats.evictions_unused, stats.expirations), (100, 70, 0));
    assert_eq!((stats.entries, stats.lent_bytes), (0, 0));

    group.set_budget(1 << 20);
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    assert!(
        group
            .get(b"Tom", Asker::Client, Waiter(1), NOW.after(Duration::from_secs(10)), || {
                Source::Origin
            })
            .is_ok()
    );
    assert_eq!((group.stats().evictions, group.stats().expirations), (100, 1));
}

#[test]
fn a_value_that_there_is_no_memory_for_is_counted() {
    let mut memory = vec![core::mem::MaybeUninit::uninit(); 8 << 10];
    let region = crate::Region::new(&mut memory);
    let settings = Settings { budget: 64 << 10, ..Settings::default() };
    let group: Group<SpinLock, _> =
        Group::new_in("scores", settings, Seed::new(7), &region).expect("memory");
    assert_eq!(group.insert(b"Tom", &[7; 4 << 10], None, NOW), Ok(()));
    assert_eq!(group.insert(b"Sam", &[7; 32 << 10], None, NOW), Err(Refusal::OutOfMemory));
    let stats = group.stats();
    assert_eq!((stats.refused_no_memory, stats.refused_too_large, stats.puts), (1, 0, 2));
    group.check();
}

#[test]
fn names_and_numbers_stand_in_messages() {
    let group = group(Settings::default());
    let long = vec![b'x'; 9_000];
    let Err(error) = group.ask(&long) else { panic!("over the limit") };
    assert_eq!(format!("{error}"), "the key is longer than 8192 bytes");
    assert_eq!(group.insert(&long, b"", None, NOW), Err(Refusal::TooLarge));
}

#[test]
fn a_smaller_budget_takes_from_every_shard() {
    let settings = Settings { budget: 400 << 10, shards: 4, ..Settings::default() };
    let group: Group = Group::new("g", settings, Seed::new(1)).expect("memory");
    for key in 0..2_000_u32 {
        group.insert(&key.to_le_bytes(), &[7; 100], None, NOW).expect("it fits");
    }
    let entries = || group.shards.iter().map(|shard| shard.0.read().store.len());
    let before: Vec<usize> = entries().collect();
    let budget = group.stats().bytes as usize / 4 * 3;
    group.set_budget(budget);
    group.check();
    assert!(group.stats().bytes as usize <= budget);
    for (now, before) in entries().zip(before) {
        assert!((before / 2..before * 9 / 10).contains(&now), "{now} of {before} are left");
    }
}

#[test]
fn settings_may_change_while_values_stay() {
    let group = group(Settings { lifetime: Some(Duration::from_secs(60)), ..Settings::default() });
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    assert_eq!(group.insert(b"long", b"1", None, NOW), Ok(()));
    let after = |seconds| NOW.after(Duration::from_secs(seconds));
    let limits = Limits { key_bytes: 3, flights: 1, ..Limits::default() };
    let settings =
        Settings { lifetime: Some(Duration::from_secs(5)), limits, ..Settings::default() };
    group.adjust(&settings);
    assert!(group.hit(b"Tom", after(4)).is_some(), "what it holds stays");
    assert!(group.hit(b"Tom", after(5)).is_none(), "for the new lifetime");
    assert_eq!(group.ask(b"long").err(), Some(Error::KeyTooLong { limit: 3 }));
    assert!(!group.is_cached(b"long"), "it is too long by now");
    assert!(matches!(group.ask(b"Sam"), Ok(Got::Lead(..))));
    assert_eq!(group.ask(b"Ann").err(), Some(Error::Busy));
    group.adjust(&Settings { lifetime: None, ..settings });
    assert!(group.hit(b"Tom", after(500)).is_some(), "and for ever without one");
    group.check();
}

#[test]
fn a_first_lifetime_begins_with_no_values() {
    let group = group(Settings::default());
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    let settings = Settings { lifetime: Some(Duration::from_secs(5)), ..Settings::default() };
    group.adjust(&settings);
    assert!(group.hit(b"Tom", NOW).is_none(), "nobody knows how old it is");
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    group.adjust(&settings);
    assert!(group.hit(b"Tom", NOW).is_some(), "the same settings again change nothing");
    group.check();
}
