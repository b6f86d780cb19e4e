//! What is taken for a value that is put: a body that came whole, is within the limits, and is the
//! value itself. Of anything else nothing is stored.

use crate::harness::{Client, Frontend, Setup, Site, put, write};

promises! {
    a_body_may_come_in_chunks_and_in_pieces,
    a_put_says_how_long_it_is,
    a_body_over_the_limit_is_not_stored,
    a_value_that_does_not_fit_the_budget_is_too_large,
    a_body_that_does_not_come_whole_is_not_stored,
    what_is_no_whole_value_is_refused,
}

fn site<F: Frontend>() -> Site {
    Setup::new().writes("").start::<F>()
}

/// What was cached is there still, and nothing of the write.
#[track_caller]
fn unchanged(site: &Site) {
    site.get("Tom").status(200).body("before");
}

fn a_body_may_come_in_chunks_and_in_pieces<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    for (body, value) in [
        ("3\r\n630\r\n0\r\n\r\n", "630"),
        ("1;a=b\r\n6\r\n2\r\n31\r\n0\r\nX: y\r\n\r\n", "631"),
        ("0\r\n\r\n", ""),
    ] {
        client
            .send(write("PUT", "Tom", "Transfer-Encoding: chunked\r\n", body))
            .answer()
            .status(204);
        client.get("Tom").status(200).body(value);
    }
    for piece in put("Tom", "in pieces").as_bytes().chunks(1) {
        client.send(piece);
    }
    client.answer().status(204);
    client.get("Tom").status(200).body("in pieces");
    let expects = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    client.send(write("PUT", "Tom", expects, "")).answer().status(100);
    client.send("632").answer().status(204);
    client.get("Tom").status(200).body("632");
    let old = put("Tom", "old").replace("HTTP/1.1", "HTTP/1.0");
    let mut client = site.connect();
    client.send(old).answer().status(204);
    client.end();
    site.get("Tom").status(200).body("old");
}

fn a_put_says_how_long_it_is<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    client.send(write("PUT", "Tom", "", "")).answer().status(411).one_line();
    client.send(write("PUT", "Tom", "Content-Length: 0\r\n", "")).answer().status(204);
    client.get("Tom").status(200).body("");
    for bad in ["Content-Length: x\r\n", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"] {
        let mut client = site.connect();
        client.send(write("PUT", "Tom", bad, "630")).answer().status(400).one_line();
        client.end();
    }
    site.get("Tom").status(200).body("");
}

fn a_body_over_the_limit_is_not_stored<F: Frontend>() {
    let site = Setup::new().limit("body_bytes", 1000).writes("").start::<F>();
    let mut client = site.connect();
    client.send(put("Tom", &"x".repeat(1000))).answer().status(204);
    client.send(put("Tom", "before")).answer().status(204);
    for (fields, body) in [
        ("Content-Length: 1001\r\n", "x"),
        ("Expect: 100-continue\r\nContent-Length: 1001\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "3e9\r\n"),
        ("Transfer-Encoding: chunked\r\n", &format!("3e8\r\n{}\r\n1\r\n", "x".repeat(1000))),
    ] {
        let mut client = site.connect();
        client
            .send(write("PUT", "Tom", fields, body))
            .answer()
            .status(413)
            .mentions("1000")
            .one_line();
        client.end();
        unchanged(&site);
    }
    let small = Setup::new().limit("value_bytes", 10).writes("").start::<F>();
    small.connect().send(put("Tom", &"x".repeat(11))).answer().status(413).mentions("10 bytes");
}

fn a_value_that_does_not_fit_the_budget_is_too_large<F: Frontend>() {
    let site = Setup::new().budget("64 KiB").writes("").start::<F>();
    let mut client = site.connect();
    // One by its length alone, one only beside the tables.
    for length in [(64 << 10) + 1, (64 << 10) - 1] {
        let answer = client.send(put("Tom", &"x".repeat(length))).answer();
        answer.status(413).one_line();
    }
    let fits = "x".repeat(32 << 10);
    client.send(put("Tom", &fits)).answer().status(204);
    client.get("Tom").status(200).body(fits);
}

fn a_body_that_does_not_come_whole_is_not_stored<F: Frontend>() {
    let site = Setup::new().deadline("body", "300ms").writes("").start::<F>();
    site.connect().send(put("Tom", "before")).answer().status(204);
    let halves = [
        ("Content-Length: 10\r\n", "half"),
        ("Transfer-Encoding: chunked\r\n", "4\r\nhalf\r\n"),
        ("Transfer-Encoding: chunked\r\n", "4\r\nhalf\r\n0\r\n"),
    ];
    for (fields, body) in halves {
        let mut client = site.connect();
        client.send(write("PUT", "Tom", fields, body)).finish_sending();
        for answer in client.answers_to_the_end() {
            answer.must(answer.status >= 400, "at most a refusal");
        }
        let mut slow = site.connect();
        slow.send(write("PUT", "Tom", fields, body)).answer().status(408);
        slow.end();
        let mut gone = site.connect();
        gone.send(write("PUT", "Tom", fields, body));
        drop(gone);
        unchanged(&site);
    }
    let malformed = write("PUT", "Tom", "Transfer-Encoding: chunked\r\n", "4\r\nhalf\r\nx\r\n");
    site.connect().send(malformed).answer().status(400);
    unchanged(&site);
}

fn what_is_no_whole_value_is_refused<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    client.send(put("Tom", "before")).answer().status(204);
    let ask = |client: &mut Client, field: &str| {
        let fields = format!("{field}\r\nContent-Length: 5\r\n");
        client.send(write("PUT", "Tom", &fields, "after")).answer()
    };
    ask(&mut client, "Content-Range: bytes 0-4/9").status(400).one_line();
    let encoded = ask(&mut client, "Content-Encoding: gzip");
    encoded.status(415).has("accept-encoding", "identity").one_line();
    unchanged(&site);
    ask(&mut client, "Content-Encoding: identity").status(204);
    client.get("Tom").status(200).body("after");
}
