//! No request here needs a body, but any may have one: it is read past or ends the connection,
//! never taken for a request.

use crate::harness::{Answer, Asked, Client, Frontend, Reply, Setup, Site, get};

promises! {
    a_body_by_length_is_skipped,
    a_body_in_chunks_is_skipped,
    a_body_that_does_not_come_is_an_end,
    expect_is_answered_at_once,
    expect_is_ignored_in_http_1_0,
    a_refusal_of_head_has_no_body,
    a_refusal_arrives_although_the_client_keeps_sending,
}

/// A request for `hot` with these field lines and this body.
fn with_body(method: &str, fields: &str, body: &str) -> String {
    format!("{method} /_gocache/scores/hot HTTP/1.1\r\nHost: gocache\r\n{fields}\r\n{body}")
}

/// Two answers for a request with a body and a plain one behind it, or the first and an announced
/// end.
#[track_caller]
fn skips(site: &Site, request: &str, status: u16) {
    let mut client = site.connect();
    client.send(request.to_string() + &get("after"));
    let answer = client.answer();
    answer.status(status);
    if answer.says("close") {
        client.end();
        return;
    }
    client.answer().status(200).body("after");
    client.get("hot").status(200).body("hot value");
}

/// A body that reads like a request: whoever loses count would answer it.
fn trap() -> String {
    get("smuggled")
}

fn a_body_by_length_is_skipped<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    for body in ["x", "hello", "\r\n\r\n", &trap(), &trap().repeat(50), &"\0".repeat(10_000)] {
        let fields = format!("Content-Length: {}\r\n", body.len());
        skips(&site, &with_body("GET", &fields, body), 200);
        skips(&site, &with_body("POST", &fields, body), 405);
    }
    assert_eq!(site.origin.loads_of("smuggled"), 0, "requests that stood in a body");
}

fn a_body_in_chunks_is_skipped<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let trap = trap();
    let size = format!("{:x}", trap.len());
    for body in [
        format!("{size}\r\n{trap}\r\n0\r\n\r\n"),
        format!("{size}\r\n{trap}\r\n").repeat(20) + "0\r\n\r\n",
    ] {
        for coding in ["Transfer-Encoding: chunked\r\n", "transfer-encoding:CHUNKED\r\n"] {
            skips(&site, &with_body("GET", coding, &body), 200);
            skips(&site, &with_body("DELETE", coding, &body), 405);
        }
    }
    assert_eq!(site.origin.loads_of("smuggled"), 0, "requests that stood in a body");
}

fn a_body_that_does_not_come_is_an_end<F: Frontend>() {
    let site = Site::new::<F>();
    for (fields, body) in [
        ("Content-Length: 10\r\n", ""),
        ("Content-Length: 10\r\n", "half"),
        ("Transfer-Encoding: chunked\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhel"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n"),
    ] {
        let mut client = site.connect();
        client.send(with_body("GET", fields, body)).finish_sending();
        let statuses: Vec<u16> =
            client.answers_to_the_end().iter().map(|answer| answer.status).collect();
        let ended = matches!(statuses[..], [] | [200 | 400 | 408] | [200, 400 | 408]);
        assert!(ended, "at most one answer, a refusal and the end: {statuses:?} for {body:?}");
    }
    site.get("hot").status(200);
}

/// Reads the answer to a request that expects `100 Continue`, sending the body only when it is
/// asked for.
#[track_caller]
fn final_answer(client: &mut Client, body: &str) -> Answer {
    let first = client.answer();
    if first.status == 100 {
        client.send(body);
        return client.answer();
    }
    // A final status without the body: the client sends it all the same, unless told that the
    // connection ends.
    first.must(first.status >= 200, "100 or a final status");
    if !first.says("close") {
        client.send(body);
    }
    first
}

fn expect_is_answered_at_once<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    for (fields, body) in [
        ("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
        ("expect:100-Continue\r\nContent-Length: 5\r\n", "hello"),
        ("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        for (method, status) in [("GET", 200), ("POST", 405)] {
            let mut client = site.connect();
            client.send(with_body(method, fields, ""));
            let answer = final_answer(&mut client, body);
            answer.status(status);
            if answer.says("close") {
                client.end();
            } else {
                client.get("after").status(200).body("after");
            }
        }
    }
    // A client need not wait for what it expects, and then a 100 is of no more use.
    let mut client = site.connect();
    client.send(with_body("GET", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"));
    let first = client.answer();
    let last = if first.status == 100 { client.answer() } else { first };
    last.status(200).body("hot value");
    let refused = Setup::new().limit("body_bytes", 1000).start::<F>();
    let mut client = refused.connect();
    client.send(with_body("GET", "Expect: 100-continue\r\nContent-Length: 1001\r\n", ""));
    client.answer().status(413);
    client.end();
}

fn expect_is_ignored_in_http_1_0<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    let fields = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    client.send(with_body("GET", fields, "hello").replace("HTTP/1.1", "HTTP/1.0"));
    client.answer().status(200).body("hot value");
    client.end();
}

/// Bytes that arrive at a closed socket are answered with a reset, on which the client's system may
/// drop the answer unread. So the server has to stay and read a while; all is sent here before the
/// first byte is read.
/// RFC 9110, 9.3.2: whatever the answer to HEAD is, it has no content.
fn a_refusal_of_head_has_no_body<F: Frontend>() {
    let site = Setup::new().limit("body_bytes", 10).start::<F>();
    for (fields, status) in [
        ("Content-Length: 11\r\n", 413),
        ("Content-Length: a\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\nx", 400),
    ] {
        let mut client = site.connect();
        let request = format!("HEAD /_gocache/scores/hot HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        client.send(request).answer_to(Asked::Head).status(status);
        client.end();
    }
}

fn a_refusal_arrives_although_the_client_keeps_sending<F: Frontend>() {
    let site = Setup::new().limit("body_bytes", 1000).limit("head_bytes", 9000).start::<F>();
    let piece = vec![b'x'; 16 * 1024];
    for (status, start) in [
        (405, with_body("POST", "Content-Length: 1000000\r\n", "")),
        (413, with_body("GET", "Content-Length: 1000000\r\n", "")),
        (400, "BROKEN\r\n\r\n".to_string()),
        (400, with_body("GET", "Content-Length: x\r\n", "")),
        (431, "GET /_gocache/scores/hot HTTP/1.1\r\nHost: gocache\r\nX: ".to_string()),
    ] {
        let mut client = site.connect();
        client.send(&start);
        for _ in 0..16 {
            client.send(&piece);
            // A moment for the server to answer and, if it is careless, to close with bytes unread.
            site.get("hot").status(200);
        }
        client.answer().status(status);
        client.end_without_reset();
    }
}
