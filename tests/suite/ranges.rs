//! A Range asks for one part of a value, and gets that part, a refusal, or the whole: never another
//! part, nor one of another value.

use crate::harness::{Answer, Frontend, Reply, Site, get};

promises! {
    a_range_is_that_part_or_none_or_ignored,
    an_empty_value_has_no_first_byte,
    a_part_is_of_the_value_that_if_range_names,
    a_value_that_the_client_has_is_sent_in_no_part,
}

hosted! { in jco for Jco:
    a_range_is_that_part_or_none_or_ignored,
    an_empty_value_has_no_first_byte,
    a_part_is_of_the_value_that_if_range_names,
    a_value_that_the_client_has_is_sent_in_no_part,
}

// It answers a request of HTTP/1.0 with HTTP/1.0.
hosted! { in serve for Serve:
    an_empty_value_has_no_first_byte,
    a_part_is_of_the_value_that_if_range_names,
    a_value_that_the_client_has_is_sent_in_no_part,
}

pub(super) const DIGITS: &str = "0123456789";

/// A GET with these further field lines.
pub(super) fn ask(key: &str, lines: &str) -> String {
    get(key).replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"))
}

pub(super) fn range(key: &str, range: &str) -> String {
    ask(key, &format!("Range: {range}"))
}

/// What a Range comes to.
#[derive(Clone, Copy)]
pub(super) enum Comes {
    /// 206 with these bytes, the first and the last of them included.
    Part(usize, usize),
    /// 416.
    ToNothing,
    /// 200: the Range is ignored.
    Whole,
}

pub(super) use Comes::{Part, ToNothing, Whole};

#[track_caller]
pub(super) fn check(answer: &Answer, value: impl AsRef<[u8]>, comes: Comes) {
    let value = value.as_ref();
    let len = value.len();
    match comes {
        Part(first, last) => {
            answer.status(206).body(&value[first..=last]);
            answer.has("content-range", &format!("bytes {first}-{last}/{len}"));
            answer.has("content-length", &(last - first + 1).to_string());
            answer.has("accept-ranges", "bytes").need("etag");
        }
        ToNothing => {
            answer.status(416).one_line().has("content-range", &format!("bytes */{len}"));
        }
        Whole => {
            answer.status(200).body(value).has("accept-ranges", "bytes");
            answer.must(answer.field("content-range").is_none(), "no Content-Range with the whole");
        }
    }
}

/// Sections of RFC 9110, and what they make of a Range of ten bytes. All go over one connection:
/// none of them ends it.
const RANGES: [(&str, &str, Comes); 52] = [
    ("14.1.2 the first byte", "bytes=0-0", Part(0, 0)),
    ("14.1.2 the last byte", "bytes=9-9", Part(9, 9)),
    ("14.1.2 a byte within", "bytes=4-4", Part(4, 4)),
    ("14.1.2 both places are included", "bytes=2-5", Part(2, 5)),
    ("14.1.2 all bytes are a part too", "bytes=0-9", Part(0, 9)),
    ("14.1.2 to the end", "bytes=3-", Part(3, 9)),
    ("14.1.2 from the first byte to the end", "bytes=0-", Part(0, 9)),
    ("14.1.2 from the last byte to the end", "bytes=9-", Part(9, 9)),
    ("14.1.2 the last bytes", "bytes=-3", Part(7, 9)),
    ("14.1.2 the very last byte", "bytes=-1", Part(9, 9)),
    ("14.1.2 as many last bytes as there are", "bytes=-10", Part(0, 9)),
    ("14.1.2 more last bytes than there are", "bytes=-11", Part(0, 9)),
    ("14.1.2 a last place beyond the end is clipped", "bytes=5-10", Part(5, 9)),
    ("14.1.2 far beyond", "bytes=5-999999999", Part(5, 9)),
    ("14.1.2 leading zeros are digits", "bytes=00002-00003", Part(2, 3)),
    ("14.1.1 the largest number of 64 bits", "bytes=5-18446744073709551615", Part(5, 9)),
    ("14.1.1 one more", "bytes=5-18446744073709551616", Part(5, 9)),
    (
        "14.1.1 a number of 40 digits",
        "bytes=5-9999999999999999999999999999999999999999",
        Part(5, 9),
    ),
    ("14.1.2 a suffix that overflows", "bytes=-99999999999999999999", Part(0, 9)),
    ("14.1 names of units are not case-sensitive", "Bytes=2-5", Part(2, 5)),
    ("5.6.1.2 empty elements of a list count for nothing", "bytes=2-5,", Part(2, 5)),
    ("5.5 space around a value is no part of it", "  bytes=2-5\t", Part(2, 5)),
    ("15.5.17 a first place just beyond the end", "bytes=10-", ToNothing),
    ("15.5.17 the same with a last place", "bytes=10-10", ToNothing),
    ("15.5.17 far beyond", "bytes=1000-2000", ToNothing),
    ("15.5.17 the largest number of 64 bits", "bytes=18446744073709551615-", ToNothing),
    ("15.5.17 one more", "bytes=18446744073709551616-", ToNothing),
    ("15.5.17 64 bits do not wrap", "bytes=18446744073709551616-18446744073709551620", ToNothing),
    ("14.1.2 no bytes from the end", "bytes=-0", ToNothing),
    ("14.1.1 a last place before the first is invalid", "bytes=5-4", Whole),
    ("14.1.1 also beyond the end", "bytes=20-10", Whole),
    ("14.1.1 nothing", "", Whole),
    ("14.1.1 no range", "bytes=", Whole),
    ("14.1.1 no equals sign", "bytes", Whole),
    ("14.1.1 no unit", "0-5", Whole),
    ("14.1.1 no place", "bytes=-", Whole),
    ("14.1.1 no dash", "bytes=5", Whole),
    ("14.1.1 two dashes", "bytes=2--5", Whole),
    ("14.1.1 a negative number", "bytes=--5", Whole),
    ("14.1.1 a sign", "bytes=+2-5", Whole),
    ("14.1.1 no digits", "bytes=a-b", Whole),
    ("14.1.1 hexadecimal", "bytes=0x2-0x5", Whole),
    ("14.1.1 a fraction", "bytes=2.0-5", Whole),
    ("14.1.1 space within", "bytes=2 - 5", Whole),
    ("14.1.1 space before the equals sign", "bytes =2-5", Whole),
    ("14.1.1 three places", "bytes=2-5-7", Whole),
    ("14.1.1 a parameter", "bytes=2-5;x", Whole),
    ("14.2 another unit", "lines=2-5", Whole),
    ("14.2 a unit that begins alike", "bytesx=2-5", Whole),
    ("14.2 two ranges", "bytes=0-1,4-5", Whole),
    ("14.2 ranges that overlap", "bytes=0-5, 2-7, -3", Whole),
    ("14.2 two ranges, one of them unsatisfiable", "bytes=2-5,20-30", Whole),
];

fn a_range_is_that_part_or_none_or_ignored<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    check(&client.get("digits"), DIGITS, Whole);
    for (section, value, comes) in RANGES {
        let mut answer = client.send(range("digits", value)).answer();
        answer.sent = format!("Range: {value:?} (RFC 9110, {section})");
        check(&answer, DIGITS, comes);
    }
    // 5.3: a field that is no list stands once. Which of two would be meant?
    let two = ask("digits", "Range: bytes=0-1\r\nRange: bytes=0-1");
    check(&client.send(two).answer(), DIGITS, Whole);
    // 5.1: names of fields are not case-sensitive, and no other field is meant.
    check(&client.send(ask("digits", "rAnGe: bytes=0-1")).answer(), DIGITS, Part(0, 1));
    check(&client.send(ask("digits", "X-Range: bytes=0-1")).answer(), DIGITS, Whole);
    // 14.2 leaves versions aside: an old client gets its part as well.
    let old = range("digits", "bytes=2-5").replace("HTTP/1.1", "HTTP/1.0");
    check(&client.send(old).answer(), DIGITS, Part(2, 5));
    assert_eq!(site.origin.loads_of("digits"), 1, "loads of a value that was asked for in parts");
}

/// RFC 9110, 14.1.2: a range with a first place begins beyond the end of nothing; the last bytes of
/// nothing are nothing, which has no Content-Range and is sent as the whole.
fn an_empty_value_has_no_first_byte<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("empty", Reply::value(""));
    let mut client = site.connect();
    for (value, comes) in [
        ("bytes=0-", ToNothing),
        ("bytes=0-0", ToNothing),
        ("bytes=1-5", ToNothing),
        ("bytes=-0", ToNothing),
        ("bytes=-1", Whole),
        ("bytes=1-0", Whole),
    ] {
        check(&client.send(range("empty", value)).answer(), "", comes);
    }
}

/// RFC 9110, 13.1.5: the comparison is strong, and what does not match gets the whole.
fn a_part_is_of_the_value_that_if_range_names<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    let first = client.get("digits");
    let (tag, date) = (first.need("etag"), first.need("date"));
    let upper = tag.to_uppercase();
    let bare = tag.trim_matches('"');
    let part = Part(2, 5);
    for (lines, comes) in [
        (format!("If-Range: {tag}"), part),
        (format!("if-range:\t{tag} "), part),
        (format!("If-Range: {tag}\r\nIf-None-Match: \"other\""), part),
        (format!("If-Range: W/{tag}"), Whole),
        (format!("If-Range: {bare}"), Whole),
        (format!("If-Range: {tag}, \"other\""), Whole),
        (format!("If-Range: {tag}\r\nIf-Range: {tag}"), Whole),
        (format!("If-Range: {date}"), Whole),
        (format!("If-Range: {upper}"), if upper == tag { part } else { Whole }),
        ("If-Range: \"0000000000000000\"".into(), Whole),
        ("If-Range: \"other\"".into(), Whole),
        ("If-Range: \"\"".into(), Whole),
        ("If-Range: *".into(), Whole),
        ("If-Range:".into(), Whole),
        ("If-Range: Thu, 01 Jan 2099 00:00:00 GMT".into(), Whole),
    ] {
        let request = ask("digits", &format!("Range: bytes=2-5\r\n{lines}"));
        check(&client.send(request).answer(), DIGITS, comes);
    }
    // 13.1.5: of another value not even the refusal; without a Range it says nothing.
    let beyond = ask("digits", "Range: bytes=20-\r\nIf-Range: \"other\"");
    check(&client.send(beyond).answer(), DIGITS, Whole);
    let beyond = ask("digits", &format!("Range: bytes=20-\r\nIf-Range: {tag}"));
    check(&client.send(beyond).answer(), DIGITS, ToNothing);
    check(&client.send(ask("digits", &format!("If-Range: {tag}"))).answer(), DIGITS, Whole);
}

/// RFC 9110, 13.2.2: If-None-Match comes first.
fn a_value_that_the_client_has_is_sent_in_no_part<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("digits", Reply::value(DIGITS));
    let mut client = site.connect();
    let tag = client.get("digits").need("etag").to_string();
    for lines in [
        format!("Range: bytes=2-5\r\nIf-None-Match: {tag}"),
        "Range: bytes=2-5\r\nIf-None-Match: *".into(),
        format!("Range: bytes=20-\r\nIf-None-Match: W/{tag}"),
        format!("Range: bytes=2-5\r\nIf-Range: {tag}\r\nIf-None-Match: \"other\", {tag}"),
        format!("Range: bytes=2-5\r\nIf-Range: \"other\"\r\nIf-None-Match: {tag}"),
    ] {
        let answer = client.send(ask("digits", &lines)).answer();
        answer.status(304).has("etag", &tag);
        answer.must(answer.field("content-range").is_none(), "no Content-Range");
    }
    let request = ask("digits", "Range: bytes=2-5\r\nIf-None-Match: \"other\"");
    check(&client.send(request).answer(), DIGITS, Part(2, 5));
}
