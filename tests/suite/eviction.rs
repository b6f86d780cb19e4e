//! A full cache lets go of what nobody has asked for the longest, and a value that cannot fit
//! disturbs nothing.
//!
//! What is cached shows only in what the origin is asked: a hit is a GET that leaves its count
//! alone.

use crate::harness::{Frontend, Reply, Setup, Site};

promises! {
    the_least_recently_used_goes_first,
    the_newest_stay_through_a_churn,
    what_is_asked_for_often_stays_through_a_scan_where_the_policy_says_so,
    a_value_of_most_of_the_budget_is_stored,
    a_value_over_the_budget_is_served_and_disturbs_nothing,
    a_value_over_its_limit_is_refused,
}

hosted! {
    the_least_recently_used_goes_first,
    the_newest_stay_through_a_churn,
    what_is_asked_for_often_stays_through_a_scan_where_the_policy_says_so,
    a_value_of_most_of_the_budget_is_stored,
    a_value_over_the_budget_is_served_and_disturbs_nothing,
    a_value_over_its_limit_is_refused,
}

const KIB: usize = 1024;

/// A site with keys whose values are all of one size and begin with their key.
fn filled<F: Frontend>(keys: &[&str], size: usize) -> Site {
    let site = Setup::new().budget("1 MiB").limit("value_bytes", 4096 * KIB).start::<F>();
    for key in keys {
        site.origin.set(key, Reply::value(value_of(key, size)));
    }
    site
}

fn value_of(key: &str, size: usize) -> Vec<u8> {
    let mut value = key.as_bytes().to_vec();
    value.resize(size, b'.');
    value
}

/// Whether a GET for the key was answered without the origin; the value must be right either way.
#[track_caller]
fn is_cached(site: &Site, key: &str, size: usize) -> bool {
    let before = site.origin.loads_of(key);
    site.get(key).status(200).body(value_of(key, size));
    site.origin.loads_of(key) == before
}

/// Four of the values fit, five perhaps, six never do.
fn the_least_recently_used_goes_first<F: Frontend>() {
    let size = 200 * KIB;
    let site = filled::<F>(&["a", "b", "c", "d", "e", "f"], size);
    for key in ["a", "b", "c", "d"] {
        assert!(!is_cached(&site, key, size), "{key} before it was loaded");
    }
    assert!(is_cached(&site, "a", size), "a, with room for all");
    for key in ["e", "f"] {
        assert!(!is_cached(&site, key, size), "{key} before it was loaded");
    }
    for key in ["f", "e", "a"] {
        assert!(is_cached(&site, key, size), "{key}, one of the three that were used last");
    }
    assert!(!is_cached(&site, "b", size), "b, which was not used for the longest");
}

fn the_newest_stay_through_a_churn<F: Frontend>() {
    let size = 10 * KIB;
    let names: Vec<String> = (0..300).map(|number| format!("key-{number}")).collect();
    let keys: Vec<&str> = names.iter().map(String::as_str).collect();
    let site = filled::<F>(&keys, size);
    let mut client = site.connect();
    for key in &keys {
        client.get(key).status(200);
    }
    for key in keys.iter().rev().take(50) {
        assert!(is_cached(&site, key, size), "{key}, one of the newest 500 KiB of 1 MiB");
    }
    for key in &keys[..100] {
        assert!(!is_cached(&site, key, size), "{key}, with 2 MiB of newer values in 1 MiB");
    }
}

fn what_is_asked_for_often_stays_through_a_scan_where_the_policy_says_so<F: Frontend>() {
    let size = 10 * KIB;
    for (policy, stays) in [("lru", false), ("s3-fifo", true), ("size-aware", true)] {
        let site = Setup::new().group("policy", policy).start::<F>();
        site.origin.set_otherwise(Reply::value(vec![b'.'; size]));
        let mut client = site.connect();
        for _ in 0..4 {
            client.get("hot").status(200);
        }
        for number in 0..300 {
            client.get(&format!("scan-{number}")).status(200);
        }
        client.get("hot").status(200);
        let loads = site.origin.loads_of("hot");
        assert_eq!(loads == 1, stays, "{loads} loads of the key with the policy {policy}");
    }
}

fn a_value_of_most_of_the_budget_is_stored<F: Frontend>() {
    let size = 900 * KIB;
    let site = filled::<F>(&["most"], size);
    assert!(!is_cached(&site, "most", size), "before it was loaded");
    assert!(is_cached(&site, "most", size), "a value of nine tenths of the budget");
}

fn a_value_over_the_budget_is_served_and_disturbs_nothing<F: Frontend>() {
    let small = ["a", "b", "c"];
    let site = filled::<F>(&small, KIB);
    for key in small {
        assert!(!is_cached(&site, key, KIB), "{key} before it was loaded");
    }
    let size = 1025 * KIB;
    site.origin.set("giant", Reply::value(value_of("giant", size)));
    for _ in 0..2 {
        assert!(!is_cached(&site, "giant", size), "a value over the budget is stored");
    }
    for key in small {
        assert!(is_cached(&site, key, KIB), "{key}, after a value that could not be stored");
    }
}

/// The limit is the origin's to keep, so that a value over it is a wrong answer of the origin.
fn a_value_over_its_limit_is_refused<F: Frontend>() {
    let site = Setup::new().limit("value_bytes", 1000).start::<F>();
    let over = vec![b'x'; 1001];
    site.origin.set("at", Reply::value(&over[..1000]));
    site.origin.set("over", Reply::value(&over));
    site.origin.set("chunks", Reply::Chunked(over.clone()));
    site.get("at").status(200).body(&over[..1000]);
    site.get("over").status(502);
    site.get("chunks").status(502);
    site.get("at").status(200);
}
