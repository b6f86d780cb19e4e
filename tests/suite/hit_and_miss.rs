//! The first GET of a key loads it from the origin, the next ones do not, and both get the same
//! bytes.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{
    Answer, Asked, CacheStatus, Frontend, Reply, Setup, Site, eventually, get, head,
};

promises! {
    the_first_get_loads_and_the_next_do_not,
    bytes_arrive_as_they_are,
    an_empty_value_is_a_value,
    the_content_type_is_the_groups,
    the_etag_is_strong_and_depends_on_the_bytes_alone,
    cache_status_tells_hit_from_miss,
    a_group_with_a_lifetime_tells_the_age,
    an_age_that_the_origin_tells_is_not_ours,
    a_value_over_its_lifetime_is_loaded_again,
    head_has_the_fields_of_get,
    if_none_match_is_answered_without_the_body,
    if_none_match_that_does_not_match_changes_nothing,
    a_condition_on_a_missing_key_does_not_help,
    a_missing_key_is_not_remembered,
    a_failure_is_not_remembered,
}

hosted! {
    the_first_get_loads_and_the_next_do_not,
    bytes_arrive_as_they_are,
    an_empty_value_is_a_value,
    the_content_type_is_the_groups,
    the_etag_is_strong_and_depends_on_the_bytes_alone,
    cache_status_tells_hit_from_miss,
    a_group_with_a_lifetime_tells_the_age,
    an_age_that_the_origin_tells_is_not_ours,
    a_value_over_its_lifetime_is_loaded_again,
    head_has_the_fields_of_get,
    if_none_match_is_answered_without_the_body,
    if_none_match_that_does_not_match_changes_nothing,
    a_condition_on_a_missing_key_does_not_help,
    a_missing_key_is_not_remembered,
    a_failure_is_not_remembered,
}

fn the_first_get_loads_and_the_next_do_not<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("Tom", Reply::value("630"));
    for _ in 0..3 {
        site.get("Tom").status(200).body("630").has("content-length", "3");
    }
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads of a key that was asked for three times");
    site.origin.set("Jack", Reply::value("589"));
    site.get("Jack").status(200).body("589");
    assert_eq!(site.origin.loads(), 2, "loads of two keys");
}

/// Each value once as a miss and once as a hit: the two ways through the server are different code.
fn bytes_arrive_as_they_are<F: Frontend>() {
    let site = Site::new::<F>();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..200_000_u32).map(|place| (place % 251) as u8).collect();
    let values: [(&str, &[u8]); 5] = [
        ("every", &every_byte),
        ("large", &large),
        ("lines", b"\r\n\r\n\n\r"),
        ("answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("nul", b"\0"),
    ];
    for (key, value) in values {
        site.origin.set(key, Reply::value(value));
        let mut client = site.connect();
        client.get(key).status(200).body(value);
        client.get(key).status(200).body(value);
        assert_eq!(site.origin.loads_of(key), 1, "loads of {key}");
    }
}

fn an_empty_value_is_a_value<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("empty", Reply::value(""));
    let mut client = site.connect();
    for _ in 0..2 {
        client.get("empty").status(200).has("content-length", "0").body("");
    }
    assert_eq!(site.origin.loads_of("empty"), 1, "loads of an empty value");
}

fn the_content_type_is_the_groups<F: Frontend>() {
    let plain = Site::new::<F>();
    plain.get("hot").status(200).has("content-type", "application/octet-stream");
    let text = "text/csv; charset=utf-8";
    let typed = Setup::new().group("content_type", text).start::<F>();
    for _ in 0..2 {
        typed.get("hot").status(200).has("content-type", text);
    }
}

fn the_etag_is_strong_and_depends_on_the_bytes_alone<F: Frontend>() {
    let site = Site::new::<F>();
    let tag_of = |key: &str, value: &str| {
        site.origin.set(key, Reply::value(value));
        let answer = site.get(key);
        let tag = answer.status(200).need("etag");
        let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let strong = inner.is_some_and(|inner| !inner.is_empty() && !inner.contains('"'));
        answer.must(strong, "a strong ETag in quotes");
        tag.to_string()
    };
    let first = tag_of("one", "the same bytes");
    assert_eq!(first, tag_of("one", "not loaded again"), "the tag of a hit and of a miss");
    assert_eq!(first, tag_of("two", "the same bytes"), "the tags of equal values");
    let others =
        [tag_of("three", "the same Bytes"), tag_of("four", ""), tag_of("five", "the same byte")];
    for (place, other) in others.iter().enumerate() {
        assert_ne!(*other, first, "the tags of different values");
        assert!(!others[..place].contains(other), "the tags of different values: {others:?}");
    }
}

fn cache_status_tells_hit_from_miss<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    let miss = client.get("hot");
    miss.must(
        CacheStatus::of(&miss).is_miss(),
        "a Cache-Status of a miss, as in gocache; fwd=uri-miss",
    );
    let hit = client.get("hot");
    hit.must(CacheStatus::of(&hit).is_hit(), "a Cache-Status of a hit, as in gocache; hit");
}

fn a_group_with_a_lifetime_tells_the_age<F: Frontend>() {
    let site = Setup::new().group("lifetime", "60s").start::<F>();
    let begin = Instant::now();
    let mut client = site.connect();
    let mut age = || {
        let answer = client.get("hot");
        let age = answer.status(200).need("age").parse::<u64>();
        answer.must(age.is_ok(), "an Age in whole seconds");
        age.unwrap_or_default()
    };
    assert_eq!(age(), 0, "the age of what has just been loaded");
    eventually("the age is above zero", || age() > 0);
    let most = begin.elapsed().as_secs() + 1;
    let last = age();
    assert!((1..=most).contains(&last), "an age of {last} s after less than {most} s");
    assert_eq!(site.origin.loads_of("hot"), 1, "loads within the lifetime");
}

/// What comes from the origin is new, however long a cache before it had it: else the answers of a
/// load and of the hits after it would disagree.
fn an_age_that_the_origin_tells_is_not_ours<F: Frontend>() {
    let site = Setup::new().group("lifetime", "60s").start::<F>();
    let aged = "HTTP/1.1 200 OK\r\nAge: 500\r\nContent-Length: 3\r\n\r\n630";
    site.origin.set("Tom", Reply::RawKept(aged.into()));
    for _ in 0..2 {
        let answer = site.get("Tom");
        let age: u64 = answer.status(200).need("Age").parse().expect("a number");
        assert!(age < 60, "an age of {age} seconds");
    }
}

fn a_value_over_its_lifetime_is_loaded_again<F: Frontend>() {
    let lifetime = Duration::from_millis(600);
    let site = Setup::new().group("lifetime", "600ms").start::<F>();
    site.origin.set("Tom", Reply::value("old"));
    let begin = Instant::now();
    site.get("Tom").status(200).body("old");
    let loaded = Instant::now();
    site.origin.set("Tom", Reply::value("new"));
    let early = site.get("Tom");
    // On a very busy machine the lifetime may have passed already; then this says nothing.
    early.must(
        early.body == b"old" || begin.elapsed() > lifetime,
        "the old value within its lifetime",
    );
    // Time itself is what is waited for, and a little for clocks that tick in steps.
    thread::sleep((lifetime + Duration::from_millis(50)).saturating_sub(loaded.elapsed()));
    for _ in 0..2 {
        site.get("Tom").status(200).body("new");
    }
    assert_eq!(site.origin.loads_of("Tom"), 2, "loads, one for each lifetime");
}

fn head_has_the_fields_of_get<F: Frontend>() {
    let site = Setup::new().group("content_type", "text/plain").start::<F>();
    site.origin.set("Tom", Reply::value("630"));
    let mut client = site.connect();
    let cold = client.send(head("Tom")).answer_to(Asked::Head);
    cold.status(200).must(CacheStatus::of(&cold).is_miss(), "a HEAD that loads");
    let got = client.get("Tom");
    got.status(200).body("630");
    let warm = client.send(head("Tom")).answer_to(Asked::Head);
    warm.status(200);
    for name in ["content-length", "content-type", "etag"] {
        let value = got.need(name);
        cold.has(name, value);
        warm.has(name, value);
    }
    warm.has("cache-status", got.need("cache-status"));
    let names = |answer: &Answer| -> Vec<String> {
        answer.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    };
    assert_eq!(names(&warm), names(&got), "the fields of HEAD and of GET");
    client.send(head("nobody")).answer_to(Asked::Head).status(404);
    client.get("Tom").status(200).body("630");
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads of a key that HEAD had asked for first");
}

/// A conditional request for `hot`, with the field lines as given.
fn conditional(method: &str, lines: &str) -> String {
    format!("{method} /_gocache/scores/hot HTTP/1.1\r\nHost: gocache\r\n{lines}\r\n")
}

fn if_none_match_is_answered_without_the_body<F: Frontend>() {
    let site = Setup::new().group("lifetime", "60s").start::<F>();
    let tag = site.get("hot").need("etag").to_string();
    let lines = [
        format!("If-None-Match: {tag}\r\n"),
        "If-None-Match: *\r\n".to_string(),
        format!("If-None-Match: W/{tag}\r\n"),
        format!("if-none-match:\t{tag} \r\n"),
        format!("If-None-Match: \"a\", {tag}\r\n"),
        format!("If-None-Match: \"a,b\",{tag},\"c\"\r\n"),
        format!("If-None-Match: W/\"a\" , W/{tag}\r\n"),
        format!("If-None-Match: , ,{tag}\r\n"),
        format!("If-None-Match: \"a\"\r\nIf-None-Match: {tag}\r\n"),
    ];
    let mut client = site.connect();
    for lines in &lines {
        for method in ["GET", "HEAD"] {
            let answer = client.send(conditional(method, lines)).answer_to(Asked::Head);
            answer.status(304).has("etag", &tag).need("age");
            let length = answer.field("content-length");
            answer.must(
                length.is_none_or(|length| length == "9"),
                "no Content-Length, or that of the value",
            );
        }
    }
    client.get("hot").status(200).body("hot value");
    let cold = Site::new::<F>();
    let mut client = cold.connect();
    client.send(conditional("GET", &lines[0])).answer().status(304).has("etag", &tag);
    assert_eq!(cold.origin.loads_of("hot"), 1, "loads of a conditional request for a cold key");
}

fn if_none_match_that_does_not_match_changes_nothing<F: Frontend>() {
    let site = Site::new::<F>();
    let tag = site.get("hot").need("etag").to_string();
    let inner = tag.trim_matches('"');
    let mut client = site.connect();
    for lines in [
        "If-None-Match: \"a\"\r\n".to_string(),
        "If-None-Match: \"\"\r\n".to_string(),
        "If-None-Match: \"*\"\r\n".to_string(),
        format!("If-None-Match: \"x{inner}\", \"{inner}x\", W/\"\"\r\n"),
        format!("If-None-Match: \"a,{inner}\"\r\n"),
        format!("X-If-None-Match: {tag}\r\n"),
    ] {
        client.send(conditional("GET", &lines)).answer().status(200).body("hot value");
    }
}

fn a_condition_on_a_missing_key_does_not_help<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    let request = get("nobody").replace("\r\n\r\n", "\r\nIf-None-Match: *\r\n\r\n");
    client.send(request).answer().status(404);
    client.get("hot").status(200);
}

fn a_missing_key_is_not_remembered<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    for times in 1..=2 {
        client.get("Sam").status(404).body("Sam not exist\n");
        assert_eq!(site.origin.loads_of("Sam"), times, "loads of a missing key");
    }
    site.origin.set("Sam", Reply::value("567"));
    client.get("Sam").status(200).body("567");
    site.origin.set("Sam", Reply::NotFound);
    client.get("Sam").status(200).body("567");
}

fn a_failure_is_not_remembered<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    site.origin.set("Sam", Reply::status(500));
    for times in 1..=2 {
        client.get("Sam").status(502);
        assert_eq!(site.origin.loads_of("Sam"), times, "loads of a key whose load fails");
    }
    site.origin.set("Sam", Reply::value("567"));
    client.get("Sam").status(200).body("567");
}
