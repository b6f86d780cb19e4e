//! HEAD, conditions, and what is passed over.

use super::table::{
    Case, HOST, LINE, OK, REFUSED,
    Then::{self, Keeps},
    hold,
};
use crate::harness::{Frontend, Site};

promises! {
    head_is_a_get_without_content,
    conditions_are_lists_of_tags,
    unknown_fields_are_passed_over,
}

fn head_is_a_get_without_content<F: Frontend>() {
    let cases: [Case; 8] = [
        ("9110 9.3.2", b"HEAD /_gocache/scores/hot", OK),
        ("9110 9.3.2", b"HEAD /_gocache/scores/cold", OK),
        ("9110 9.3.2", b"HEAD /elsewhere", Keeps(&[404])),
        ("9110 9.3.2", b"HEAD /_gocache/scores/", Keeps(&[400])),
        ("9110 9.3.2", b"HEAD /_gocache/scores/h%", Keeps(&[400])),
        ("9110 9.3.2", b"HEAD http://gocache/_gocache/scores/hot", OK),
        ("9110 9.3.2", b"HEAD <", REFUSED),
        ("9110 9.3.2", b"HEAD \x01", REFUSED),
    ];
    hold::<F>(&cases, |start| [start, b" HTTP/1.1\r\n", HOST, b"\r\n"].concat());
}

fn conditions_are_lists_of_tags<F: Frontend>() {
    const SAME: Then = Keeps(&[304]);
    // The tag of `hot` does not depend on the server.
    let tag = Site::new::<F>().get("hot").need("etag").to_string();
    let cases: [Case; 16] = [
        ("9110 13.1.2", b"If-None-Match: TAG\r\n", SAME),
        ("9110 13.1.2", b"if-none-match:TAG\r\n", SAME),
        ("9110 13.1.2", b"If-None-Match: W/TAG\r\n", SAME),
        ("9110 13.1.2", b"If-None-Match: \"x\", TAG\r\n", SAME),
        ("9110 13.1.2", b"If-None-Match: \"x\",TAG,\"y\"\r\n", SAME),
        ("9110 5.6.1", b"If-None-Match: , ,TAG\r\n", SAME),
        ("9110 5.2", b"If-None-Match: \"x\"\r\nIf-None-Match: TAG\r\n", SAME),
        ("9110 5.2", b"If-None-Match: TAG\r\nIf-None-Match: \"x\"\r\n", SAME),
        ("9110 13.1.2", b"If-None-Match: *\r\n", SAME),
        ("9110 13.2.2", b"If-None-Match: TAG\r\nIf-Modified-Since: x\r\n", SAME),
        ("9110 13.1.2", b"If-None-Match: \"x\"\r\n", OK),
        ("9110 13.1.2", b"If-None-Match: W/\"x\"\r\n", OK),
        ("9110 8.8.3", b"If-None-Match: \"*\"\r\n", OK),
        ("9110 8.8.3", b"If-None-Match: w/TAG\r\n", OK),
        ("9110 13.1.2", b"If-None-Match:\r\n", OK),
        ("9110 13.1.2", b"X-If-None-Match: TAG\r\n", OK),
    ];
    hold::<F>(&cases, |lines| {
        let lines = String::from_utf8_lossy(lines).replace("TAG", &tag);
        [LINE, HOST, lines.as_bytes(), b"\r\n"].concat()
    });
}

fn unknown_fields_are_passed_over<F: Frontend>() {
    let cases: [Case; 7] = [
        ("9110 5.1", b"X-Unknown: y\r\n", OK),
        ("9110 14.2", b"Range: lines=1-2\r\n", OK),
        ("9110 12.5.1", b"Accept: text/html;q=0\r\n", OK),
        ("9110 10.1.4", b"TE: trailers\r\nConnection: te\r\n", OK),
        ("9110 7.6.2", b"Max-Forwards: 0\r\n", OK),
        ("9110 13.1.3", b"If-Modified-Since: yesterday\r\n", OK),
        ("9111 5.2.1", b"Cache-Control: no-cache=\"x, y\r\n", OK),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n"].concat());
}
