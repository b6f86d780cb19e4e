//! METHOD SP TARGET SP VERSION CR LF, and what stands before it.

use super::table::{
    Case, HOST, LINE, OK, REFUSED, REFUSED_OR_VERSION, Then,
    Then::{Ends, Keeps},
    UNKNOWN, hold,
};
use crate::harness::Frontend;

promises! {
    request_lines_are_read_by_the_grammar,
    versions_are_told_apart,
    methods_are_told_apart,
    empty_lines_before_a_request_are_counted,
}

fn request_lines_are_read_by_the_grammar<F: Frontend>() {
    let cases: [Case; 27] = [
        // What a client of HTTP/2 begins with when it does not ask first.
        ("9113 3.4", b"PRI * HTTP/2.0", REFUSED_OR_VERSION),
        ("9112 3", b"GET /_gocache/scores/hot HTTP/1.1", OK),
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
    ];
    hold::<F>(&cases, |line| [line, b"\r\n", HOST, b"\r\n"].concat());
}

fn versions_are_told_apart<F: Frontend>() {
    let cases: [Case; 26] = [
        // A higher minor version is answered as the highest that is known.
        ("9110 2.5", b"HTTP/1.2", OK),
        ("9110 2.5", b"HTTP/1.3", OK),
        ("9110 2.5", b"HTTP/1.9", OK),
        ("9110 15.6.6", b"HTTP/2.0", Ends(&[505])),
        ("9110 15.6.6", b"HTTP/2.1", Ends(&[505])),
        ("9110 15.6.6", b"HTTP/3.0", Ends(&[505])),
        ("9110 15.6.6", b"HTTP/9.9", Ends(&[505])),
        ("9110 15.6.6", b"HTTP/0.9", Ends(&[505])),
        ("9112 2.3", b"http/1.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"Http/1.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.10", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.01", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/01.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.1x", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/11.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/2", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1,1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.+1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP/1.a", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTP 1.1", REFUSED_OR_VERSION),
        ("9112 2.3", b"HTTPS/1.1", REFUSED_OR_VERSION),
        ("9112 2.2", b"HTTP/1.2\nA: b", REFUSED),
        ("9112 2.2", b"HTTP/2.0\nA: b", REFUSED),
    ];
    hold::<F>(&cases, |version| {
        [b"GET /_gocache/scores/hot ", version, b"\r\n", HOST, b"\r\n"].concat()
    });
}

fn methods_are_told_apart<F: Frontend>() {
    const NOT_HERE: Then = Keeps(&[405]);
    let long = [b'X'; 300];
    let cases: [Case; 19] = [
        ("9110 9.3.1", b"GET", OK),
        ("9110 9.3.2", b"HEAD", OK),
        ("9110 15.5.6", b"POST", NOT_HERE),
        ("9110 15.5.6", b"PUT", NOT_HERE),
        ("9110 15.5.6", b"DELETE", NOT_HERE),
        ("9110 15.5.6", b"OPTIONS", NOT_HERE),
        ("9110 15.5.6", b"TRACE", NOT_HERE),
        ("5789 2", b"PATCH", NOT_HERE),
        ("9110 9.1", b"get", UNKNOWN),
        ("9110 9.1", b"Get", UNKNOWN),
        ("9110 9.1", b"head", UNKNOWN),
        ("9110 9.1", b"GE", UNKNOWN),
        ("9110 9.1", b"GETT", UNKNOWN),
        ("9110 9.1", b"HEADER", UNKNOWN),
        ("9110 9.1", b"BREW", UNKNOWN),
        ("9110 9.1", b"M-SEARCH", UNKNOWN),
        ("9110 9.1", b"5", UNKNOWN),
        ("9110 9.1", b"!#$%&'*+-.^_`|~", UNKNOWN),
        ("9112 3", &long, UNKNOWN),
    ];
    hold::<F>(&cases, |method| {
        [method, b" /_gocache/scores/hot HTTP/1.1\r\n", HOST, b"\r\n"].concat()
    });
}

fn empty_lines_before_a_request_are_counted<F: Frontend>() {
    let cases: [Case; 8] = [
        ("9112 2.2", b"\r\n", OK),
        ("9112 2.2", b"\r\n\r\n", OK),
        ("9112 2.2", b"\r\n\r\n\r\n\r\n\r\n", REFUSED),
        ("9112 2.2", b"\n", REFUSED),
        ("9112 2.2", b"\r\n\n", REFUSED),
        ("9112 2.2", b"\r", REFUSED),
        ("9112 2.2", b"\r\r\n", REFUSED),
        ("9112 2.2", b" \r\n", REFUSED),
    ];
    hold::<F>(&cases, |lines| [lines, LINE, HOST, b"\r\n"].concat());
}
