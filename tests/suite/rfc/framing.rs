//! Where a body ends is said once and clearly, or the request is refused and the connection ends.

use super::table::{
    Case, HOST, LAST, LINE, OK, OLD_LINE, REFUSED, REFUSED_OR_CODING, REFUSED_OR_LARGE, UNKNOWN,
    hold,
};
use crate::harness::Frontend;

promises! {
    a_length_is_one_number,
    codings_end_with_chunked_or_are_refused,
    length_and_coding_together_are_refused,
}

fn a_length_is_one_number<F: Frontend>() {
    let cases: [Case; 25] = [
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
        // Equal ones may be taken for one (RFC 9110, 8.6); nobody sends them in good faith.
        ("9110 8.6", b"Content-Length: 5, 5\r\n", REFUSED),
        ("9110 8.6", b"Content-Length: 5\r\nContent-Length: 5\r\n", REFUSED),
        ("9110 8.6", b"Content-Length: 05\r\nContent-Length: 5\r\n", REFUSED),
        ("9110 8.6", b"Content-Length: 18446744073709551615\r\n", REFUSED_OR_LARGE),
        ("9112 6.3", b"Content-Length: \xb2\r\n", REFUSED),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\nhello"].concat());
    let good: [Case; 5] = [
        ("9110 8.6", b"Content-Length: 5\r\n", OK),
        ("9110 8.6", b"content-length:5\r\n", OK),
        ("9110 8.6", b"Content-Length: \t5 \t\r\n", OK),
        ("9110 8.6", b"Content-Length: 0005\r\n", OK),
        ("9110 8.6", b"Content-Length: 00000000000000000000000000000005\r\n", OK),
    ];
    hold::<F>(&good, |lines| [LINE, HOST, lines, b"\r\nhello"].concat());
    let bodies: [Case; 6] = [
        ("9112 6.3", b"\r\n", OK),
        ("9112 6.3", b"Content-Length: 0\r\n\r\n", OK),
        ("9112 6.3", b"Content-Length: 000\r\n\r\n", OK),
        ("9112 6.3", b"Content-Length: 4\r\n\r\n\r\n\r\n", OK),
        ("9112 6.3", b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", OK),
        ("9112 6.3", b"Content-Length: 1\r\n\r\n\0", OK),
    ];
    hold::<F>(&bodies, |rest| [LINE, HOST, rest].concat());
}

fn codings_end_with_chunked_or_are_refused<F: Frontend>() {
    let cases: [Case; 22] = [
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
        ("9112 6.1", b"Transfer-Encoding: gzip, chunked\r\n", UNKNOWN),
        ("9112 6.1", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", UNKNOWN),
        ("9112 6.1", b"Transfer-Encoding: br,chunked\r\n", UNKNOWN),
        ("9112 6.1", b"Transfer-Encoding: x-other, chunked\r\n", UNKNOWN),
        ("9112 7", b"Transfer-Encoding: chunked\r\n", OK),
        ("9112 7", b"transfer-encoding:CHUNKED\r\n", OK),
        ("9112 7", b"Transfer-Encoding: \tChunked \r\n", OK),
        ("9110 5.6.1", b"Transfer-Encoding: , chunked,,\r\n", OK),
        ("9110 5.6.1", b"Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", OK),
        ("9112 5.1", b"Transfer-Encoding : chunked\r\n", REFUSED),
        ("9112 5.2", b"Transfer-Encoding:\r\n chunked\r\n", REFUSED),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n0\r\n\r\n"].concat());
    // A peer of HTTP/1.0 cannot mean it: the framing is faulty and the connection must end.
    let old: [Case; 2] = [
        ("9112 6.1", b"Transfer-Encoding: chunked\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", REFUSED),
    ];
    hold::<F>(&old, |lines| [OLD_LINE, HOST, lines, b"\r\n0\r\n\r\n"].concat());
    let length: [Case; 1] = [("9112 6.3", b"Content-Length: 5\r\n", LAST)];
    hold::<F>(&length, |lines| [OLD_LINE, HOST, lines, b"\r\nhello"].concat());
}

/// The contract refuses both together, where the RFC would also let the coding win.
fn length_and_coding_together_are_refused<F: Frontend>() {
    let cases: [Case; 6] = [
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", REFUSED),
        ("9112 6.1", b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", REFUSED),
        ("9112 6.1", b"transfer-encoding: CHUNKED\r\nA: b\r\ncontent-length: 5\r\n", REFUSED),
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", REFUSED_OR_CODING),
        ("9112 6.1", b"Content-Length: 5\r\nTransfer-Encoding:\r\n", REFUSED_OR_CODING),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n0\r\n\r\n"].concat());
}
