//! A loop that is turned by hand, and clients that ask it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    sync::Arc,
};

use gocache_core::{
    Asker, Done, Error, Fetch, Found, Get, GroupId, Landing, Load, LoadError, Stats, Waiter,
};
use mio::{Interest, Waker};

use super::super::*;
use crate::{
    asks::{Asks, Lent, Said},
    config::Config,
    engine::{self, Node, Tell},
    server::lanes::Control,
};

/// Whoever waits for longer waits in vain.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const HOT: &[u8] = b"hot";
pub(super) const LARGE: &[u8] = b"large";
pub(super) const LARGE_BYTES: usize = 8 << 20;

/// A loop over one group, which has these two values.
pub(super) struct Hand<E> {
    pub(super) event_loop: EventLoop,
    pub(super) shared: Shared<E>,
    pub(super) events: Events,
    pub(super) turns: usize,
    /// Bytes that were read and written in the last turn.
    pub(super) moved: (u64, u64),
    pub(super) addr: SocketAddr,
    pub(super) origin: StdListener,
}

impl<E: Engine> Hand<E> {
    pub(super) fn new(engine: impl FnOnce(Node) -> E) -> Self {
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
        let shared =
            Shared::new(config, Arc::new(engine(node)), control, &no_workers).expect("sound");
        let mut event_loop = EventLoop::new(0, PlaneKind::Data, poll, listener, Epoch::begin());
        event_loop.join(&shared);
        let (events, turns, moved) = (Events::with_capacity(1 << 10), 0, (0, 0));
        Self { event_loop, shared, events, turns, moved, addr, origin }
    }

    /// One turn; says whether the loop heard of something to read of `token` in it. Where there is
    /// nothing to do it waits a moment.
    pub(super) fn turn(&mut self, token: Token) -> bool {
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
    pub(super) fn connect(&mut self) -> (StdStream, Token) {
        let before = self.event_loop.clients.len();
        let slot = self.event_loop.clients.vacant_key();
        let stream = StdStream::connect(self.addr).expect("the loop listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket takes options");
        self.turn_until("it is accepted", |hand| hand.event_loop.clients.len() > before);
        (stream, Token(2 * slot))
    }

    pub(super) fn turn_until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let begin = std::time::Instant::now();
        while !is_so(self) {
            self.turn(WAKER);
            assert!(begin.elapsed() < PATIENCE, "{what}");
        }
    }

    /// Asks, and gets the answer in the turn in which the loop hears of it.
    pub(super) fn ask(
        &mut self,
        (stream, token): &mut (StdStream, Token),
        mut meanwhile: impl FnMut(),
    ) {
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

/// A node that is asked together, and lends its values.
pub(super) struct Lender(pub(super) Node);

impl Engine for Lender {
    const BATCHES: bool = true;

    fn get_batch(&self, asks: &Asks, now: Instant, tell: &mut Tell<'_>) {
        for (at, ask) in asks.iter().enumerate() {
            match self.0.get(ask.group, ask.key, ask.asker, ask.waiter, now) {
                Ok(Get::Hit(Found { value, age })) => {
                    tell(at, Ok(Said::Lent(Lent { bytes: &value, digest: value.digest(), age })));
                }
                got => tell(at, got.map(Said::Got)),
            }
        }
    }

    fn get(&self, _: GroupId, _: &[u8], _: Asker, _: Waiter, _: Instant) -> Result<Get, Error> {
        panic!("all is asked together");
    }

    fn follow(self: &Arc<Self>, _: &Config, _: &Config) -> Result<Arc<Self>, String> {
        Err("it stays as it is".to_owned())
    }

    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        self.0.land(fetch, result, now)
    }

    fn overdue(&self, now: Instant) -> Option<Done> {
        self.0.overdue(now)
    }

    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        self.0.put(group, key, value, now)
    }

    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        self.0.remove(group, key, now)
    }

    fn stats(&self) -> Vec<(GroupId, Stats)> {
        self.0.groups().map(|(id, group)| (id, group.stats())).collect()
    }
}

pub(super) fn request(key: &[u8]) -> Vec<u8> {
    [b"GET /_gocache/g/", key, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat()
}

/// Who sends as much as the system takes, and takes as much as has come.
pub(super) struct Greedy {
    pub(super) stream: StdStream,
    pub(super) unsent: Vec<u8>,
    pub(super) sent: usize,
    pub(super) got: usize,
}

impl Greedy {
    pub(super) fn new<E: Engine>(hand: &mut Hand<E>, unsent: Vec<u8>) -> Self {
        let (stream, _) = hand.connect();
        stream.set_nonblocking(true).expect("a socket takes options");
        Self { stream, unsent, sent: 0, got: 0 }
    }

    pub(super) fn go_on(&mut self) {
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
