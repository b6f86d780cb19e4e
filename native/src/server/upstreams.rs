//! The connections of a loop to peers and HTTP origins: opening them, moving their bytes, and
//! keeping the idle ones for the next exchange.

use std::{io, sync::Arc, time::Duration};

use gocache_core::{Fetch, Instant, LoadError, is_dot_segment};
use mio::{Interest, Token, event::Event, net::TcpStream};
use slab::Slab;

use super::{
    event_loop::EventLoop,
    link::{Link, Moved, State, cause, is_connected, move_bytes},
    shared::Shared,
    timers::{Owner, Timer},
    upstream::{Peer, Upstream},
};
use crate::{
    engine::Engine,
    locks::assert_none_held,
    upstream::{Exchange, Kind, Outcome, Purpose},
};

/// Idle connections kept for each target.
const MAX_IDLE: usize = 64;

/// How long one is kept. Servers commonly close theirs after a minute or more: better we do first.
const IDLE: Duration = Duration::from_secs(30);

pub(super) struct Upstreams {
    links: Slab<Link>,
    /// For each upstream the links that carry no exchange, the last used one last.
    idle: Vec<Vec<usize>>,
    /// Links that have more to read than was their turn.
    more: Vec<usize>,
}

impl Upstreams {
    pub(super) const fn new() -> Self {
        Self { links: Slab::new(), idle: Vec::new(), more: Vec::new() }
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
    pub(super) fn begin_load<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        fetch: Fetch,
        upstream: &Arc<Upstream>,
    ) {
        if upstream.peer.is_none() && is_dot_segment(fetch.key()) {
            return self.land(shared, fetch, Err(LoadError::NotFound));
        }
        let Ok(request) = shared.request("GET", upstream, fetch.group(), fetch.key(), None) else {
            return self.land(shared, fetch, Err(LoadError::OutOfMemory));
        };
        let max_value = shared.config.limits.value_bytes;
        let purpose = Purpose::Load(fetch);
        let exchange = Exchange::new(purpose, request, max_value, self.local.clock.now());
        self.begin_exchange(shared, upstream, exchange);
    }

    /// Sends a request, over an idle connection if there is one.
    pub(super) fn begin_exchange<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        upstream: &Arc<Upstream>,
        exchange: Exchange,
    ) {
        let idle = self.upstreams.idle.get_mut(upstream.slot);
        match idle.filter(|_| shared.has(upstream)).and_then(Vec::pop) {
            Some(slot) => self.reuse(shared, slot, exchange),
            None => self.connect(shared, upstream, exchange, 0),
        }
    }

    /// Takes up another set of upstreams. Idle links are of no more use; busy ones finish, and end.
    pub(super) fn renew_upstreams(&mut self, count: usize) {
        let idle = std::mem::replace(&mut self.upstreams.idle, vec![Vec::new(); count]);
        idle.into_iter().flatten().for_each(|slot| self.close(slot));
    }

    /// Goes on with the links that had more to read.
    pub(super) fn pump_more_upstreams<E: Engine>(&mut self, shared: &Shared<E>) {
        for slot in std::mem::take(&mut self.upstreams.more) {
            if let Some(link) = self.upstreams.links.get_mut(slot) {
                link.goes_on = false;
                self.pump_upstream(shared, slot);
            }
        }
    }

    fn reuse<E: Engine>(&mut self, shared: &Shared<E>, slot: usize, exchange: Exchange) {
        let link = &mut self.upstreams.links[slot];
        link.reused = true;
        link.state = State::Busy(exchange);
        let deadline = deadline_of(shared, &link.upstream);
        self.patience(slot, deadline);
        self.pump_upstream(shared, slot);
    }

    fn connect<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        upstream: &Arc<Upstream>,
        exchange: Exchange,
        attempt: usize,
    ) {
        assert_none_held();
        let entry = self.upstreams.links.vacant_entry();
        let slot = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let address = upstream.address(attempt);
        let unknown = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let stream = address.ok_or_else(unknown).and_then(|address| {
            let mut stream = TcpStream::connect(address)?;
            self.poll.registry().register(&mut stream, Token(2 * slot + 1), interest)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let connected = stream.and_then(|stream| Ok((stream, upstream.session()?)));
        let Ok((stream, tls)) = connected else {
            let outcome = Outcome::failed("no connection can be opened to it");
            return self.report(shared, upstream, exchange, &outcome);
        };
        self.numbers += 1;
        entry.insert(Link {
            stream,
            tls,
            upstream: Arc::clone(upstream),
            number: self.numbers,
            timer: Timer::default(),
            deadline: self.local.clock.now(),
            reused: false,
            attempt,
            goes_on: false,
            state: State::Connecting(exchange),
        });
        // Only for a peer there is somebody else to ask soon.
        let deadlines = &shared.config.deadlines;
        let is_peer = upstream.peer.is_some();
        self.patience(slot, if is_peer { deadlines.connect } else { deadlines.load });
    }

    /// Sets the deadline of what the link is at.
    fn patience(&mut self, slot: usize, patience: Duration) {
        let link = &mut self.upstreams.links[slot];
        link.deadline = self.local.clock.now().after(patience);
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
                    link.upstream.prefer(link.attempt);
                    link.attempt = 0;
                    link.state = State::Busy(exchange);
                    let deadline = deadline_of(shared, &link.upstream);
                    self.patience(slot, deadline);
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
        // Who goes on anyway gets no turn more for what comes meanwhile.
        if self.upstreams.links.get(slot).is_some_and(|link| !link.goes_on) {
            self.pump_upstream(shared, slot);
        }
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
        if link.deadline > self.local.clock.now() {
            let owner = Owner { token: 2 * slot + 1, number };
            return self.timers.set(&mut link.timer, link.deadline, owner);
        }
        match link.state {
            State::Idle => self.close(slot),
            State::Connecting(_) | State::Busy(_) => self.fail(shared, slot, &Outcome::timed_out()),
        }
    }

    fn pump_upstream<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let Self { upstreams, scratch, plain, .. } = self;
        let link = &mut upstreams.links[slot];
        let State::Busy(exchange) = &mut link.state else { return };
        match move_bytes(&mut link.stream, link.tls.as_deref_mut(), exchange, scratch, plain) {
            Ok(Moved::Waits) => {}
            Ok(Moved::More) => {
                link.goes_on = true;
                upstreams.more.push(slot);
            }
            Ok(Moved::Over(outcome)) => self.finish(shared, slot, outcome),
            Err(_) if link.reused && exchange.is_untouched() => self.again(shared, slot),
            Err(error) => {
                tracing::debug!(upstream = %link.upstream.name, %error, "a connection broke");
                self.fail(shared, slot, &Outcome::failed(cause(&error)));
            }
        }
    }

    /// Sends the request again on a new connection: the old one had ended while it lay idle.
    fn again<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        if let Some((upstream, mut exchange)) = self.take_exchange(slot) {
            self.close(slot);
            exchange.rewind();
            self.connect(shared, &upstream, exchange, 0);
        }
    }

    /// Tries the next address of a target that refused the connection at one.
    fn refused<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let attempt = self.upstreams.links[slot].attempt + 1;
        let Some((upstream, exchange)) = self.take_exchange(slot) else { return };
        self.close(slot);
        if upstream.has_address(attempt) {
            return self.connect(shared, &upstream, exchange, attempt);
        }
        let outcome = Outcome::failed("it refused the connection");
        self.report(shared, &upstream, exchange, &outcome);
    }

    fn finish<E: Engine>(&mut self, shared: &Shared<E>, slot: usize, outcome: Outcome) {
        let Some((upstream, exchange)) = self.take_exchange(slot) else { return };
        // One from before another configuration may lead elsewhere.
        let reusable = outcome.reusable && shared.has(&upstream);
        if reusable && self.upstreams.idle[upstream.slot].len() < MAX_IDLE {
            self.upstreams.idle[upstream.slot].push(slot);
            self.patience(slot, IDLE);
        } else {
            self.close(slot);
        }
        self.report(shared, &upstream, exchange, &outcome);
    }

    fn fail<E: Engine>(&mut self, shared: &Shared<E>, slot: usize, outcome: &Outcome) {
        if let Some((upstream, exchange)) = self.take_exchange(slot) {
            self.close(slot);
            self.report(shared, &upstream, exchange, outcome);
        }
    }

    /// Tells the breaker, and whoever the exchange was for, how it ended.
    fn report<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        upstream: &Upstream,
        exchange: Exchange,
        outcome: &Outcome,
    ) {
        let now = self.local.clock.now();
        if let Some(Peer { breaker, .. }) = &upstream.peer
            && breaker.record(outcome.alive, now)
        {
            let down = "is down; its keys are loaded here";
            let state = if outcome.alive { "is back" } else { down };
            tracing::warn!(peer = %upstream.name, "the peer {state}");
        }
        match exchange.purpose {
            Purpose::Load(fetch) => {
                let from = if upstream.peer.is_some() { Kind::Peer } else { Kind::Origin };
                let (result, cause) = outcome.load(from);
                let took = now.since(exchange.began);
                shared.note(&upstream.name, &fetch, &result, cause, took);
                self.land(shared, fetch, result);
            }
            Purpose::Write(relay) => {
                let (result, cause) = outcome.write();
                if result.is_err() {
                    tracing::warn!(peer = %upstream.name, %cause, "the peer has not done a write");
                }
                self.passed_on(shared, relay, result);
            }
        }
    }

    fn take_exchange(&mut self, slot: usize) -> Option<(Arc<Upstream>, Exchange)> {
        let link = self.upstreams.links.get_mut(slot)?;
        match std::mem::replace(&mut link.state, State::Idle) {
            State::Connecting(exchange) | State::Busy(exchange) => {
                Some((Arc::clone(&link.upstream), exchange))
            }
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
            let idle = self.upstreams.idle.get_mut(link.upstream.slot);
            idle.into_iter().for_each(|idle| idle.retain(|&idle| idle != slot));
        }
    }
}

/// How long an exchange may take once it is connected.
fn deadline_of<E>(shared: &Shared<E>, upstream: &Upstream) -> Duration {
    let deadlines = &shared.config.deadlines;
    if upstream.peer.is_some() { deadlines.peer } else { deadlines.load }
}
