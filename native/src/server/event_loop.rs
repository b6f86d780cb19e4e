//! `EventLoop`: one thread, one poll, the connections of its own listener, and what they ask for.
//!
//! A turn: wait; take what happened, what was posted and what came due; then move the bytes of each
//! connection that has something to do, once, and of some that go on with what they began before, so
//! that none can starve the others.

use std::{collections::VecDeque, io, mem, sync::atomic::Ordering, time::Duration};

use gocache_core::Instant;
use mio::{Events, Poll, Token, net::TcpListener};
use slab::Slab;

use super::{
    accept::A_TURN,
    clients::Client,
    lanes::{Post, Stage},
    listen::BACKLOG,
    relays::Relays,
    shared::{Current, Shared},
    timers::{Owner, Timers},
    together::AT_ONCE,
    upstreams::Upstreams,
};
use crate::{
    batch::Batch,
    clock::Epoch,
    engine::Engine,
    locks::assert_none_held,
    memory::is_there,
    output::Output,
    reserve::is_low,
    turn::{Errands, Local},
};

pub(super) const LISTENER: Token = Token(usize::MAX - 1);
pub(super) const WAKER: Token = Token(usize::MAX - 2);

/// Bytes taken from a socket at once.
const READ: usize = 16 << 10;

/// Connections that go on in a turn. Whoever has asked just now waits for no more than these, however
/// many there are who ask without end.
const GO_ON_A_TURN: usize = 16;

/// Bytes of plaintext taken from TLS at once: those of a record (RFC 8446, 5.1).
const RECORD: usize = 16 << 10;

/// Timers of connections that are gone, beyond the number of those that are not.
const SPARE_TIMERS: usize = 1 << 10;

/// Which plane the connections of a loop belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaneKind {
    Data,
    Ops,
}

pub(super) struct EventLoop {
    pub(super) lane: usize,
    pub(super) plane: PlaneKind,
    pub(super) poll: Poll,
    pub(super) listener: Option<TcpListener>,
    /// The other loops accept from the same queue.
    pub(super) is_shared: bool,
    /// There may be more to accept than was this loop's turn.
    pub(super) accepts_more: bool,
    /// Accepting is put off until then, for lack of descriptors.
    pub(super) accept_at: Option<Instant>,
    /// There has been no descriptor for one who waits.
    pub(super) is_starved: bool,
    pub(super) clients: Slab<Client>,
    /// Those of them that are turned away.
    pub(super) refused: usize,
    /// Bytes of their heads that are not whole.
    pub(super) unread: usize,
    pub(super) upstreams: Upstreams,
    pub(super) timers: Timers,
    pub(super) local: Local,
    /// Counts the connections of the loop, of either kind.
    pub(super) numbers: u64,
    pub(super) errands: Errands,
    /// Connections that have something to do since this turn.
    pub(super) dirty: Vec<usize>,
    /// The list of the last turn, empty: its memory is used again.
    was_dirty: Vec<usize>,
    /// Connections that had their turn and have more to do. They take turns among each other.
    pub(super) goes_on: VecDeque<usize>,
    /// Who waited for loads that are over, and has yet to be told.
    pub(super) untold: VecDeque<Post>,
    pub(super) relays: Relays,
    pub(super) scratch: Box<[u8]>,
    /// Where what came over TLS is deciphered to.
    pub(super) plain: Box<[u8]>,
    /// A buffer for the answers of each connection that has its turn at once with others.
    pub(super) spares: Box<[Output]>,
    /// How many those are now.
    pub(super) at_once: usize,
    /// The batch of before, empty: its memory is used again.
    pub(super) was_batch: Batch,
    drain_until: Instant,
}

impl EventLoop {
    pub(super) fn new(
        lane: usize,
        plane: PlaneKind,
        poll: Poll,
        listener: TcpListener,
        epoch: Epoch,
    ) -> Self {
        let local = Local::new(epoch);
        let drain_until = local.clock.now();
        Self {
            lane,
            plane,
            poll,
            listener: Some(listener),
            is_shared: false,
            accepts_more: false,
            accept_at: None,
            is_starved: false,
            clients: Slab::new(),
            refused: 0,
            unread: 0,
            upstreams: Upstreams::new(),
            timers: Timers::default(),
            local,
            numbers: 0,
            errands: Errands::new(lane),
            dirty: Vec::new(),
            was_dirty: Vec::new(),
            goes_on: VecDeque::new(),
            untold: VecDeque::new(),
            relays: Relays::default(),
            scratch: vec![0; READ].into(),
            plain: vec![0; RECORD].into(),
            spares: (0..AT_ONCE).map(|_| Output::default()).collect(),
            at_once: AT_ONCE,
            was_batch: Batch::default(),
            drain_until,
        }
    }

    /// Turns until the server stops.
    pub(super) fn run<E: Engine>(mut self, current: &Current<E>) -> io::Result<()> {
        let mut events = Events::with_capacity(1 << 10);
        let Some((mut shared, mut generation)) = current.get() else { return Ok(()) };
        self.join(&shared);
        while !self.is_over(&shared) {
            self.wait(&mut events, self.timeout())?;
            if current.generation() != generation
                && let Some(next) = current.get()
            {
                (shared, generation) = next;
                self.adopt(&shared);
            }
            self.turn(&shared, &events);
        }
        Ok(())
    }

    /// Begins to count among those of a server.
    fn join<E>(&mut self, shared: &Shared<E>) {
        self.local.join(&shared.meters.lanes[self.lane]);
        self.adopt(shared);
    }

    /// Waits for something to do, for so long at the most.
    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        assert_none_held();
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => other?,
        }
        self.local.begin();
        Ok(())
    }

    fn turn<E: Engine>(&mut self, shared: &Shared<E>, events: &Events) {
        // First of all: what is answered from here on says that it is the last.
        if shared.control.stage() > Stage::Serving && !self.local.draining {
            self.drain(shared);
        }
        for event in events {
            match event.token() {
                LISTENER => self.accept(shared, A_TURN),
                WAKER => {}
                Token(token) if token % 2 == 0 => self.client_event(token / 2, event),
                Token(token) => self.upstream_event(shared, token / 2, event),
            }
        }
        if mem::take(&mut self.accepts_more) {
            self.accept(shared, A_TURN);
        }
        self.posts(shared);
        self.timers(shared);
        // What is marked meanwhile has its turn in the next one.
        let going_on = self.goes_on.len().min(GO_ON_A_TURN);
        let mut dirty = mem::replace(&mut self.dirty, mem::take(&mut self.was_dirty));
        dirty.extend(self.goes_on.drain(..going_on));
        if E::BATCHES && self.plane == PlaneKind::Data {
            self.pump_together(shared, &dirty);
        } else {
            dirty.iter().for_each(|&slot| self.pump(shared, slot));
        }
        dirty.clear();
        self.was_dirty = dirty;
        self.pump_more_upstreams(shared);
        self.relay(shared);
        while let Some(fetch) = self.errands.fetches.pop() {
            self.dispatch(shared, fetch);
        }
        self.local.end(&shared.meters, self.lane);
    }

    /// Goes on with another configuration.
    fn adopt<E>(&mut self, shared: &Shared<E>) {
        self.renew_upstreams(shared.upstreams.len());
        self.local.adopt(&shared.config);
        self.clients.iter_mut().for_each(|(_, client)| client.forget_node());
        // Their deadlines may be others now.
        let slots: Vec<usize> = self.clients.iter().map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| self.mark(slot));
    }

    /// Whether the loop has nothing left to do, and never will have.
    fn is_over<E>(&self, shared: &Shared<E>) -> bool {
        match self.plane {
            PlaneKind::Ops => shared.control.stage() == Stage::Stopped,
            PlaneKind::Data => {
                // A loop without clients goes on as long as another has some: they may wait for
                // what it loads.
                let is_done = shared.control.connections.load(Ordering::Acquire) == 0;
                let is_late = self.local.clock.now() >= self.drain_until;
                self.local.draining && ((is_done && self.clients.is_empty()) || is_late)
            }
        }
    }

    fn drain<E>(&mut self, shared: &Shared<E>) {
        if self.plane == PlaneKind::Data {
            // Who has connected already is served; who comes now is refused by the system.
            self.accept(shared, BACKLOG + 1);
            if let Some(mut listener) = self.listener.take() {
                drop(self.poll.registry().deregister(&mut listener));
            }
        }
        self.local.draining = true;
        self.drain_until = self.local.clock.now().after(shared.config.deadlines.drain);
        // What has arrived and was not read yet was asked before the end.
        let slots: Vec<usize> = self.clients.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.clients[slot].readable = true;
            self.mark(slot);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let goes_on = self.accepts_more || self.upstreams.has_more() || !self.goes_on.is_empty();
        let is_idle =
            self.dirty.is_empty() && self.errands.fetches.is_empty() && self.untold.is_empty();
        if goes_on || !is_idle {
            return Some(Duration::ZERO);
        }
        if self.local.draining && self.clients.is_empty() {
            // Nobody says when the last client of another loop has gone.
            return Some(Duration::from_millis(5));
        }
        let drain = self.local.draining.then_some(self.drain_until);
        let next = [self.timers.next(), self.accept_at, drain].into_iter().flatten().min();
        // The clock counts whole milliseconds: one more, not to come a moment too early.
        next.map(|at| at.since(self.local.clock.now()) + Duration::from_millis(1))
    }

    fn timers<E: Engine>(&mut self, shared: &Shared<E>) {
        let now = self.local.clock.now();
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept_at = None;
            self.accept(shared, A_TURN);
        }
        while let Some((deadline, Owner { token, number })) = self.timers.pop(now) {
            if token % 2 == 0 {
                self.client_timer(shared, token / 2, number, deadline);
            } else {
                self.upstream_timer(shared, token / 2, number, deadline);
            }
        }
        // Who is gone leaves timers behind; where most are such, they are cleared away.
        if self.timers.len() > 2 * (self.clients.len() + self.upstreams.len()) + SPARE_TIMERS {
            let Self { timers, clients, upstreams, .. } = self;
            timers.retain(|Owner { token, number }| match token % 2 {
                0 => clients.get(token / 2).is_some_and(|client| client.number == number),
                _ => upstreams.is(token / 2, number),
            });
        }
    }

    /// Makes room for one more client, wherever a client can stand, if there is memory for it.
    pub(super) fn make_room(&mut self) -> bool {
        let Self { plane, clients, dirty, was_dirty, goes_on, timers, .. } = self;
        let (count, capacity) = (clients.len() + 1, clients.capacity());
        let more = |len: usize| count.saturating_sub(len);
        // Operators are to see what is the matter.
        (!is_low() || *plane == PlaneKind::Ops)
            && (count <= capacity || is_there(2 * count * size_of::<Client>()))
            && dirty.try_reserve(more(dirty.len()) + GO_ON_A_TURN).is_ok()
            && was_dirty.try_reserve(more(was_dirty.len()) + GO_ON_A_TURN).is_ok()
            && goes_on.try_reserve(more(goes_on.len())).is_ok()
            && timers.make_room(2 * count)
    }

    /// Sees to it that a connection is looked after in this turn or the next.
    pub(super) fn mark(&mut self, slot: usize) {
        if let Some(client) = self.clients.get_mut(slot).filter(|client| !client.marked) {
            client.marked = true;
            self.dirty.push(slot);
        }
    }

    /// The same for one that goes on with what it began before.
    pub(super) fn mark_again(&mut self, slot: usize) {
        if let Some(client) = self.clients.get_mut(slot).filter(|client| !client.marked) {
            client.marked = true;
            self.goes_on.push_back(slot);
        }
    }
}

#[cfg(test)]
#[path = "fairness_tests.rs"]
mod tests;
