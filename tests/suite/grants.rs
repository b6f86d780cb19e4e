//! Writes are off, and then for who shows the token: who does not is told so before a body is read.

use crate::harness::{Client, Frontend, Reply, Setup, Site, TOKEN, delete, put};

promises! {
    without_the_token_nothing_is_written,
    an_upload_that_is_not_granted_is_not_asked_for,
    the_body_of_a_refused_write_is_read_past,
    methods_go_by_the_configuration_and_the_group,
    a_write_to_no_group_is_not_found,
    writes_over_the_limit_are_asked_to_come_back,
    a_writer_that_leaves_makes_room,
}

fn site<F: Frontend>() -> Site {
    let site = Setup::new().writes("").start::<F>();
    site.connect().send(put("Tom", "before")).answer().status(204);
    site
}

/// Both writes, with this in place of the good `Authorization` line.
fn with_authorization(lines: &str) -> [String; 2] {
    let good = format!("Authorization: Bearer {TOKEN}\r\n");
    [put("Tom", "after"), delete("Tom")].map(|request| {
        assert!(request.contains(&good), "the line stands there");
        request.replace(&good, lines)
    })
}

fn without_the_token_nothing_is_written<F: Frontend>() {
    let site = site::<F>();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let mut longer = TOKEN.to_string();
    longer.push('x');
    let other = TOKEN.replace('a', "b");
    let twice = bearer(TOKEN).repeat(2);
    let cases = [
        (401, String::new()),
        (401, "Authorization: Basic YTpi\r\n".to_string()),
        (401, format!("Authorization: {TOKEN}\r\n")),
        (401, format!("Proxy-Authorization: Bearer {TOKEN}\r\n")),
        (403, bearer("x")),
        (403, bearer(&TOKEN[..TOKEN.len() - 1])),
        (403, bearer(&longer)),
        (403, bearer(&other)),
        (403, bearer(&TOKEN.to_uppercase())),
        (403, bearer(&"x".repeat(2_000))),
        (403, bearer(&format!("{TOKEN} {TOKEN}"))),
        (400, twice),
    ];
    let mut client = site.connect();
    for (status, lines) in cases {
        for request in with_authorization(&lines) {
            let answer = client.send(request).answer();
            answer.status(status).one_line();
            match status {
                // RFC 6750, 3.
                401 => drop(answer.has("www-authenticate", "Bearer realm=\"gocache\"")),
                _ => drop(answer.must(answer.field("www-authenticate").is_none(), "no challenge")),
            }
            site.get("Tom").status(200).body("before");
        }
    }
    for lines in [bearer(TOKEN), format!("authorization: bearer   {TOKEN} \r\n")] {
        for request in with_authorization(&lines) {
            client.send(request).answer().status(204);
        }
    }
    assert_eq!(site.origin.loads(), 0, "loads");
}

/// A PUT that waits for a word before it sends the body.
fn expecting(target: &str, authorization: &str, fields: &str) -> String {
    format!(
        "PUT {target} HTTP/1.1\r\nHost: gocache\r\n{authorization}Expect: 100-continue\r\n{fields}\r\n"
    )
}

fn an_upload_that_is_not_granted_is_not_asked_for<F: Frontend>() {
    let site = site::<F>();
    let off = Site::new::<F>();
    let good = format!("Authorization: Bearer {TOKEN}\r\n");
    let (known, unknown) = ("/_gocache/scores/Tom", "/_gocache/none/Tom");
    for (site, target, authorization, status) in [
        (&site, known, "", 401),
        (&site, known, "Authorization: Bearer guess\r\n", 403),
        (&site, unknown, &good, 404),
        (&site, "/elsewhere", &good, 404),
        (&site, "/_gocache/scores", &good, 400),
        (&off, known, &good, 405),
    ] {
        for length in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            let mut client = site.connect();
            let answer = client.send(expecting(target, authorization, length)).answer();
            answer.status(status).one_line();
            // Whether the body comes after this, nobody knows.
            answer.must(answer.says("close"), "the end of the connection");
            client.end();
        }
    }
    // A long one is not read past either, though nobody waits for a word.
    let mut client = site.connect();
    let long = "Content-Length: 100000000\r\n";
    let request = format!("PUT {known} HTTP/1.1\r\nHost: gocache\r\n{long}\r\n");
    client.send(request).answer().status(401);
    client.end();
    site.get("Tom").status(200).body("before");
}

fn the_body_of_a_refused_write_is_read_past<F: Frontend>() {
    let site = site::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let mut client = site.connect();
    for lines in ["", "Authorization: Bearer guess\r\n"] {
        let [refused, _] = with_authorization(lines);
        let trap = "GET /_gocache/scores/smuggled HTTP/1.1\r\nHost: gocache\r\n\r\n";
        let length = format!("Content-Length: {}", trap.len());
        let refused = refused.replace("Content-Length: 5", &length).replace("after", trap);
        let answer = client.send(refused).answer();
        answer.must(matches!(answer.status, 401 | 403), "a refusal");
        client.get("next").status(200).body("next");
    }
    assert_eq!(site.origin.loads_of("smuggled"), 0, "requests that stood in a body");
}

fn methods_go_by_the_configuration_and_the_group<F: Frontend>() {
    let allow = |site: &Site, request: String| {
        let answer = site.connect().send(request).answer();
        answer.status(405).one_line();
        answer.need("allow").to_string()
    };
    let post = || delete("Tom").replace("DELETE", "POST");
    let all = Setup::new().writes("").start::<F>();
    assert_eq!(allow(&all, post()), "GET, HEAD, PUT, DELETE");
    let none = Setup::new().writes("groups = []\n").start::<F>();
    let off = Site::new::<F>();
    for site in [&none, &off] {
        for request in [post(), delete("Tom"), put("Tom", "630")] {
            assert_eq!(allow(site, request), "GET, HEAD");
        }
    }
}

fn a_write_to_no_group_is_not_found<F: Frontend>() {
    let site = site::<F>();
    for request in [delete("Tom"), put("Tom", "630")] {
        let request = request.replace("/scores/", "/prices/");
        let answer = site.connect().send(request).answer();
        answer.status(404).body("no such group: prices\n");
    }
}

/// A client that is about to send three bytes, and holds its place among the writers.
fn begun(site: &Site) -> Client {
    let mut client = site.connect();
    let request =
        put("Sam", "").replace("Content-Length: 0", "Expect: 100-continue\r\nContent-Length: 3");
    client.send(request).answer().status(100);
    client
}

fn writes_over_the_limit_are_asked_to_come_back<F: Frontend>() {
    let site = Setup::new().limit("writes", 2).writes("").start::<F>();
    let (mut first, _second) = (begun(&site), begun(&site));
    let mut third = site.connect();
    for request in [put("Tom", "630"), delete("Tom")] {
        third.send(request).answer().status(503).has("retry-after", "1").one_line();
    }
    site.get("hot").status(200);
    first.send("567").answer().status(204);
    for request in [put("Tom", "630"), delete("Tom")] {
        third.send(request).answer().status(204);
    }
}

fn a_writer_that_leaves_makes_room<F: Frontend>() {
    let site = Setup::new().limit("writes", 1).writes("").start::<F>();
    for _ in 0..20 {
        drop(begun(&site));
        crate::harness::eventually("its place is free", || {
            site.connect().send(delete("Tom")).answer().status == 204
        });
    }
}
