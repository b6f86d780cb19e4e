//! A body in chunks: read past to its last byte, or the end of the connection.

use super::table::{
    Case, HOST, LINE, OK, REFUSED, REFUSED_OR_LARGE,
    Then::{self, Ends},
    hold,
};
use crate::harness::Frontend;

promises! {
    chunks_in_the_grammar_are_read_past,
    chunks_outside_the_grammar_are_refused,
    trailers_outside_the_grammar_are_refused,
}

fn chunked(body: &[u8]) -> Vec<u8> {
    [LINE, HOST, b"Transfer-Encoding: chunked\r\n\r\n", body].concat()
}

fn chunks_in_the_grammar_are_read_past<F: Frontend>() {
    let cases: [Case; 19] = [
        ("9112 7.1", b"0\r\n\r\n", OK),
        ("9112 7.1", b"5\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1", b"1\r\nh\r\n0004\r\nello\r\n000\r\n\r\n", OK),
        ("9112 7.1", b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", OK),
        ("9112 7.1", b"00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1", b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", OK),
        ("9112 7.1", b"2\r\n\r\n\r\n0\r\n\r\n", OK),
        ("9112 7.1.1", b"5;name\r\nhello\r\n0;last=1\r\n\r\n", OK),
        ("9112 7.1.1", b"5;a;b=c;d=\"e\"\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1.1", b"5;a=\"quoted ; \\\" text\";b=c\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1.1", b"5; a = b\r\nhello\r\n0\r\n\r\n", OK),
        // Bad white space, but a recipient has to read it (RFC 9110, 5.6.3).
        ("9112 7.1.1", b"5 ;a\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1.1", b"5\t ;\ta\r\nhello\r\n0\r\n\r\n", OK),
        ("9112 7.1.2", b"0\r\nA: b\r\n\r\n", OK),
        ("9112 7.1.2", b"0\r\nA:\r\nB: c\r\n\r\n", OK),
        ("9110 6.5.1", b"0\r\nConnection: close\r\n\r\n", OK),
        ("9110 6.5.1", b"0\r\nContent-Length: 7\r\n\r\n", OK),
        ("9110 6.5.1", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", OK),
        ("9110 6.5.1", b"0\r\nHost: other\r\nHost: other\r\n\r\n", OK),
    ];
    hold::<F>(&cases, chunked);
}

fn chunks_outside_the_grammar_are_refused<F: Frontend>() {
    let cases: [Case; 31] = [
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
        ("9112 7.1", b"0\r\r\n", REFUSED),
        ("9112 7.1", b"0 \r\n\r\n", REFUSED),
        ("9112 7.1.1", b"5;=b\r\nhello\r\n0\r\n\r\n", REFUSED),
        ("9112 7.1.1", b"5 a\r\nhello\r\n0\r\n\r\n", REFUSED),
    ];
    hold::<F>(&cases, chunked);
}

fn trailers_outside_the_grammar_are_refused<F: Frontend>() {
    // Extensions and trailers have a limit like everything else; which status tells it is left
    // open.
    const TOO_MUCH: Then = Ends(&[400, 413, 431]);
    let long = [b'x'; 200_000];
    let extension = [b"1;", &long[..], b"\r\nh\r\n0\r\n\r\n"].concat();
    let trailer = [b"0\r\nX: ", &long[..], b"\r\n\r\n"].concat();
    let cases: [Case; 11] = [
        ("9112 7.1.2", b"0\r\nA\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA : b\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\r\n c\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\nC: d\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: \0\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\n: b\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nA: b\r\n\n", REFUSED),
        ("9112 7.1.1", &extension, TOO_MUCH),
        ("9110 6.5", &trailer, TOO_MUCH),
        ("9112 7.1.2", b"0\r\n A: b\r\n\r\n", REFUSED),
        ("9112 7.1.2", b"0\r\nGET / HTTP/1.1\r\n\r\n", REFUSED),
    ];
    hold::<F>(&cases, chunked);
}
