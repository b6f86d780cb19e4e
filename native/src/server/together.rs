//! The turn of several connections at once, for an engine that is asked together what they want: they
//! are read from, one after the other; the first request of each is asked; and so on with the next
//! ones. Then they are written to. What each may have in a turn is as ever.

use std::{
    io::{self, IoSlice, Write},
    mem,
};

use gocache_core::Error;

use super::{clients::Client, event_loop::EventLoop, shared::Shared};
use crate::{
    asks::{Lent, Said},
    batch::Wish,
    engine::Engine,
    memory::value,
    meter::Closed,
    turn::{Errands, Turn},
};

/// Connections that have their turn at once, at the most.
pub(super) const AT_ONCE: usize = 32;

/// Bytes of answers that are held for them meanwhile. More of them leave the processor's caches before
/// they are sent, which costs more than a call saves: then fewer connections have their turn at once.
const HELD: usize = 256 << 10;

impl EventLoop {
    /// As [`EventLoop::pump`] for each of these.
    pub(super) fn pump_together<E: Engine>(&mut self, shared: &Shared<E>, mut slots: &[usize]) {
        while !slots.is_empty() {
            let (now, later) = slots.split_at(slots.len().min(self.at_once));
            let held = self.pump_at_once(shared, now);
            self.at_once = if held > HELD { self.at_once / 2 } else { 2 * self.at_once };
            self.at_once = self.at_once.clamp(1, AT_ONCE);
            slots = later;
        }
    }

    /// Says how many bytes of answers there were to send.
    fn pump_at_once<E: Engine>(&mut self, shared: &Shared<E>, slots: &[usize]) -> usize {
        for (seat, &slot) in slots.iter().enumerate() {
            if let Some(client) = self.clients.get_mut(slot) {
                client.marked = false;
                client.conn.lend(&mut self.spares[seat]);
                if self.read(shared, slot).is_err() {
                    self.remove(shared, slot, Closed::Error);
                }
            }
        }
        while !self.errands.batch.asks.is_empty() {
            self.ask_together(shared);
        }
        let mut held = 0;
        for (seat, &slot) in slots.iter().enumerate() {
            if let Some(client) = self.clients.get(slot) {
                held += client.conn.unsent();
                let moved = self.write(shared, slot);
                self.pumped(shared, slot, seat, moved);
            }
        }
        held
    }

    /// Asks what is to be asked, and takes up the requests behind.
    fn ask_together<E: Engine>(&mut self, shared: &Shared<E>) {
        let batch = mem::replace(&mut self.errands.batch, mem::take(&mut self.was_batch));
        let Self { clients, errands, local, .. } = self;
        let (turn, mut broken) = (local.turn(&shared.config), Vec::new());
        shared.engine.get_batch(&batch.asks, turn.clock.now(), &mut |at, said| {
            let (slot, wish) = batch.at(at);
            match clients.get_mut(slot) {
                Some(client) => {
                    if client.told(wish, said, errands, &turn).is_err() {
                        broken.push(slot);
                    }
                }
                // It broke after it had asked. Others may wait for what it asked for.
                None => drop(wish.reply(said.and_then(Said::kept), &mut errands.fetches, &turn)),
            }
        });
        for slot in broken {
            self.remove(shared, slot, Closed::Error);
        }
        for slot in batch.slots() {
            self.go_on(shared, slot);
        }
        self.was_batch = batch;
        self.was_batch.clear();
    }

    fn go_on<E: Engine>(&mut self, shared: &Shared<E>, slot: usize) {
        let Self { clients, errands, local, plane, .. } = self;
        if let Some(client) = clients.get_mut(slot) {
            let mut plane = client.plane(*plane, shared, errands, slot);
            client.conn.go_on(&mut plane, &local.turn(&shared.config));
        }
    }
}

impl Client {
    /// Brings what the engine says of the request that it waits for.
    ///
    /// # Errors
    /// If the connection broke.
    fn told(
        &mut self,
        wish: Wish<'_>,
        said: Result<Said<'_>, Error>,
        errands: &mut Errands,
        turn: &Turn<'_>,
    ) -> io::Result<()> {
        let is_direct = matches!(&said, Ok(Said::Lent(lent)) if self.takes(lent));
        let said = match said {
            Ok(Said::Lent(lent)) if is_direct || lent.is_short() => Ok(Said::Lent(lent)),
            other => other.and_then(Said::kept).map(Said::Got),
        };
        match self.conn.told(wish, said, &mut errands.fetches, turn) {
            Some(lent) => self.send_lent(lent, turn),
            None => Ok(()),
        }
    }

    /// Whether its socket can be given this value from where it lies.
    fn takes(&self, lent: &Lent<'_>) -> bool {
        self.tls.is_none() && self.writable && self.conn.could_lend(lent)
    }

    /// Sends what there is to send and these bytes, and keeps what the socket does not take of them.
    fn send_lent(&mut self, lent: &[u8], turn: &Turn<'_>) -> io::Result<()> {
        let (output, _) = self.conn.front();
        let before = output.len();
        let sent = match self.stream.write_vectored(&[IoSlice::new(output), IoSlice::new(lent)]) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                0
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        turn.tally.meter.sent_bytes.add(sent as u64);
        let of_lent = sent.saturating_sub(before);
        self.conn.sent(sent - of_lent, turn.clock.now());
        let rest = &lent[of_lent..];
        if !rest.is_empty() {
            let rest = value(rest).map_err(io::Error::other)?;
            self.conn.append(rest);
        }
        self.conn.put_off();
        Ok(())
    }
}
