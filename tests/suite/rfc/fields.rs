//! Field lines, and the one field that every request has.

use super::table::{Case, HOST, LAST, LINE, OK, OLD_LINE, REFUSED, hold};
use crate::harness::Frontend;

promises! {
    field_lines_outside_the_grammar_are_refused,
    field_lines_in_the_grammar_are_read,
    a_host_is_one_host,
}

fn field_lines_outside_the_grammar_are_refused<F: Frontend>() {
    let cases: [Case; 31] = [
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
        ("9110 5.5", b"A: \x01\r\n", REFUSED),
        ("9110 5.5", b"A: b\x7f\r\n", REFUSED),
        ("9110 5.5", b"A: b\x0cc\r\n", REFUSED),
        ("9112 5.1", b"A\x0b: b\r\n", REFUSED),
        ("9112 5.2", b" \r\n", REFUSED),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n"].concat());
    // White space between the request line and the first field line.
    let first: [Case; 2] =
        [("9112 2.2", b" A: b\r\n", REFUSED), ("9112 2.2", b"\tA: b\r\n", REFUSED)];
    hold::<F>(&first, |lines| [LINE, lines, HOST, b"\r\n"].concat());
}

/// What a careless parser refuses or misreads.
fn field_lines_in_the_grammar_are_read<F: Frontend>() {
    let cases: [Case; 11] = [
        ("9112 5", b"", OK),
        ("9112 5", b"A:\r\n", OK),
        ("9112 5", b"A:b\r\n", OK),
        ("9112 5.1", b"A: \t b \t \r\n", OK),
        ("9112 5", b"A: b : c: d\r\n", OK),
        ("9112 5.1", b"A: \t \r\n", OK),
        ("9110 5.6.2", b"!#$%&'*+-.^_`|~09az: b\r\n", OK),
        ("9110 5.5", b"A: !\"()/:;<=>?@[]{}\r\n", OK),
        ("9110 5.5", b"A: \xc3\xa9\xe2\x82\xac\r\n", OK),
        ("9110 5.5", b"A: \x80\xff\r\n", OK),
        ("9110 5.2", b"A: b\r\nA: c\r\na: d\r\n", OK),
    ];
    hold::<F>(&cases, |lines| [LINE, HOST, lines, b"\r\n"].concat());
}

fn a_host_is_one_host<F: Frontend>() {
    let cases: [Case; 36] = [
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
        ("9112 3.2", b"hOST:gocache\r\n", OK),
        ("9112 3.2", b"Host:\r\n", OK),
        ("9112 3.2", b"Host: GoCache.example:80\r\n", OK),
        ("9112 3.2", b"Host: 127.0.0.1:9999\r\n", OK),
        ("3986 3.2.2", b"Host: [::1]\r\n", OK),
        ("3986 3.2.2", b"Host: [2001:db8::1]:8080\r\n", OK),
        ("3986 3.2.2", b"Host: [v1.a:b]\r\n", OK),
        ("3986 3.2.2", b"Host: a_b-c~!$&'()*+,;=\r\n", OK),
        ("3986 3.2.2", b"Host: go%20cache\r\n", OK),
        ("3986 3.2.3", b"Host: h:\r\n", OK),
        ("9112 5.1", b"Host:\t h\t\r\n", OK),
        ("3986 3.2.2", b"Host: [::1%25eth0]\r\n", REFUSED),
    ];
    hold::<F>(&cases, |lines| [LINE, lines, b"\r\n"].concat());
    let old: [Case; 4] = [
        ("9112 3.2", b"", LAST),
        ("9112 3.2", b"Host: gocache\r\n", LAST),
        ("9112 3.2", b"Host: gocache\r\nHost: other\r\n", REFUSED),
        ("9112 3.2", b"Host: go cache\r\n", REFUSED),
    ];
    hold::<F>(&old, |lines| [OLD_LINE, lines, b"\r\n"].concat());
}
