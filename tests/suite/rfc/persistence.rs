//! Whether the connection is kept: said by the version, the options, and what cannot be read.

use super::table::{
    Case, HOST, LAST, LINE, OK, OLD_LINE,
    Then::{Ends, Keeps},
    hold,
};
use crate::harness::Frontend;

promises! {
    options_of_http_1_1,
    options_of_http_1_0,
    expectations_are_met_or_passed_over,
    pipelines_are_answered_in_order,
}

fn options_of_http_1_1<F: Frontend>() {
    let cases: [Case; 23] = [
        ("9112 9.3", b"", OK),
        ("9112 9.3", b"Connection: keep-alive\r\n", OK),
        ("9110 7.6.1", b"Connection:\r\n", OK),
        ("9110 7.6.1", b"Connection: ,,\r\n", OK),
        ("9110 7.6.1", b"Connection: x\r\n", OK),
        ("9110 7.6.1", b"Connection: host\r\n", OK),
        ("9112 9.6", b"Connection: closed\r\n", OK),
        ("9112 9.6", b"Connection: close-up\r\n", OK),
        ("9112 9.6", b"Connection: x; close\r\n", OK),
        ("9112 9.6", b"X-Connection: close\r\n", OK),
        ("9110 7.8", b"Connection: upgrade\r\nUpgrade: h2c\r\n", OK),
        ("9112 9.6", b"Connection: close\r\n", LAST),
        ("9110 7.6.1", b"connection: Close\r\n", LAST),
        ("9110 7.6.1", b"CONNECTION:CLOSE\r\n", LAST),
        ("9110 7.6.1", b"Connection: \t close \t\r\n", LAST),
        ("9112 9.3", b"Connection: keep-alive, close\r\n", LAST),
        ("9112 9.3", b"Connection: close, keep-alive\r\n", LAST),
        ("9110 7.6.1", b"Connection: x,close,y\r\n", LAST),
        ("9110 5.6.1", b"Connection: , ,close\r\n", LAST),
        ("9110 5.6.1", b"Connection: x\t,\tcLOSE\r\n", LAST),
        ("9110 5.2", b"Connection: keep-alive\r\nConnection: close\r\n", LAST),
        ("9110 5.2", b"Connection: close\r\nConnection: keep-alive\r\n", LAST),
        ("9110 5.2", b"Connection: close\r\nConnection: close\r\n", LAST),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n"].concat());
    // Whatever the answer is.
    let targets: [Case; 4] = [
        ("9112 9.6", b"/_gocache/scores/cold", LAST),
        ("9112 9.6", b"/_gocache/scores/", Ends(&[400])),
        ("9112 9.6", b"/_gocache/none/x", Ends(&[404])),
        ("9112 9.6", b"/elsewhere", Ends(&[404])),
    ];
    hold::<F>(&targets, |target| {
        [b"GET ", target, b" HTTP/1.1\r\n", HOST, b"Connection: close\r\n\r\n"].concat()
    });
}

fn options_of_http_1_0<F: Frontend>() {
    let cases: [Case; 10] = [
        ("9112 9.3", b"", LAST),
        ("9112 9.3", b"Connection: close\r\n", LAST),
        ("9112 9.3", b"Connection: x\r\n", LAST),
        ("9112 9.3", b"Connection: keep-alive, close\r\n", LAST),
        ("9112 9.3", b"Connection: keep-alive\r\nConnection: close\r\n", LAST),
        ("9112 C.2.2", b"Keep-Alive: timeout=5\r\n", LAST),
        ("9112 C.2.2", b"Connection: keep-alive\r\n", OK),
        ("9112 C.2.2", b"connection: Keep-Alive\r\n", OK),
        ("9112 C.2.2", b"Connection: x, KEEP-ALIVE\r\n", OK),
        ("9112 C.2.2", b"Connection: x\r\nConnection: keep-alive\r\n", OK),
    ];
    hold::<F>(&cases, |lines| [OLD_LINE, HOST, lines, b"\r\n"].concat());
}

fn expectations_are_met_or_passed_over<F: Frontend>() {
    let cases: [Case; 8] = [
        ("9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: 5\r\n", Keeps(&[100, 200])),
        ("9110 10.1.1", b"expect:100-Continue\r\nContent-Length: 5\r\n", Keeps(&[100, 200])),
        ("9110 10.1.1", b"Expect: x, 100-continue\r\nContent-Length: 5\r\n", Keeps(&[100, 200])),
        (
            "9110 10.1.1",
            b"Expect: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n",
            Keeps(&[100, 200]),
        ),
        ("9110 10.1.1", b"Expect: x\r\nContent-Length: 5\r\n", OK),
        ("9110 10.1.1", b"Expect:\r\nContent-Length: 5\r\n", OK),
        ("9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: 2000000\r\n", Ends(&[413])),
        ("9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: x\r\n", Ends(&[400])),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\nhello"].concat());
    let none: [Case; 2] = [
        ("9110 10.1.1", b"Expect: 100-continue\r\n", OK),
        ("9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: 0\r\n", OK),
    ];
    hold::<F>(&none, |lines| [LINE, HOST, lines, b"\r\n"].concat());
    let old: [Case; 1] = [("9110 10.1.1", b"Expect: 100-continue\r\nContent-Length: 5\r\n", LAST)];
    hold::<F>(&old, |lines| [OLD_LINE, HOST, lines, b"\r\nhello"].concat());
}

fn pipelines_are_answered_in_order<F: Frontend>() {
    let good = [LINE, HOST, b"\r\n"].concat();
    let cases: [Case; 6] = [
        ("9112 9.3.2", b"", OK),
        ("9112 9.3.2", b"GET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", Keeps(&[200, 404])),
        (
            "9112 9.3.2",
            b"POST /_gocache/scores/hot HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
            Keeps(&[200, 405]),
        ),
        (
            "9112 9.3.2",
            b"GET /_gocache/scores/ HTTP/1.1\r\nHost: h\r\n\r\n\
              GET /_gocache/scores/hot HTTP/1.1\r\nHost: h\r\n\r\n",
            Keeps(&[200, 400, 200]),
        ),
        ("9112 2.2", b"\r\nGET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", Keeps(&[200, 404])),
        (
            "9112 9.3.2",
            b"GET /_gocache/scores/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
              0\r\n\r\nGET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n",
            Keeps(&[200, 200, 404]),
        ),
    ];
    hold::<F>(&cases, |rest| [&good, rest].concat());
}
