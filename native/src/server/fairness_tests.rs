//! One loop, turned by hand: whatever others ask of it, whoever has asked just now is answered in the
//! same turn. Turns are counted, and bytes; no clock is looked at.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    sync::Arc,
};

use gocache_core::GroupId;
use mio::{Interest, Waker};

use super::*;
use crate::{
    engine::{self, Node},
    owed::FULL_OWN,
    server::{lanes::Control, link::READS},
};

/// Whoever waits for longer waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

const HOT: &[u8] = b"hot";
const LARGE: &[u8] = b"large";
const LARGE_BYTES: usize = 8 << 20;

/// A loop over one group, which has these two values.
struct Hand {
    event_loop: EventLoop,
    shared: Shared<Node>,
    events: Events,
    turns: usize,
    /// Bytes that were read and written in the last turn.
    moved: (u64, u64),
    addr: SocketAddr,
    origin: StdListener,
}

impl Hand {
    fn new() -> Self {
        let origin = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let text = format!(
            "loops = 1\n[origins.o]\nkind = \"http\"\nurl = \"http://{}/\"\n\
             [groups.g]\norigin = \"o\"\nbudget = \"32 MiB\"\n",
            origin.local_addr().expect("it is bound")
        );
        let config = Config::from_toml(&text).expect("sound");
        let node = engine::node(&config).expect("memory");
        for (key, value) in [(HOT, &b"630"[..]), (LARGE, &vec![b'v'; LARGE_BYTES])] {
            node.put(GroupId(0), key, value, Instant::ZERO).expect("it fits");
        }
        let mut listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a port is free");
        let addr = listener.local_addr().expect("it is bound");
        let poll = Poll::new().expect("descriptors");
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).expect("it is new");
        let waker = Waker::new(registry, WAKER).expect("descriptors");
        let control = Arc::new(Control::new(vec![waker]));
        let no_workers: crate::origin::Land = Arc::new(|_, _, _| ());
        let shared = Shared::new(config, Arc::new(node), control, &no_workers).expect("sound");
        let mut event_loop = EventLoop::new(0, PlaneKind::Data, poll, listener, Epoch::begin());
        event_loop.join(&shared);
        let (events, turns, moved) = (Events::with_capacity(1 << 10), 0, (0, 0));
        Self { event_loop, shared, events, turns, moved, addr, origin }
    }

    /// One turn; says whether the loop heard of something to read of `token` in it. Where there is
    /// nothing to do it waits a moment.
    fn turn(&mut self, token: Token) -> bool {
        let Self { event_loop, shared, events, .. } = self;
        let pause = Duration::from_millis(1);
        let timeout = event_loop.timeout().map_or(pause, |it| it.min(pause));
        let meter = Arc::clone(&event_loop.local.tally.meter);
        let all = || (meter.received_bytes.get(), meter.sent_bytes.get());
        let before = all();
        event_loop.wait(events, Some(timeout)).expect("it can be waited for");
        event_loop.turn(shared, events);
        self.turns += 1;
        self.moved = (all().0 - before.0, all().1 - before.1);
        self.events.iter().any(|event| event.token() == token && event.is_readable())
    }

    /// A connection, and the token that the loop knows it by.
    fn connect(&mut self) -> (StdStream, Token) {
        let before = self.event_loop.clients.len();
        let slot = self.event_loop.clients.vacant_key();
        let stream = StdStream::connect(self.addr).expect("the loop listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes options");
        self.turn_until("it is accepted", |hand| hand.event_loop.clients.len() > before);
        (stream, Token(2 * slot))
    }

    fn turn_until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let begin = std::time::Instant::now();
        while !is_so(self) {
            self.turn(WAKER);
            assert!(begin.elapsed() < PATIENCE, "{what}");
        }
    }

    /// Asks, and gets the answer in the turn in which the loop hears of it.
    fn ask(&mut self, (stream, token): &mut (StdStream, Token), mut meanwhile: impl FnMut()) {
        stream.write_all(&request(HOT)).expect("the system takes it");
        while !self.turn(*token) {
            meanwhile();
        }
        // No turn comes that could bring it later.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n630") {
            let mut buffer = [0; 1 << 10];
            let count = stream.read(&mut buffer).expect("the answer was sent in that turn");
            assert!(count > 0, "cut after {}", answer.escape_ascii());
            answer.extend_from_slice(&buffer[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

fn request(key: &[u8]) -> Vec<u8> {
    [b"GET /_gocache/g/", key, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat()
}

/// Who sends as much as the system takes, and takes as much as has come.
struct Greedy {
    stream: StdStream,
    unsent: Vec<u8>,
    sent: usize,
    got: usize,
}

impl Greedy {
    fn new(hand: &mut Hand, unsent: Vec<u8>) -> Self {
        let (stream, _) = hand.connect();
        stream.set_nonblocking(true).expect("a socket takes options");
        Self { stream, unsent, sent: 0, got: 0 }
    }

    fn go_on(&mut self) {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("cut after {} bytes", self.got),
                Ok(count) => self.got += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_hundred_thousand_requests_on_one_connection_keep_nobody_waiting() {
    const REQUESTS: usize = 100_000;
    let mut hand = Hand::new();
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
    const MANY: usize = 100;
    let mut hand = Hand::new();
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
    const VALUES: usize = 20;
    let mut hand = Hand::new();
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
    const BYTES: usize = 32 << 20;
    let mut hand = Hand::new();
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
    const MANY: usize = 300;
    let mut hand = Hand::new();
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
