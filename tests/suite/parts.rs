//! A part of a value is delivered as the whole is: with its fields, to all who wait, in order, to
//! the byte.

use super::ranges::{Comes, DIGITS, Part, ToNothing, Whole, ask, check, range};
use crate::harness::{Asked, CacheStatus, Frontend, Reply, Setup, Site, get, head};

promises! {
    a_part_has_the_fields_of_the_whole,
    a_range_says_nothing_in_a_head,
    a_range_that_cannot_be_met_is_told_the_length,
    a_range_of_a_miss_is_cut_from_what_is_loaded,
    a_range_does_not_change_other_refusals,
    parts_of_a_large_value_are_exact,
    parts_in_a_pipeline_come_in_order,
}

// Who waits for whom goes by the host there: see `hosts`.
hosted! {
    a_part_has_the_fields_of_the_whole,
    a_range_says_nothing_in_a_head,
    a_range_that_cannot_be_met_is_told_the_length,
    a_range_does_not_change_other_refusals,
    parts_of_a_large_value_are_exact,
    parts_in_a_pipeline_come_in_order,
}

/// RFC 9110, 15.3.7: and only Content-Range and the length are its own.
fn a_part_has_the_fields_of_the_whole<F: Frontend>() {
    let setup = Setup::new().group("lifetime", "60s").group("content_type", "text/plain");
    let site = setup.start::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    client.get("digits").status(200);
    let whole = client.get("digits");
    let part = client.send(range("digits", "bytes=2-5")).answer();
    check(&part, DIGITS, Part(2, 5));
    for name in ["content-type", "etag", "cache-status", "accept-ranges"] {
        part.has(name, whole.need(name));
    }
    part.has("content-type", "text/plain").need("age");
    part.must(CacheStatus::of(&part).is_hit(), "a Cache-Status of a hit");
    assert_eq!(part.fields.len(), whole.fields.len() + 1, "one field more: {part}");
}

/// RFC 9110, 14.2: Range is a field of GET.
fn a_range_says_nothing_in_a_head<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    for value in ["bytes=2-5", "bytes=20-", "bytes=-0", "x"] {
        let request = head("digits").replace("\r\n\r\n", &format!("\r\nRange: {value}\r\n\r\n"));
        let answer = client.send(request).answer_to(Asked::Head);
        answer.status(200).has("content-length", "10").has("accept-ranges", "bytes");
        answer.must(answer.field("content-range").is_none(), "no Content-Range");
    }
    check(&client.send(range("digits", "bytes=2-5")).answer(), DIGITS, Part(2, 5));
}

/// RFC 9110, 15.5.17: and the connection goes on.
fn a_range_that_cannot_be_met_is_told_the_length<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    for _ in 0..3 {
        let answer = client.send(range("digits", "bytes=10-")).answer();
        check(&answer, DIGITS, ToNothing);
        answer.mentions("10 bytes");
        answer.must(!answer.says("close"), "a connection that goes on");
    }
    check(&client.get("digits"), DIGITS, Whole);
    assert_eq!(site.origin.loads_of("digits"), 1, "loads of a value that was loaded for a 416");
}

/// The one who leads and those who wait each get what they asked for.
fn a_range_of_a_miss_is_cut_from_what_is_loaded<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("cold", Reply::Held(gate.clone(), Box::new(Reply::value(DIGITS))));
    let all = [
        ("Range: bytes=0-2", Part(0, 2)),
        ("Range: bytes=5-", Part(5, 9)),
        ("Range: bytes=-1", Part(9, 9)),
        ("Range: bytes=10-", ToNothing),
        ("Range: bytes=5-4", Whole),
        ("Range: bytes=0-2\r\nIf-Range: \"other\"", Whole),
        ("Accept: */*", Whole),
    ];
    let mut clients = Vec::new();
    for (lines, comes) in all {
        let mut client = site.connect();
        client.send(get("hot") + &ask("cold", lines)).answer().status(200).body("hot value");
        site.origin.await_loads("cold", 1);
        clients.push((client, comes));
    }
    gate.open();
    for (client, comes) in &mut clients {
        let answer = client.answer();
        check(&answer, DIGITS, *comes);
        if answer.status != 416 {
            answer.must(CacheStatus::of(&answer).is_miss(), "a Cache-Status of a miss");
        }
    }
    assert_eq!(site.origin.loads_of("cold"), 1, "loads of a key that seven asked for");
    check(&site.get("cold"), DIGITS, Whole);
}

/// RFC 9110, 14.2: a Range counts where the answer without it would be a 200.
fn a_range_does_not_change_other_refusals<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("failing", Reply::status(500));
    let mut client = site.connect();
    for value in ["bytes=0-0", "bytes=20-", "x"] {
        for (key, status) in [("missing", 404), ("failing", 502), ("%zz", 400)] {
            let answer = client.send(range(key, value)).answer();
            answer.status(status).one_line();
            for name in ["content-range", "accept-ranges"] {
                answer.must(answer.field(name).is_none(), "no field about ranges");
            }
        }
        let post = range("hot", value).replace("GET ", "POST ");
        client.send(post).answer().status(405);
    }
    check(&client.send(range("hot", "bytes=4-")).answer(), "hot value", Part(4, 8));
}

/// Parts that are copied and parts that are not, on either side of the border between them, at
/// both ends of a value and within.
fn parts_of_a_large_value_are_exact<F: Frontend>() {
    let site = Setup::new().budget("4 MiB").start::<F>();
    let large: Vec<u8> = (0..1_u32 << 20).map(|place| (place % 251) as u8).collect();
    let last = large.len() - 1;
    site.origin.set("large", Reply::value(&large));
    let mut client = site.connect();
    for (first, last) in [
        (0, last),
        (0, last - 1),
        (1, last),
        (300_000, 800_000),
        (0, 1_022),
        (0, 1_023),
        (0, 1_024),
        (7, 1_031),
        (last - 1_023, last),
        (last - 1_024, last),
        (500_000, 500_000),
        (last, last),
    ] {
        let answer = client.send(range("large", &format!("bytes={first}-{last}"))).answer();
        check(&answer, &large, Part(first, last));
    }
    check(&client.send(range("large", "bytes=-600000")).answer(), &large, Part(448_576, last));
    check(&client.send(range("large", "bytes=1048576-")).answer(), &large, ToNothing);
    check(&client.get("large"), &large, Whole);
    assert_eq!(site.origin.loads_of("large"), 1, "loads of a value that was read in parts");
}

fn parts_in_a_pipeline_come_in_order<F: Frontend>() {
    let site = Site::new::<F>();
    let medium: Vec<u8> = (0..=250).cycle().take(5_000).collect();
    site.origin.set("digits", Reply::value(DIGITS));
    site.origin.set("medium", Reply::value(&medium));
    let all: [(&str, &[u8], &str, Comes); 7] = [
        ("digits", DIGITS.as_bytes(), "bytes=2-5", Part(2, 5)),
        ("medium", &medium, "bytes=10-4000", Part(10, 4_000)),
        ("medium", &medium, "bytes=4999-", Part(4_999, 4_999)),
        ("digits", DIGITS.as_bytes(), "bytes=10-", ToNothing),
        ("medium", &medium, "x", Whole),
        ("medium", &medium, "bytes=-2000", Part(3_000, 4_999)),
        ("digits", DIGITS.as_bytes(), "bytes=-1", Part(9, 9)),
    ];
    let mut client = site.connect();
    // Once as misses, which wait for one another, and then as hits.
    for _ in 0..3 {
        client.send(all.map(|(key, _, value, _)| range(key, value)).concat());
        for (_, value, _, comes) in all {
            check(&client.answer(), value, comes);
        }
    }
}
