//! A request outside the grammar gets one refusal, and nothing behind it on the connection is taken
//! for a request.
//!
//! Behind every case stands a well-formed request for the key `smuggled`. The origin is never asked
//! for it: whoever misjudges where the broken request ends would ask.

use crate::harness::{Frontend, Reply, Site, escaped, get};

promises! {
    request_lines_outside_the_grammar,
    targets_outside_the_grammar,
    field_lines_outside_the_grammar,
    hosts_that_are_not_one_host,
}

/// Where the rule stands, what is sent, and the statuses that may answer it.
pub(super) type Case<'a> = (&'a str, &'a [u8], &'a [u16]);

pub(super) const REFUSED: &[u16] = &[400];
/// No grammar, but also no version or coding that the server knows: either may be what it sees
/// first.
const REFUSED_OR_VERSION: &[u16] = &[400, 505];

pub(super) const LINE: &[u8] = b"GET /_gocache/scores/hot HTTP/1.1\r\n";
pub(super) const HOST: &[u8] = b"Host: gocache\r\n";

/// Sends every case on a connection of its own; `wrap` makes a whole request of it.
pub(super) fn refuse<F: Frontend>(
    cases: &[Case<'_>],
    answered_first: bool,
    wrap: impl Fn(&[u8]) -> Vec<u8>,
) {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    site.get("hot").status(200);
    let mut failures = Vec::new();
    for (section, bytes, allowed) in cases {
        let sent = wrap(bytes);
        let before = site.origin.loads_of("smuggled");
        let mut client = site.connect();
        client.offer([&sent, get("smuggled").as_bytes()].concat());
        let got = match client.try_answers_to_the_end() {
            Ok(answers) => {
                let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
                let refused = match statuses[..] {
                    [one] => allowed.contains(&one) || (answered_first && one == 200),
                    // The head was whole and good, so it may have been answered before its body was
                    // seen to be broken.
                    [200, two] => answered_first && allowed.contains(&two),
                    _ => false,
                };
                let smuggled = site.origin.loads_of("smuggled") - before;
                if refused && smuggled == 0 {
                    site.get("hot").status(200).body("hot value");
                    continue;
                }
                format!("{statuses:?} and the end, {smuggled} smuggled")
            }
            Err(error) => error,
        };
        let sent = escaped(&sent);
        failures.push(format!(
            "\n  RFC {section}\n    sent: {sent}\n    expected: {allowed:?} and the end\n    \
             got: {got}"
        ));
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:{}",
        failures.len(),
        cases.len(),
        failures.concat()
    );
}

fn request_lines_outside_the_grammar<F: Frontend>() {
    let cases: [Case; 34] = [
        ("9112 3", b"GET  /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3", b"GET /_gocache/scores/hot  HTTP/1.1", REFUSED),
        ("9112 3", b" GET /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3", b"GET /_gocache/scores/hot HTTP/1.1 ", REFUSED),
        ("9112 3", b"GET\t/_gocache/scores/hot\tHTTP/1.1", REFUSED),
        ("9112 3", b"GET /_gocache/scores/hot\tHTTP/1.1", REFUSED),
        ("9112 3", b"GET\x0b/_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3", b"GET", REFUSED),
        ("9112 3", b"GET ", REFUSED),
        ("9112 3", b"GET HTTP/1.1", REFUSED),
        ("9112 3", b"GET /_gocache/scores/hot", REFUSED_OR_VERSION),
        ("9112 3", b"GET /_gocache/scores/hot ", REFUSED_OR_VERSION),
        ("9112 3", b"GET /_gocache/scores/hot and more HTTP/1.1", REFUSED),
        ("9112 3", b"/_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3", b":", REFUSED),
        ("9112 2.2", b"GET /_gocache/scores/hot HTTP/1.1\r", REFUSED),
        ("9112 2.2", b"\rGET /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 2.2", b"GET /_gocache/scores/hot\rHTTP/1.1", REFUSED),
        ("9112 2.2", b"GET /_gocache/scores/hot HTTP/1.1\nA: b", REFUSED),
        ("9112 3.1", b"G(T /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3.1", b"GE\"T /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3.1", b"GET: /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3.1", b"G{}T /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3.1", b"G\0T /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 3.1", b"G\xc3\x89T /_gocache/scores/hot HTTP/1.1", REFUSED),
        ("9112 2.3", b"GET /_gocache/scores/hot http/1.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/1.10", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/1.1x", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/11.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/1", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/1.", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP/.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTP 1.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"GET /_gocache/scores/hot HTTPS/1.1", REFUSED_OR_VERSION),
    ];
    refuse::<F>(&cases, false, |line| [line, b"\r\n", HOST, b"\r\n"].concat());
}

fn targets_outside_the_grammar<F: Frontend>() {
    // RFC 9110, 15.5.20 has a status for a request that came to the wrong place.
    const MISDIRECTED: &[u16] = &[400, 421];
    let cases: [Case; 25] = [
        ("9112 3.2", b"_gocache/scores/hot", REFUSED),
        ("9112 3.2", b"?/_gocache/scores/hot", REFUSED),
        ("9110 7.1", b"*", REFUSED),
        ("9110 7.1", b"gocache:80", REFUSED),
        ("9112 3.2", b"/_gocache/scores/hot#part", REFUSED),
        ("3986 3.3", b"/_gocache/scores/\"hot\"", REFUSED),
        ("3986 3.3", b"/_gocache/scores/<hot>", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h\\t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h^t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h`t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/{hot}", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h|t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h\xc3\xb6t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h\xfft", REFUSED),
        ("3986 3.4", b"/_gocache/scores/hot?\xc3\xb6", REFUSED),
        ("9110 4.2.1", b"http:///_gocache/scores/hot", REFUSED),
        ("9110 4.2.1", b"http://:80/_gocache/scores/hot", REFUSED),
        ("9110 4.2.1", b"http:/_gocache/scores/hot", REFUSED),
        ("9110 4.2.4", b"http://user@gocache/_gocache/scores/hot", REFUSED),
        ("9110 4.2.4", b"http://user:word@gocache/_gocache/scores/hot", REFUSED),
        ("9110 7.4", b"https://gocache/_gocache/scores/hot", MISDIRECTED),
        ("9110 7.4", b"ftp://gocache/_gocache/scores/hot", MISDIRECTED),
        ("3986 3.2.2", b"http://[::1/_gocache/scores/hot", REFUSED),
        ("3986 3.2.3", b"http://gocache:8o/_gocache/scores/hot", REFUSED),
        ("3986 3.2.2", b"http://go<cache/_gocache/scores/hot", REFUSED),
    ];
    refuse::<F>(&cases, false, |target| {
        [b"GET ", target, b" HTTP/1.1\r\n", HOST, b"\r\n"].concat()
    });
}

fn field_lines_outside_the_grammar<F: Frontend>() {
    let cases: [Case; 26] = [
        ("9112 5.1", b"A : b\r\n", REFUSED),
        ("9112 5.1", b"A\t: b\r\n", REFUSED),
        ("9112 5.1", b"Content-Length : 0\r\n", REFUSED),
        ("9112 5", b": b\r\n", REFUSED),
        ("9112 5", b"A\r\n", REFUSED),
        ("9112 5", b"A b\r\n", REFUSED),
        ("9110 5.1", b"A B: c\r\n", REFUSED),
        ("9110 5.1", b"A(B): c\r\n", REFUSED),
        ("9110 5.1", b"A@: c\r\n", REFUSED),
        ("9110 5.1", b"\"A\": c\r\n", REFUSED),
        ("9110 5.1", b"A/B: c\r\n", REFUSED),
        ("9110 5.1", b"\xc3\x84: c\r\n", REFUSED),
        ("9110 5.1", b"A\0: c\r\n", REFUSED),
        ("9110 5.1", b"A\x7f: c\r\n", REFUSED),
        ("9112 5.2", b"A: b\r\n c\r\n", REFUSED),
        ("9112 5.2", b"A: b\r\n\tc\r\n", REFUSED),
        ("9112 5.2", b"A:\r\n b\r\n", REFUSED),
        ("9112 5.2", b"A: b\r\n \r\n", REFUSED),
        ("9112 2.2", b"A: b\rC: d\r\n", REFUSED),
        ("9112 2.2", b"A: b\r\r\n", REFUSED),
        ("9112 2.2", b"A: b\nC: d\r\n", REFUSED),
        ("9112 2.2", b"A: b\n\r\n", REFUSED),
        ("9112 2.2", b"\nA: b\r\n", REFUSED),
        ("9110 5.5", b"A: b\0c\r\n", REFUSED),
        ("9110 5.5", b"A: \0\r\n", REFUSED),
        ("9110 5.5", b"A: b\rc\r\n", REFUSED),
    ];
    refuse::<F>(&cases, false, |lines| [LINE, HOST, lines, b"\r\n"].concat());
    // White space between the request line and the first field line.
    let first: [Case; 2] =
        [("9112 2.2", b" A: b\r\n", REFUSED), ("9112 2.2", b"\tA: b\r\n", REFUSED)];
    refuse::<F>(&first, false, |lines| [LINE, lines, HOST, b"\r\n"].concat());
}

fn hosts_that_are_not_one_host<F: Frontend>() {
    let cases: [Case; 24] = [
        ("9112 3.2", b"", REFUSED),
        ("9112 3.2", b"X-Host: gocache\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache\r\nHost: gocache\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache\r\nHost: other\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache\r\nhOST:\r\n", REFUSED),
        ("9112 3.2", b"Host: go cache\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache/path\r\n", REFUSED),
        ("9112 3.2", b"Host: http://gocache\r\n", REFUSED),
        ("9112 3.2", b"Host: user@gocache\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache?query\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache#part\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache:http\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache:80:90\r\n", REFUSED),
        ("9112 3.2", b"Host: gocache:-1\r\n", REFUSED),
        ("9112 3.2", b"Host: [::1\r\n", REFUSED),
        ("9112 3.2", b"Host: ::1\r\n", REFUSED),
        ("9112 3.2", b"Host: [::1]x\r\n", REFUSED),
        ("9112 3.2", b"Host: [gocache]\r\n", REFUSED),
        ("9112 3.2", b"Host: go%zzcache\r\n", REFUSED),
        ("9112 3.2", b"Host: \"gocache\"\r\n", REFUSED),
        ("9112 3.2", b"Host: go<cache\r\n", REFUSED),
        ("9112 3.2", b"Host: go\\cache\r\n", REFUSED),
        ("9112 3.2", b"Host: g\xc3\xb6cache\r\n", REFUSED),
        ("9112 3.2", b"Host: go\tcache\r\n", REFUSED),
    ];
    refuse::<F>(&cases, false, |lines| [LINE, lines, b"\r\n"].concat());
    let old: [Case; 1] = [("9112 3.2", b"Host: gocache\r\nHost: other\r\n", REFUSED)];
    refuse::<F>(&old, false, |lines| {
        [b"GET /_gocache/scores/hot HTTP/1.0\r\n", lines, b"\r\n"].concat()
    });
}
