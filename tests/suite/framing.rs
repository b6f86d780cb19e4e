//! Where a body ends is said once and clearly, or the request is refused and the connection ends.
//!
//! The cases are sent like those of `malformed`, each with a request behind it that must never be
//! answered.

use super::malformed::{Case, HOST, LINE, REFUSED, refuse};
use crate::harness::{Frontend, Site, get};

promises! {
    lengths_that_are_no_length,
    codings_that_do_not_end_the_body,
    length_and_coding_together,
    chunks_outside_the_grammar,
    trailers_outside_the_grammar,
    equal_lengths_are_one_length_or_refused,
}

const REFUSED_OR_CODING: &[u16] = &[400, 501];
/// Too large for any limit, whether or not it is also too large to be counted.
const REFUSED_OR_LARGE: &[u16] = &[400, 413];

fn lengths_that_are_no_length<F: Frontend>() {
    let cases: [Case; 20] = [
        ("9112 6.3", b"Content-Length:\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: +5\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: -1\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: -0\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5a\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 0x5\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5 5\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 1_0\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 4.0\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5;\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: \"5\"\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: \x0b5\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5, 6\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5,\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 0, a\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 0\r\nContent-Length: 5\r\n", REFUSED),
        ("9112 6.3", b"Content-Length: 5\r\ncontent-length: 0\r\n", REFUSED),
        ("9110 8.6", b"Content-Length: 18446744073709551616\r\n", REFUSED_OR_LARGE),
        ("9110 8.6", b"Content-Length: 18446744073709551621\r\n", REFUSED_OR_LARGE),
        (
            "9110 8.6",
            b"Content-Length: 99999999999999999999999999999999999999999\r\n",
            REFUSED_OR_LARGE,
        ),
    ];
    refuse::<F>(&cases, false, |lines| [LINE, HOST, lines, b"\r\n"].concat());
}

fn codings_that_do_not_end_the_body<F: Frontend>() {
    let cases: [Case; 11] = [
        ("9112 6.3", b"Transfer-Encoding: gzip\r\n", REFUSED_OR_CODING),
        ("9112 6.3", b"Transfer-Encoding: chunked, gzip\r\n", REFUSED_OR_CODING),
        (
            "9112 6.3",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
            REFUSED_OR_CODING,
        ),
        ("9112 6.1", b"Transfer-Encoding: chunked, chunked\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", REFUSED),
        ("9112 7", b"Transfer-Encoding: identity\r\n", REFUSED_OR_CODING),
        ("9112 7", b"Transfer-Encoding: xchunked\r\n", REFUSED_OR_CODING),
        ("9112 7", b"Transfer-Encoding: \"chunked\"\r\n", REFUSED_OR_CODING),
        ("9112 7", b"Transfer-Encoding: chunked;q=1\r\n", REFUSED_OR_CODING),
        ("9112 7", b"Transfer-Encoding: \x0bchunked\r\n", REFUSED_OR_CODING),
        ("9112 6.1", b"Transfer-Encoding:\r\n", REFUSED_OR_CODING),
    ];
    refuse::<F>(&cases, false, |lines| [LINE, HOST, lines, b"\r\n0\r\n\r\n"].concat());
    // A peer of HTTP/1.0 cannot mean it: the framing is faulty and the connection must end.
    let old: [Case; 1] =
        [("9112 6.1", b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", REFUSED)];
    let line = b"GET /_gocache/scores/hot HTTP/1.0\r\n";
    refuse::<F>(&old, true, |lines| [line, HOST, lines, b"\r\n0\r\n\r\n"].concat());
}

/// The contract refuses both together, where the RFC would also let the coding win.
fn length_and_coding_together<F: Frontend>() {
    let cases: [Case; 6] = [
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", REFUSED),
        ("9112 6.1", b"transfer-encoding: CHUNKED\r\nA: b\r\ncontent-length: 5\r\n", REFUSED),
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", REFUSED_OR_CODING),
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding:\r\n", REFUSED_OR_CODING),
    ];
    refuse::<F>(&cases, false, |lines| [LINE, HOST, lines, b"\r\n0\r\n\r\n"].concat());
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [LINE, HOST, b"Transfer-Encoding: chunked\r\n\r\n", body].concat()
}

fn chunks_outside_the_grammar<F: Frontend>() {
    let cases: [Case; 27] = [
        ("9112 7.1", b"\r\n\r\n", REFUSED),
        ("9112 7.1", b"\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b" 5\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5 \r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\t\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"0x5\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"+5\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"-5\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"g\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5_\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"\0\r\n\r\n", REFUSED),
        ("9112 7.1", b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", REFUSED_OR_LARGE),
        ("9112 7.1", b"10000000000000005\r\nhello\r\n0\r\n\r\n", REFUSED_OR_LARGE),
        ("9112 7.1", b"100000005\r\nhello\r\n0\r\n\r\n", REFUSED_OR_LARGE),
        ("9112 7.1", b"5\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\r\nhello\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\rhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\r\nhello0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\r\nhelloX\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\r\nhello\r0\r\n\r\n", REFUSED),
        ("9112 7.1", b"5\r\nhello\r\n\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1", b"0\n\r\n", REFUSED),
        ("9112 7.1", b"0\r\n\n", REFUSED),
        ("9112 7.1.1", b"5;\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1.1", b"5;a=\0\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1.1", b"5;a\nb\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1.1", b"5;a=\"b\r\nhello\r\n0\r\n\r\n", REFUSED),
    ];
    refuse::<F>(&cases, true, chunked);
}

fn trailers_outside_the_grammar<F: Frontend>() {
    // Extensions and trailers have a limit like everything else; which status tells it is left
    // open.
    const TOO_MUCH: &[u16] = &[400, 413, 431];
    let long = [b'x'; 200_000];
    let extension = [b"1;", &long[..], b"\r\nh\r\n0\r\n\r\n"].concat();
    let trailer = [b"0\r\nX: ", &long[..], b"\r\n\r\n"].concat();
    let cases: [Case; 9] = [
        ("9112 7.1.2", b"0\r\nA\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA : b\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\r\n c\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\nC: d\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: \0\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\n: b\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\r\n\n", REFUSED),
        ("9112 7.1.1", &extension, TOO_MUCH),
        ("9110 6.5", &trailer, TOO_MUCH),
    ];
    refuse::<F>(&cases, true, chunked);
}

/// RFC 9110, 8.6 leaves the choice; either way both sides must agree on where the request ends.
fn equal_lengths_are_one_length_or_refused<F: Frontend>() {
    let site = Site::new::<F>();
    for lines in ["Content-Length: 5, 5\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n"] {
        let request =
            format!("GET /_gocache/scores/hot HTTP/1.1\r\nHost: gocache\r\n{lines}\r\nhello");
        let last = get("hot").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let mut client = site.connect();
        client.offer(request + &last);
        let statuses: Vec<u16> =
            client.answers_to_the_end().iter().map(|answer| answer.status).collect();
        assert!(
            matches!(statuses[..], [400] | [200, 200]),
            "400, or both answered: {statuses:?} for {lines:?}"
        );
    }
}
