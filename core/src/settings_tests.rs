//! The ends of what can be set: what stands in the documentation of [`Settings`].

use super::*;
use crate::{Group, Seed};

const NOW: Instant = Instant::ZERO;

fn group(settings: Settings) -> Group {
    Group::new("scores", settings, Seed::new(7)).expect("memory for a few tables")
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and very many segments")]
fn the_largest_budget_is_one() {
    let group = group(Settings { budget: usize::MAX, ..Settings::default() });
    for key in 0..1_000_u32 {
        assert_eq!(group.insert(&key.to_le_bytes(), &[7; 100], None, NOW), Ok(()));
    }
    group.check();
    let stats = group.stats();
    assert_eq!((stats.entries, stats.budget), (1_000, isize::MAX as u64));
    group.set_budget(64 << 10);
    assert_eq!(group.stats().entries, 0, "its tables alone are larger");
    group.set_budget(usize::MAX);
    assert_eq!(group.insert(b"Tom", b"630", None, NOW), Ok(()));
    group.check();
}

/// What stands in the documentation of [`Settings::budget`].
#[test]
fn a_group_begins_with_what_its_settings_say() {
    for (budget, shards) in [(0, 0), (0, 1), (64 << 10, 1), (4 << 20, 4), (1 << 30, 16)] {
        let group = group(Settings { budget, shards, ..Settings::default() });
        let shards = usize::from(shards).max(1);
        let tables = 32 * (budget / shards / (32 << 10)).max(1);
        let bytes = group.stats().bytes as usize;
        assert!(bytes <= shards * (tables + 550), "{bytes} for {budget} in {shards} shards");
    }
}

#[cfg(feature = "estimates")]
#[test]
fn estimates_take_one_to_two_hundredths_of_the_budget() {
    let bytes = |settings| group(settings).stats().bytes;
    for budget in [1 << 20, 3 << 20, 50 << 20, 64 << 20, 100 << 20] {
        let settings = Settings { budget, estimates: true, ..Settings::default() };
        let without = Settings { estimates: false, ..settings.clone() };
        let hundredths = (bytes(settings) - bytes(without)) * 100;
        let budget = budget as u64;
        assert!((budget..2 * budget).contains(&hundredths), "{hundredths} hundredths of {budget}");
    }
}

#[test]
fn a_group_without_a_budget_holds_nothing() {
    for eviction in [Eviction::Lru, Eviction::S3Fifo, Eviction::SizeAware] {
        let group = group(Settings { budget: 4 << 20, eviction, shards: 4, ..Settings::default() });
        for number in 0..20_000_u32 {
            assert_eq!(group.insert(&number.to_le_bytes(), &[7; 100], None, NOW), Ok(()));
        }
        group.set_budget(0);
        assert!(group.stats().bytes < 16 << 10, "{} bytes are left", group.stats().bytes);
        assert_eq!(group.stats().entries, 0);
        group.check();
    }
}
