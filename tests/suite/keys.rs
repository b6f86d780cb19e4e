//! A key is bytes: what follows the group's slash, percent-decoded once, and nothing is tidied up.
//!
//! The origin here answers every key with the key itself, so the body shows which bytes arrived at
//! the far end.

use crate::harness::{Answer, Frontend, Reply, Site};

promises! {
    a_target_is_the_bytes_of_its_key,
    a_key_that_is_a_dot_segment_is_no_other_key,
    spellings_of_one_key_share_one_entry,
    keys_that_look_alike_are_different,
    the_group_is_decoded_too,
    absolute_form_works_as_origin_form_does,
    every_byte_can_be_in_a_key,
    a_body_shows_bytes_of_the_client_only_escaped,
}

hosted! {
    a_target_is_the_bytes_of_its_key,
    a_key_that_is_a_dot_segment_is_no_other_key,
    spellings_of_one_key_share_one_entry,
    keys_that_look_alike_are_different,
    the_group_is_decoded_too,
    absolute_form_works_as_origin_form_does,
    every_byte_can_be_in_a_key,
    a_body_shows_bytes_of_the_client_only_escaped,
}

fn echoing<F: Frontend>() -> Site {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    site
}

/// A GET for exactly this target.
#[track_caller]
fn get_target(site: &Site, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: gocache\r\n\r\n");
    site.connect().send(request).answer()
}

/// What stands behind `/_gocache/scores/`, and the key that it means.
const TARGETS: [(&str, &[u8]); 31] = [
    ("k", b"k"),
    ("a/b", b"a/b"),
    ("a/b/", b"a/b/"),
    ("/x", b"/x"),
    ("//x", b"//x"),
    ("/", b"/"),
    ("a//b", b"a//b"),
    ("a/../b", b"a/../b"),
    ("../b", b"../b"),
    ("./a/.", b"./a/."),
    ("%2e%2e/b", b"../b"),
    ("c%2Fd", b"c/d"),
    ("%2Fd", b"/d"),
    ("%2F", b"/"),
    ("a+b", b"a+b"),
    ("a%2Bb", b"a+b"),
    ("a%20b", b"a b"),
    ("q?x=1", b"q"),
    ("q?", b"q"),
    ("q?a?b/c", b"q"),
    ("r%3Fx", b"r?x"),
    ("s%23t", b"s#t"),
    ("%25", b"%"),
    ("%252F", b"%2F"),
    ("%41%62", b"Ab"),
    ("%c3%A9", b"\xc3\xa9"),
    ("%ff%FE%80", b"\xff\xfe\x80"),
    ("%22%3C%3E%5C%5E%60%7B%7C%7D", b"\"<>\\^`{|}"),
    ("-._~!$&'()*,;=:@", b"-._~!$&'()*,;=:@"),
    ("http://h/p", b"http://h/p"),
    ("_gocache/scores/k", b"_gocache/scores/k"),
];

fn a_target_is_the_bytes_of_its_key<F: Frontend>() {
    let site = echoing::<F>();
    for (target, key) in TARGETS {
        get_target(&site, &format!("/_gocache/scores/{target}")).status(200).body(key);
        assert_eq!(site.origin.loads_of(key), 1, "loads of the key of {target}");
    }
}

/// As a segment of its own such a key has no URL at an origin (RFC 3986, 6.2.2.3): it is asked for
/// as it is, or not at all, but never as what is left when the segment is removed.
fn a_key_that_is_a_dot_segment_is_no_other_key<F: Frontend>() {
    let site = echoing::<F>();
    for (target, key) in [(".", "."), ("..", ".."), ("%2e", "."), ("%2E.", ".."), (".?q", ".")] {
        let answer = get_target(&site, &format!("/_gocache/scores/{target}"));
        if answer.status == 404 {
            assert_eq!(site.origin.loads_of(key), 0, "loads for what is not asked for");
        } else {
            answer.status(200).body(key);
        }
    }
}

fn spellings_of_one_key_share_one_entry<F: Frontend>() {
    let site = echoing::<F>();
    for target in ["a/b", "a%2Fb", "a%2fb", "%61/b", "a/b?", "a/b?a/c", "%61%2F%62"] {
        get_target(&site, &format!("/_gocache/scores/{target}")).status(200).body("a/b");
    }
    assert_eq!(site.origin.loads(), 1, "loads of one key in seven spellings");
}

fn keys_that_look_alike_are_different<F: Frontend>() {
    let site = echoing::<F>();
    let targets =
        ["k", "K", "k/", "/k", "k%20", "k+", "k%2520", "k/.", "%C3%A9", "e%CC%81", "kk", "k."];
    for (before, target) in targets.into_iter().enumerate() {
        get_target(&site, &format!("/_gocache/scores/{target}")).status(200);
        assert_eq!(
            site.origin.loads(),
            before + 1,
            "loads after {target}, which no key before it equals"
        );
    }
}

fn the_group_is_decoded_too<F: Frontend>() {
    let site = echoing::<F>();
    get_target(&site, "/_gocache/scores/k").status(200).body("k");
    get_target(&site, "/_gocache/sco%72es/k").status(200).body("k");
    get_target(&site, "/_gocache/%73%63%6f%72%65%73/k").status(200).body("k");
    assert_eq!(site.origin.loads(), 1, "loads of one key of one group");
    // An encoded slash belongs to the group, so the first target has no key and the second another
    // group.
    get_target(&site, "/_gocache/scores%2Fk").status(400).mentions("key");
    get_target(&site, "/_gocache/scores%2Fk/x").status(404).mentions("no such group: scores");
    get_target(&site, "/_gocache/Scores/k").status(404).body("no such group: Scores\n");
    get_target(&site, "/_gocache/scores%20/k").status(404);
    get_target(&site, "/_gocache/./scores/k").status(404).body("no such group: .\n");
}

fn absolute_form_works_as_origin_form_does<F: Frontend>() {
    let site = echoing::<F>();
    for target in [
        "http://gocache/_gocache/scores/a/../b",
        "http://another.example/_gocache/scores/a/../b",
        "http://127.0.0.1:9999/_gocache/scores/a%2F..%2Fb",
        "http://[::1]:80/_gocache/scores/a/../b?query",
        "HTTP://GOCACHE/_gocache/scores/a/../b",
    ] {
        get_target(&site, target).status(200).body("a/../b");
    }
    assert_eq!(site.origin.loads(), 1, "loads of one key, whatever the authority");
    get_target(&site, "http://gocache").status(404);
    get_target(&site, "http://gocache/").status(404);
    get_target(&site, "http://gocache/metrics").status(404);
    get_target(&site, "http://gocache?/_gocache/scores/k").status(404);
    get_target(&site, "http://gocache/_gocache/scores/").status(400).mentions("key");
}

/// Percent-encoded, all are alike; only in the target itself are control bytes refused.
fn every_byte_can_be_in_a_key<F: Frontend>() {
    let site = echoing::<F>();
    let mut client = site.connect();
    for byte in 0..=0xff_u8 {
        client.get(&format!("x%{byte:02X}y")).status(200).body([b'x', byte, b'y']);
    }
}

/// The parser of answers refuses error bodies with control characters or broken UTF-8; here they
/// are asked for.
fn a_body_shows_bytes_of_the_client_only_escaped<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    for key in [
        "%0D%0ASet-Cookie:%20a=b",
        "%0a",
        "a%00b",
        "%1b[31m",
        "%ff",
        "%c3%28",
        "%C2%85",
        "%7f",
        "%E2%80%A8",
    ] {
        let answer = client.get(key);
        answer.must(matches!(answer.status, 400 | 404), "400 or 404");
        let line = answer.body.strip_suffix(b"\n").unwrap_or_default();
        let graphic = line.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic());
        answer.must(graphic, "a body of one printable line");
        let target = format!("/_gocache/no{key}/k");
        let answer = get_target(&site, &target);
        answer.must(matches!(answer.status, 400 | 404), "400 or 404");
    }
    client.get("Tom").status(404).body("Tom not exist\n");
    client.get("a/b-c_d.e~f").status(404).body("a/b-c_d.e~f not exist\n");
}
