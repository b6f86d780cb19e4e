//! The clients of a loop: accepting them, and moving the bytes of each.

use std::{io, net::Shutdown, sync::atomic::Ordering};

use gocache_core::{Instant, Status};
use mio::{Interest, Token, event::Event, net::TcpStream};

use super::{
    event_loop::{EventLoop, PlaneKind},
    secure::Secure,
    shared::Shared,
    timers::{Owner, Timer},
};
use crate::{
    answer::Answer,
    conn::Conn,
    data::MAX_SLOTS,
    engine::Engine,
    locks::assert_none_held,
    log,
    meter::{Closed, Handshake},
    phase::Next,
};

/// Connections over the limit that a loop tells so before it closes them; more are closed at once.
const MAX_REFUSED: usize = 256;

/// Bytes of heads that are not whole, over all loops, though one of them always has room. Without it
/// they could take the limit of a head for each connection.
const MAX_UNREAD: usize = 64 << 20;

/// Connections to the operations plane. They have a limit of their own, so that neither plane can
/// lock the other out.
const MAX_OPERATORS: usize = 64;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// What stands between the two, if the port is not plain.
    pub(super) tls: Option<Box<Secure>>,
    pub(super) conn: Conn,
    pub(super) number: u64,
    timer: Timer,
    /// Bytes of its head that are counted among those of the loop.
    unread: usize,
    /// Reading has not said yet that there is nothing more.
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The system has announced the end of the client's input, which may stand behind data.
    read_closed: bool,
    /// Our side is shut.
    shut: bool,
    /// It was turned away, and is not one of the connections that have a limit.
    refused: bool,
    /// It stands in the list of those who have something to do.
    pub(super) marked: bool,
}

impl EventLoop {
    /// Makes a client of a connection, or turns it away.
    pub(super) fn welcome<E>(&mut self, shared: &Shared<E>, mut stream: TcpStream) {
        let refused = match self.plane {
            PlaneKind::Data => {
                let open = shared.control.connections.load(Ordering::Acquire);
                open >= shared.config.limits.connections
            }
            PlaneKind::Ops => self.clients.len() - self.refused >= MAX_OPERATORS,
        };
        if refused {
            self.local.tally.meter.refused.add(1);
        }
        if (refused && self.refused >= MAX_REFUSED) || self.clients.len() >= MAX_SLOTS {
            return;
        }
        if !self.make_room() {
            self.local.tally.meter.refused.add(u64::from(!refused));
            return log::no_memory("a connection is refused");
        }
        let now = self.local.clock.now();
        let tls = match self.plane {
            PlaneKind::Data => Secure::accept(&shared.config, now),
            PlaneKind::Ops => Ok(None),
        };
        let Ok(tls) = tls else { return };
        let entry = self.clients.vacant_entry();
        let slot = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(2 * slot), interest).is_err() {
            return;
        }
        // Answers go out whole: waiting for more to send with them would only delay them.
        drop(stream.set_nodelay(true));
        let conn = if refused {
            let text = "too many connections, try again later";
            let turn = self.local.turn(&shared.config);
            Conn::refused(Answer::line(Status::ServiceUnavailable, text), &turn)
        } else {
            Conn::new(now, slot as u8)
        };
        match (refused, self.plane) {
            (true, _) => self.refused += 1,
            (false, PlaneKind::Data) => {
                shared.control.connections.fetch_add(1, Ordering::AcqRel);
            }
            (false, PlaneKind::Ops) => {}
        }
        if !refused {
            self.local.tally.meter.accepted.add(1);
        }
        self.numbers += 1;
        entry.insert(Client {
            stream,
            tls,
            conn,
            number: self.numbers,
            timer: Timer::default(),
            unread: 0,
            readable: false,
            writable: true,
            read_closed: false,
            shut: false,
            refused,
            marked: false,
        });
        self.mark(slot);
    }

    pub(super) fn client_event(&mut self, slot: usize, event: &Event) {
        if let Some(client) = self.clients.get_mut(slot) {
            client.read_closed |= event.is_read_closed();
            client.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
            client.writable |= event.is_writable() || event.is_error();
            // Who has not taken all of what it was given has had its turn.
            if client.conn.has_output() {
                self.mark_again(slot);
            } else {
                self.mark(slot);
            }
        }
    }

    pub(super) fn client_timer<E>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        number: u64,
        deadline: Instant,
    ) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        if client.number != number || !client.timer.came_up(deadline) {
            return;
        }
        if client.conn.has_output() && self.is_due(shared, slot) {
            // The system tells of room to write only when there is much of it. Any is a sign of life.
            self.clients[slot].writable = true;
            if self.write(shared, slot).is_err() {
                return self.remove(shared, slot, Closed::Error);
            }
        }
        let is_due = self.is_due(shared, slot);
        let turn = self.local.turn(&shared.config);
        let client = &mut self.clients[slot];
        let by = if client.shut { Closed::Server } else { Closed::Deadline };
        if is_due && client.expire(&turn) {
            self.remove(shared, slot, by);
        } else {
            self.mark(slot);
        }
    }

    fn is_due<E>(&self, shared: &Shared<E>, slot: usize) -> bool {
        let turn = self.local.turn(&shared.config);
        self.clients[slot].deadline(&turn).is_some_and(|at| at <= turn.clock.now())
    }

    /// Moves what there is to move for one client: one read, one write, and what follows from them.
    pub(super) fn pump<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let Some(client) = self.clients.get_mut(slot) else { return };
        client.marked = false;
        client.conn.lend(&mut self.spares[0]);
        let moved = self.read(shared, slot).and_then(|()| self.write(shared, slot));
        self.pumped(shared, slot, 0, moved);
    }

    /// Arranges for what comes next for a client that had its turn, and takes back the buffer that it
    /// was lent for its answers.
    pub(super) fn pumped<E>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        seat: usize,
        moved: io::Result<()>,
    ) {
        if moved.is_err() {
            self.remove(shared, slot, Closed::Error);
        } else if self.settle(shared, slot, seat) == Next::Drop {
            let is_ours = self.local.draining || self.clients[slot].shut;
            self.remove(shared, slot, if is_ours { Closed::Server } else { Closed::Client });
        }
    }

    pub(super) fn read<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) -> io::Result<()> {
        let Self { clients, scratch, plain, errands, .. } = self;
        let client = &mut clients[slot];
        let mut plane = client.plane(self.plane, shared, errands, slot);
        let turn = self.local.turn(&shared.config);
        client.conn.resume(&mut plane, &turn);
        if E::BATCHES && client.conn.is_together() {
            return Ok(());
        }
        if client.readable && client.wants_read(client.conn.next(&turn)) {
            match client.receive(scratch) {
                Ok(0) if client.is_handshaking() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(0) => {
                    client.readable = false;
                    client.conn.end();
                }
                Ok(count) => {
                    self.local.tally.meter.received_bytes.add(count as u64);
                    // A read that does not fill the buffer has emptied the socket, but for an end
                    // that was announced; what comes afterwards is a new event.
                    let is_more = count == scratch.len() || client.read_closed;
                    client.readable = is_more || self.local.draining;
                    match client.tls {
                        None => client.conn.receive(&mut scratch[..count], &mut plane, &turn),
                        Some(_) => client.decipher(&scratch[..count], plain, &mut plane, &turn),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => client.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn write<E>(&mut self, _shared: &Shared<E>, slot: usize) -> io::Result<()> {
        let client = &mut self.clients[slot];
        if !client.wants_write() || !client.writable {
            return Ok(());
        }
        let mut bytes = 0;
        assert_none_held();
        let sent = client.send(&mut bytes);
        if bytes > 0 {
            self.local.tally.meter.sent_bytes.add(bytes as u64);
            // Over TLS a client may take a part of a record, of which nothing is out before the rest.
            client.conn.sent(*sent.as_ref().unwrap_or(&0), self.local.clock.now());
        }
        match sent {
            Ok(0) if client.tls.is_none() => return Err(io::ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => client.writable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Counts what the head of a client takes that is not whole, and gives it up where all of them
    /// together take too much.
    #[cold]
    fn count_unread<E>(&mut self, shared: &Shared<E>, slot: usize) {
        let turn = self.local.turn(&shared.config);
        let client = &mut self.clients[slot];
        let mut unread = client.conn.unread();
        let all = self.unread - client.unread + unread;
        let most = MAX_UNREAD / shared.control.lanes();
        if all > most.max(2 * shared.config.limits.head.bytes) && unread > 0 {
            client.conn.give_up(&turn);
            unread = 0;
        }
        self.unread = self.unread - client.unread + unread;
        client.unread = unread;
    }

    /// Arranges for what comes next.
    fn settle<E>(&mut self, shared: &Shared<E>, slot: usize, seat: usize) -> Next {
        let client = &self.clients[slot];
        // Heads of nearly all come whole.
        if client.unread > 0 || client.conn.unread() > 0 {
            self.count_unread(shared, slot);
        }
        let turn = self.local.turn(&shared.config);
        let client = &mut self.clients[slot];
        client.conn.reclaim(&mut self.spares[seat]);
        if self.local.draining && self.plane == PlaneKind::Data && !client.readable {
            client.conn.drain();
        }
        let mut next = client.conn.next(&turn);
        if matches!(next, Next::Shut | Next::Drop) {
            client.take_leave();
        }
        if next == Next::Shut {
            // It fails where the client has reset the connection, and then the next read says so.
            drop(client.stream.shutdown(Shutdown::Write));
            client.conn.shut(turn.clock.now());
            client.shut = true;
            next = client.conn.next(&turn);
        }
        let can_read = client.readable && client.wants_read(next);
        let can_write = client.writable && client.wants_write();
        let owner = Owner { token: 2 * slot, number: client.number };
        if let Some(deadline) = client.deadline(&turn) {
            self.timers.set(&mut client.timer, deadline, owner);
        }
        if can_read || can_write || client.conn.can_resume(&turn) {
            self.mark_again(slot);
        }
        next
    }

    pub(super) fn remove<E>(&mut self, shared: &Shared<E>, slot: usize, by: Closed) {
        if let Some(mut client) = self.clients.try_remove(slot) {
            if client.is_handshaking() {
                self.local.tally.meter.handshake(Handshake::Failed);
            }
            self.unread -= client.unread;
            if !client.refused {
                self.local.tally.meter.close(by);
            }
            drop(self.poll.registry().deregister(&mut client.stream));
            match (client.refused, self.plane) {
                (true, _) => self.refused -= 1,
                (false, PlaneKind::Data) => {
                    shared.control.connections.fetch_sub(1, Ordering::AcqRel);
                }
                (false, PlaneKind::Ops) => {}
            }
        }
    }
}
