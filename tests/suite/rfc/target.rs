//! The four forms of a target, and the bytes that may stand in one.

use super::table::{
    Case, HOST, OK, REFUSED,
    Then::{self, Ends, Keeps},
    hold,
};
use crate::harness::Frontend;

promises! {
    targets_are_read_by_the_grammar,
    forms_go_by_the_method,
}

fn targets_are_read_by_the_grammar<F: Frontend>() {
    // RFC 9110, 15.5.20 has a status for a request that came to the wrong place.
    const MISDIRECTED: Then = Ends(&[400, 421]);
    const ODD: Then = Keeps(&[400]);
    let cases: [Case; 46] = [
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
        ("9112 3.2.1", b"/_gocache/scores/hot?query", OK),
        ("3986 3.4", b"/_gocache/scores/hot?a?b/c=%zz", OK),
        ("3986 2.1", b"/_gocache/scores/%68%6F%74", OK),
        ("3986 2.1", b"/_gocache/scores/%6f%6F", OK),
        ("3986 2.1", b"/_gocache/scores/h%", ODD),
        ("3986 2.1", b"/_gocache/scores/h%4", ODD),
        ("3986 2.1", b"/_gocache/scores/h%4x", ODD),
        ("3986 2.1", b"/_gocache/scores/h%%41", ODD),
        ("3986 3.3", b"/_gocache/scores/-._~!$&'()*+,;=:@", OK),
        ("3986 3.3", b"/_gocache/scores/h\x01t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h\0t", REFUSED),
        ("3986 3.3", b"/_gocache/scores/h\x7ft", REFUSED),
        ("9112 3.2.2", b"http://gocache/_gocache/scores/hot", OK),
        ("9112 3.2.2", b"http://other:80/_gocache/scores/hot", OK),
        ("9112 3.2.2", b"HTTP://gocache/_gocache/scores/hot", OK),
        ("9112 3.2.2", b"http://[::1]:80/_gocache/scores/hot", OK),
        ("9112 3.2.2", b"http://gocache:/_gocache/scores/hot", OK),
        ("9112 3.2.2", b"http://gocache", Keeps(&[404])),
        ("9112 3.2.2", b"http://gocache?/_gocache/scores/hot", Keeps(&[404])),
        ("3986 3.2.3", b"http://gocache:80:90/_gocache/scores/hot", REFUSED),
        ("9112 3.2", b"//gocache/_gocache/scores/hot", Keeps(&[404])),
    ];
    hold::<F>(&cases, |target| [b"GET ", target, b" HTTP/1.1\r\n", HOST, b"\r\n"].concat());
}

fn forms_go_by_the_method<F: Frontend>() {
    // No tunnels: which refusal of a good one it is, is not in the RFC.
    const NO_TUNNEL: Then = Keeps(&[404]);
    let cases: [Case; 14] = [
        ("9112 3.2.4", b"OPTIONS *", Keeps(&[404])),
        ("9110 7.1", b"HEAD *", REFUSED),
        ("9110 7.1", b"POST *", REFUSED),
        ("9110 7.1", b"OPTIONS **", REFUSED),
        ("9110 7.1", b"OPTIONS *?a", REFUSED),
        ("9112 3.2.3", b"CONNECT gocache:80", NO_TUNNEL),
        ("9112 3.2.3", b"CONNECT [::1]:80", NO_TUNNEL),
        ("9110 9.3.6", b"CONNECT gocache", REFUSED),
        ("9110 9.3.6", b"CONNECT gocache:", REFUSED),
        ("9110 9.3.6", b"CONNECT :80", REFUSED),
        ("9110 9.3.6", b"CONNECT [::1]", REFUSED),
        ("9112 3.2.3", b"CONNECT /_gocache/scores/hot", REFUSED),
        ("9112 3.2.3", b"CONNECT http://gocache:80/", REFUSED),
        ("9112 3.2.3", b"CONNECT user@gocache:80", REFUSED),
    ];
    hold::<F>(&cases, |start| [start, b" HTTP/1.1\r\n", HOST, b"\r\n"].concat());
}
