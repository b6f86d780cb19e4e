//! A connection carries one request after the other, answers in their order, and ends when either
//! side says so.

use std::time::Duration;

use crate::harness::{Asked, Client, Frontend, Reply, Setup, Site, get, head};

promises! {
    a_connection_is_kept,
    pipelined_answers_come_in_order,
    a_long_pipeline_is_answered_whole,
    a_pipeline_over_its_limit_is_answered_whole,
    head_and_304_have_no_body_in_a_pipeline,
    a_refusal_of_a_good_request_keeps_the_connection,
    a_client_that_has_finished_sending_is_answered,
    a_cut_request_is_not_answered_as_a_whole_one,
    empty_lines_before_a_request_are_skipped,
}

const KEPT: Duration = Duration::from_millis(20);

/// A request for `hot` with these field lines.
fn hot(version: &str, fields: &str) -> String {
    format!("GET /_gocache/scores/hot {version}\r\nHost: gocache\r\n{fields}\r\n")
}

fn a_connection_is_kept<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    for _ in 0..5 {
        let answer = client.send(hot("HTTP/1.1", "")).answer();
        answer.status(200).must(!answer.says("close"), "no Connection: close");
    }
    assert!(client.silent_for(KEPT), "the connection stays open and silent");
    client.send(hot("HTTP/1.1", "Connection: keep-alive\r\n")).answer().status(200);
    client.get("hot").status(200);
}

fn pipelined_answers_come_in_order<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("slow value"))));
    site.origin.set("broken", Reply::status(500));
    for key in ["one", "two", "three"] {
        site.origin.set(key, Reply::value(key));
    }
    site.get("hot").status(200);
    let mut client = site.connect();
    let keys = ["slow", "hot", "one", "nobody", "two", "broken", "hot", "slow", "three"];
    client.send(keys.map(get).concat());
    site.origin.await_loads("slow", 1);
    assert!(client.silent_for(KEPT), "an answer that overtakes the first");
    gate.open();
    for key in keys {
        let answer = client.answer();
        match key {
            "slow" => answer.status(200).body("slow value"),
            "hot" => answer.status(200).body("hot value"),
            "nobody" => answer.status(404).body("nobody not exist\n"),
            "broken" => answer.status(502),
            _ => answer.status(200).body(key),
        };
    }
    client.get("hot").status(200);
    assert_eq!(site.origin.loads_of("slow"), 1, "loads of a key that stands twice in a pipeline");
}

/// More requests than any buffer holds, and answers that are read only after all were sent.
fn a_long_pipeline_is_answered_whole<F: Frontend>() {
    const REQUESTS: usize = 1000;
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let mut client = site.connect();
    let key = |number: usize| format!("key-{}", number % 50);
    let requests: String = (0..REQUESTS).map(|number| get(&key(number))).collect();
    client.send(requests);
    for number in 0..REQUESTS {
        client.answer().status(200).body(key(number));
    }
    assert_eq!(site.origin.loads(), 50, "loads of 50 keys");
}

fn a_pipeline_over_its_limit_is_answered_whole<F: Frontend>() {
    let site = Setup::new().limit("pipeline", 4).start::<F>();
    let gate = site.origin.gate();
    site.origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("slow value"))));
    site.origin.set_otherwise(Reply::Echo);
    let mut client = site.connect();
    let key = |number: usize| format!("key-{number}");
    let requests: String = (0..50).map(|number| get(&key(number))).collect();
    client.send(get("slow") + &requests);
    site.origin.await_loads("slow", 1);
    gate.open();
    client.answer().status(200).body("slow value");
    for number in 0..50 {
        client.answer().status(200).body(key(number));
    }
}

fn head_and_304_have_no_body_in_a_pipeline<F: Frontend>() {
    let site = Site::new::<F>();
    let tag = site.get("hot").need("etag").to_string();
    let condition = format!("If-None-Match: {tag}\r\n");
    let mut client = site.connect();
    client.send(
        head("hot")
            + &hot("HTTP/1.1", &condition)
            + &head("nobody")
            + &get("hot")
            + &head("cold")
            + &get("hot"),
    );
    client.answer_to(Asked::Head).status(200).has("content-length", "9");
    client.answer_to(Asked::Get).status(304);
    client.answer_to(Asked::Head).status(404);
    client.answer_to(Asked::Get).status(200).body("hot value");
    client.answer_to(Asked::Head).status(404);
    client.answer_to(Asked::Get).status(200).body("hot value");
}

/// The request was understood, so both sides agree on where the next one begins.
fn a_refusal_of_a_good_request_keeps_the_connection<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    for (line, status) in [
        ("GET /elsewhere", 404),
        ("GET /_gocache/prices/Tom", 404),
        ("GET /_gocache/scores/nobody", 404),
        ("GET /_gocache/scores/", 400),
        ("POST /_gocache/scores/hot", 405),
    ] {
        let answer = client.send(format!("{line} HTTP/1.1\r\nHost: gocache\r\n\r\n")).answer();
        // It may close instead, but then it has to say so.
        answer.status(status);
        if answer.says("close") {
            client.end();
            client = site.connect();
        }
        client.get("hot").status(200).body("hot value");
    }
}

fn a_client_that_has_finished_sending_is_answered<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("slow value"))));
    site.get("hot").status(200);
    let finish = |requests: String| -> Client {
        let mut client = site.connect();
        client.send(requests).finish_sending();
        client
    };
    let mut client = finish(get("hot"));
    client.answer().status(200).body("hot value");
    client.end();
    let mut client = finish(get("hot") + &get("slow") + &get("hot"));
    client.answer().status(200).body("hot value");
    site.origin.await_loads("slow", 1);
    gate.open();
    client.answer().status(200).body("slow value");
    client.answer().status(200).body("hot value");
    client.end();
    finish(String::new()).end();
    // More than is read at once: the end stands behind requests that have not been looked at.
    let mut client = finish(get("hot").repeat(2000));
    for _ in 0..2000 {
        client.answer().status(200).body("hot value");
    }
    client.end();
}

fn a_cut_request_is_not_answered_as_a_whole_one<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let whole = get("cut");
    for length in 1..whole.len() {
        let mut client = site.connect();
        client.send(get("hot") + &whole[..length]).finish_sending();
        client.answer().status(200);
        let statuses: Vec<u16> =
            client.answers_to_the_end().iter().map(|answer| answer.status).collect();
        assert!(
            matches!(statuses[..], [] | [400 | 408]),
            "the end, or a refusal: {statuses:?} after {length} bytes"
        );
    }
    assert_eq!(site.origin.loads_of("cut"), 0, "loads for a request that never ended");
    site.get("hot").status(200);
}

fn empty_lines_before_a_request_are_skipped<F: Frontend>() {
    let site = Site::new::<F>();
    for lines in ["\r\n", "\r\n\r\n"] {
        let mut client = site.connect();
        client.send(lines.to_string() + &get("hot")).answer().status(200);
        client.send(lines.to_string() + &get("hot") + lines + &get("hot"));
        client.answer().status(200).body("hot value");
        client.answer().status(200).body("hot value");
    }
}
