//! One loop, turned by hand: whatever others ask of it, whoever has asked just now is answered in the
//! same turn. Turns are counted, and bytes; no clock is looked at. All of it holds for an engine that is
//! asked by each connection for itself, and for one that is asked together and lends its values.

#[path = "fairness_tests/hand.rs"]
mod hand;

use std::io::{ErrorKind, Read, Write};

use gocache_core::GroupId;

use super::*;
use crate::{engine::Node, owed::FULL_OWN, server::link::READS};
use hand::{Greedy, HOT, Hand, LARGE, LARGE_BYTES, Lender, PATIENCE, request};

#[test]
fn a_hundred_thousand_requests_on_one_connection_keep_nobody_waiting() {
    a_hundred_thousand_requests_on_one_connection_keep_nobody_waiting_of(|node| node);
    a_hundred_thousand_requests_on_one_connection_keep_nobody_waiting_of(Lender);
}

fn a_hundred_thousand_requests_on_one_connection_keep_nobody_waiting_of<E: Engine>(
    engine: impl FnOnce(Node) -> E,
) {
    const REQUESTS: usize = 100_000;
    let mut hand = Hand::new(engine);
    let mut other = hand.connect();
    hand.ask(&mut other, || ());
    let answers = REQUESTS as u64 * hand.moved.1;
    let mut greedy = Greedy::new(&mut hand, request(HOT).repeat(REQUESTS));
    while (greedy.got as u64) < answers {
        greedy.go_on();
        hand.ask(&mut other, || greedy.go_on());
        assert!(hand.moved.0 <= (READ + request(HOT).len()) as u64, "more than one read each");
    }
    assert_eq!(greedy.got as u64, answers);
    assert!(hand.turns >= greedy.unsent.len() / READ, "all that in {} turns", hand.turns);
}

#[test]
fn few_who_ask_without_end_have_a_turn_before_who_asks_now() {
    few_who_ask_without_end_have_a_turn_before_who_asks_now_of(|node| node);
    few_who_ask_without_end_have_a_turn_before_who_asks_now_of(Lender);
}

fn few_who_ask_without_end_have_a_turn_before_who_asks_now_of<E: Engine>(
    engine: impl FnOnce(Node) -> E,
) {
    const MANY: usize = 100;
    let mut hand = Hand::new(engine);
    let mut other = hand.connect();
    let flood = request(HOT).repeat(20_000);
    let mut greedy: Vec<Greedy> =
        (0..MANY).map(|_| Greedy::new(&mut hand, flood.clone())).collect();
    greedy.iter_mut().for_each(Greedy::go_on);
    hand.turn_until("all of them go on", |hand| hand.event_loop.goes_on.len() == MANY);
    let turns = (GO_ON_A_TURN + 1) as u64;
    // What is full takes one answer more, to be full.
    let (most_read, most_sent) = (turns * READ as u64, turns * (FULL_OWN + 1_000) as u64);
    for _ in 0..50 {
        hand.ask(&mut other, || ());
        let (read, sent) = hand.moved;
        assert!(read <= most_read && sent <= most_sent, "{read} bytes read, {sent} sent");
        greedy.iter_mut().for_each(Greedy::go_on);
    }
    // And each of them has a turn before any has its next.
    greedy.iter_mut().for_each(|it| it.got = 0);
    for _ in 0..MANY.div_ceil(GO_ON_A_TURN) {
        hand.turn(WAKER);
        greedy.iter_mut().for_each(Greedy::go_on);
    }
    let starved = greedy.iter().filter(|it| it.got == 0).count();
    assert_eq!(starved, 0, "of {MANY} so many had no turn");
}

#[test]
fn large_values_keep_nobody_waiting() {
    large_values_keep_nobody_waiting_of(|node| node);
    large_values_keep_nobody_waiting_of(Lender);
}

fn large_values_keep_nobody_waiting_of<E: Engine>(engine: impl FnOnce(Node) -> E) {
    const VALUES: usize = 20;
    let mut hand = Hand::new(engine);
    let mut other = hand.connect();
    let mut greedy = Greedy::new(&mut hand, request(LARGE).repeat(VALUES));
    while greedy.got < VALUES * LARGE_BYTES {
        greedy.go_on();
        hand.ask(&mut other, || greedy.go_on());
    }
    assert!(hand.turns >= VALUES, "all that in {} turns", hand.turns);
}

/// An origin that sends without a pause, for a value that is longer than what is read in a turn.
#[test]
fn a_large_load_keeps_nobody_waiting() {
    a_large_load_keeps_nobody_waiting_of(|node| node);
    a_large_load_keeps_nobody_waiting_of(Lender);
}

fn a_large_load_keeps_nobody_waiting_of<E: Engine>(engine: impl FnOnce(Node) -> E) {
    const BYTES: usize = 32 << 20;
    let mut hand = Hand::new(engine);
    let mut other = hand.connect();
    let mut asks = Greedy::new(&mut hand, request(b"new"));
    asks.go_on();
    hand.origin.set_nonblocking(true).expect("a socket takes options");
    let origin = hand.origin.try_clone().expect("a descriptor");
    let mut accepted = None;
    hand.turn_until("the origin is asked", |_| {
        accepted = accepted.take().or_else(|| origin.accept().ok());
        accepted.is_some()
    });
    let (stream, _) = accepted.expect("it is asked");
    stream.set_nonblocking(true).expect("a socket takes options");
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + BYTES, b'v');
    let mut sends = Greedy { stream, unsent: answer, sent: 0, got: 0 };
    let before = hand.turns;
    while sends.sent < sends.unsent.len() {
        // The request is read with it.
        sends.go_on();
        hand.ask(&mut other, || ());
    }
    hand.turn_until("the load is over", |_| {
        asks.go_on();
        asks.got > BYTES
    });
    let turns = hand.turns - before;
    assert!(turns >= BYTES / (READ * READS), "all that in {turns} turns");
}

/// Each of many connections has asked for the same key, which is loaded then.
#[test]
fn many_who_waited_for_a_load_keep_nobody_waiting() {
    many_who_waited_for_a_load_keep_nobody_waiting_of(|node| node);
    many_who_waited_for_a_load_keep_nobody_waiting_of(Lender);
}

fn many_who_waited_for_a_load_keep_nobody_waiting_of<E: Engine>(engine: impl FnOnce(Node) -> E) {
    const MANY: usize = 300;
    let mut hand = Hand::new(engine);
    let mut other = hand.connect();
    hand.ask(&mut other, || ());
    let answer = hand.moved.1;
    let mut herd: Vec<Greedy> =
        (0..MANY).map(|_| Greedy::new(&mut hand, request(b"new"))).collect();
    herd.iter_mut().for_each(Greedy::go_on);
    let all = (MANY * request(b"new").len()) as u64;
    let mut read = 0;
    while read < all {
        hand.turn(WAKER);
        read += hand.moved.0;
    }
    // The loop has begun to connect to it.
    let (mut stream, _) = hand.origin.accept().expect("it is asked");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n630").expect("it is read");
    let mut turns = 0;
    while herd.iter().any(|it| it.got == 0) {
        hand.ask(&mut other, || ());
        let most = (GO_ON_A_TURN as u64 + 1) * 2 * answer;
        assert!(hand.moved.1 <= most, "{} bytes sent in a turn", hand.moved.1);
        herd.iter_mut().for_each(Greedy::go_on);
        turns += 1;
    }
    assert!(turns >= MANY / GO_ON_A_TURN, "all that in {turns} turns");
}

/// Values that are lent, of all lengths, on connections that take little at a time: what the socket does
/// not take at once is there when it does.
#[test]
fn lent_values_come_whole_however_little_is_taken_at_a_time() {
    let mut hand = Hand::new(Lender);
    let lengths = [0, 1, 1 << 10, (1 << 10) + 1, 32 << 10, (32 << 10) + 1, 1 << 20, 3 << 20];
    let key = |at: usize| [b'k', b'0' + at as u8];
    let value = |at: usize| (at as u8..=250).cycle().take(lengths[at]).collect::<Vec<u8>>();
    for at in 0..lengths.len() {
        let put = hand.shared.engine.put(GroupId(0), &key(at), &value(at), Instant::ZERO);
        put.expect("it fits");
    }
    let asked: Vec<usize> = (0..lengths.len()).chain((0..lengths.len()).rev()).collect();
    let requests: Vec<u8> = asked.iter().flat_map(|&at| request(&key(at))).collect();
    let mut clients: Vec<_> = (0..3).map(|_| (hand.connect().0, Vec::new())).collect();
    for (stream, _) in &mut clients {
        stream.set_nonblocking(true).expect("a socket takes options");
        stream.write_all(&requests).expect("the system takes it");
    }
    let begin = std::time::Instant::now();
    while clients.iter().any(|(_, got)| bodies(got).len() < asked.len()) {
        hand.turn(WAKER);
        assert!(begin.elapsed() < PATIENCE, "it does not come");
        for (stream, got) in &mut clients {
            let mut buffer = [0; 50_000];
            match stream.read(&mut buffer) {
                Ok(count) => got.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }
    for (_, got) in clients {
        let expected: Vec<_> = asked.iter().map(|&at| value(at)).collect();
        assert!(bodies(&got) == expected);
    }
}

/// What answers have come whole.
fn bodies(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(head + 4);
        let head = str::from_utf8(head).expect("it is ASCII");
        let length = head.split("Content-Length: ").nth(1).expect("it says how long it is");
        let length = length.split("\r\n").next().and_then(|it| it.parse().ok()).expect("a number");
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        bodies.push(body);
        bytes = rest;
    }
    bodies
}
