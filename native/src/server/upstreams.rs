//! The connections of a loop to peers and HTTP origins: opening them, moving their bytes, and
//! keeping the idle ones for the next exchange.

use std::{io, time::Duration};

use gocache_core::{Fetch, Instant, LoadError};
use mio::{Interest, Token, event::Event, net::TcpStream};
use slab::Slab;

use super::{
    Shared, Upstream,
    event_loop::EventLoop,
    link::{Link, Moved, State, cause, is_connected, move_bytes},
    timers::{Owner, Timer},
};
use crate::{
    config::ClusterConfig,
    engine::Engine,
    upstream::{Exchange, Kind, Outcome, is_dot_segment, request},
};

/// Idle connections kept for each target.
const MAX_IDLE: usize = 64;

/// How long one is kept. Servers commonly close theirs after a minute or more: better we do first.
const IDLE: Duration = Duration::from_secs(30);

pub(super) struct Upstreams {
    links: Slab<Link>,
    /// For each target the links that carry no exchange, the last used one last.
    idle: Box<[Vec<usize>]>,
    /// Links that have more to read than was their turn.
    more: Vec<usize>,
}

impl Upstreams {
    pub(super) fn new(targets: usize) -> Self {
        let idle = (0..targets).map(|_| Vec::new()).collect();
        Self { links: Slab::new(), idle, more: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn has_more(&self) -> bool {
        !self.more.is_empty()
    }

    /// Whether a link is the one that had this number.
    pub(super) fn is(&self, slot: usize, number: u64) -> bool {
        self.links.get(slot).is_some_and(|link| link.number == number)
    }
}

impl EventLoop {
    /// Asks a peer or an HTTP origin for a value.
    pub(super) fn begin_exchange<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        fetch: Fetch,
        target: usize,
    ) {
        let upstream = &shared.upstreams[target];
        let mark = shared.config.cluster.as_ref().map(ClusterConfig::mark);
        let (kind, mark) = match upstream.peer {
            Some(_) => (Kind::Peer, mark),
            None if is_dot_segment(fetch.key()) => {
                return self.land(shared, fetch, Err(LoadError::NotFound));
            }
            None => (Kind::Origin, None),
        };
        let group = &shared.config.groups[usize::from(fetch.group().0)];
        let bytes = request(&upstream.target(&group.name), fetch.key(), mark);
        let max_value = shared.config.limits.value_bytes;
        let exchange = Exchange::new(fetch, kind, bytes, max_value, self.clock.now());
        match self.upstreams.idle[target].pop() {
            Some(slot) => self.reuse(shared, slot, exchange),
            None => self.connect(shared, target, exchange, 0),
        }
    }

    /// Goes on with the links that had more to read.
    pub(super) fn pump_more_upstreams<E: Engine>(&mut self, shared: &Shared<E>) {
        for slot in std::mem::take(&mut self.upstreams.more) {
            if self.upstreams.links.contains(slot) {
                self.pump_upstream(shared, slot);
            }
        }
    }

    fn reuse<E: Engine>(&mut self, shared: &Shared<E>, slot: usize, exchange: Exchange) {
        let link = &mut self.upstreams.links[slot];
        link.reused = true;
        link.state = State::Busy(exchange);
        self.patience(shared, slot, deadline_of(shared, link_target(&self.upstreams, slot)));
        self.pump_upstream(shared, slot);
    }

    fn connect<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        target: usize,
        exchange: Exchange,
        attempt: usize,
    ) {
        let entry = self.upstreams.links.vacant_entry();
        let slot = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let address = shared.upstreams[target].address(attempt);
        let unknown = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let stream = address.ok_or_else(unknown).and_then(|address| {
            let mut stream = TcpStream::connect(address)?;
            self.poll.registry().register(&mut stream, Token(2 * slot + 1), interest)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let connected = stream.and_then(|stream| Ok((stream, shared.session(target)?)));
        let Ok((stream, tls)) = connected else {
            let outcome = exchange.failed("no connection can be opened to it");
            return self.report(shared, target, exchange, outcome);
        };
        self.numbers += 1;
        entry.insert(Link {
            stream,
            tls,
            target,
            number: self.numbers,
            timer: Timer::default(),
            deadline: self.clock.now(),
            reused: false,
            attempt,
            state: State::Connecting(exchange),
        });
        // Only for a peer there is somebody else to ask soon.
        let deadlines = &shared.config.deadlines;
        let is_peer = shared.upstreams[target].peer.is_some();
        self.patience(shared, slot, if is_peer { deadlines.connect } else { deadlines.load });
    }

    /// Sets the deadline of what the link is at.
    fn patience<E>(&mut self, _shared: &Shared<E>, slot: usize, patience: Duration) {
        let link = &mut self.upstreams.links[slot];
        link.deadline = self.clock.now().after(patience);
        let owner = Owner { token: 2 * slot + 1, number: link.number };
        self.timers.set(&mut link.timer, link.deadline, owner);
    }

    pub(super) fn upstream_event<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        event: &Event,
    ) {
        let Some(link) = self.upstreams.links.get_mut(slot) else { return };
        match std::mem::replace(&mut link.state, State::Idle) {
            // Whatever an idle connection has to say, its end most of all: it is of no more use.
            State::Idle => {
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.close(slot);
                }
                return;
            }
            State::Connecting(exchange) => match is_connected(&link.stream) {
                Ok(true) => {
                    shared.upstreams[link.target].prefer(link.attempt);
                    link.attempt = 0;
                    link.state = State::Busy(exchange);
                    self.patience(
                        shared,
                        slot,
                        deadline_of(shared, link_target(&self.upstreams, slot)),
                    );
                }
                Ok(false) => {
                    link.state = State::Connecting(exchange);
                    return;
                }
                Err(_) => {
                    link.state = State::Connecting(exchange);
                    return self.refused(shared, slot);
                }
            },
            State::Busy(exchange) => link.state = State::Busy(exchange),
        }
        self.pump_upstream(shared, slot);
    }

    pub(super) fn upstream_timer<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        number: u64,
        deadline: Instant,
    ) {
        let Some(link) = self.upstreams.links.get_mut(slot) else { return };
        if link.number != number || !link.timer.came_up(deadline) {
            return;
        }
        if link.deadline > self.clock.now() {
            let owner = Owner { token: 2 * slot + 1, number };
            return self.timers.set(&mut link.timer, link.deadline, owner);
        }
        match link.state {
            State::Idle => self.close(slot),
            State::Connecting(_) | State::Busy(_) => self.fail(shared, slot, Exchange::timed_out),
        }
    }

    fn pump_upstream<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let Self { upstreams, scratch, plain, .. } = self;
        let link = &mut upstreams.links[slot];
        let State::Busy(exchange) = &mut link.state else { return };
        match move_bytes(&mut link.stream, link.tls.as_deref_mut(), exchange, scratch, plain) {
            Ok(Moved::Waits) => {}
            Ok(Moved::More) => upstreams.more.push(slot),
            Ok(Moved::Over(outcome)) => self.finish(shared, slot, outcome),
            Err(_) if link.reused && exchange.is_untouched() => self.again(shared, slot),
            Err(error) => {
                let upstream = &shared.upstreams[link.target].name;
                tracing::debug!(%upstream, %error, "a connection broke");
                self.fail(shared, slot, |exchange| exchange.failed(cause(&error)));
            }
        }
    }

    /// Sends the request again on a new connection: the old one had ended while it lay idle.
    fn again<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        if let Some((target, mut exchange)) = self.take_exchange(slot) {
            self.close(slot);
            exchange.rewind();
            self.connect(shared, target, exchange, 0);
        }
    }

    /// Tries the next address of a target that refused the connection at one.
    fn refused<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let attempt = self.upstreams.links[slot].attempt + 1;
        let Some((target, exchange)) = self.take_exchange(slot) else { return };
        self.close(slot);
        if shared.upstreams[target].has_address(attempt) {
            return self.connect(shared, target, exchange, attempt);
        }
        let outcome = exchange.failed("it refused the connection");
        self.report(shared, target, exchange, outcome);
    }

    fn finish<E: Engine>(&mut self, shared: &Shared<E>, slot: usize, outcome: Outcome) {
        let Some((target, exchange)) = self.take_exchange(slot) else { return };
        if outcome.reusable && self.upstreams.idle[target].len() < MAX_IDLE {
            self.upstreams.idle[target].push(slot);
            self.patience(shared, slot, IDLE);
        } else {
            self.close(slot);
        }
        self.report(shared, target, exchange, outcome);
    }

    fn fail<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        outcome: impl FnOnce(&Exchange) -> Outcome,
    ) {
        if let Some((target, exchange)) = self.take_exchange(slot) {
            self.close(slot);
            let outcome = outcome(&exchange);
            self.report(shared, target, exchange, outcome);
        }
    }

    /// Tells the log, the breaker and the core how an exchange ended.
    fn report<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        target: usize,
        exchange: Exchange,
        outcome: Outcome,
    ) {
        let now = self.clock.now();
        let upstream = &shared.upstreams[target];
        shared.log(upstream, &exchange.fetch, &outcome, now.since(exchange.began));
        if let Some(peer) = upstream.peer
            && shared.breakers.record(peer, outcome.alive, now)
        {
            let down = "is down; its keys are loaded here";
            let state = if outcome.alive { "is back" } else { down };
            tracing::warn!(peer = %upstream.name, "the peer {state}");
        }
        self.land(shared, exchange.fetch, outcome.result);
    }

    fn take_exchange(&mut self, slot: usize) -> Option<(usize, Exchange)> {
        let link = self.upstreams.links.get_mut(slot)?;
        match std::mem::replace(&mut link.state, State::Idle) {
            State::Connecting(exchange) | State::Busy(exchange) => Some((link.target, exchange)),
            State::Idle => None,
        }
    }

    fn close(&mut self, slot: usize) {
        if let Some(mut link) = self.upstreams.links.try_remove(slot) {
            drop(self.poll.registry().deregister(&mut link.stream));
            if let Some(tls) = &mut link.tls {
                // Why, or that this was all. It is lost where the socket takes nothing.
                tls.close();
                drop(tls.flush(&mut link.stream));
            }
            self.upstreams.idle[link.target].retain(|&idle| idle != slot);
        }
    }
}

fn link_target(upstreams: &Upstreams, slot: usize) -> usize {
    upstreams.links[slot].target
}

/// How long an exchange may take once it is connected.
fn deadline_of<E>(shared: &Shared<E>, target: usize) -> Duration {
    let deadlines = &shared.config.deadlines;
    match shared.upstreams[target] {
        Upstream { peer: Some(_), .. } => deadlines.peer,
        Upstream { peer: None, .. } => deadlines.load,
    }
}
