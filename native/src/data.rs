//! The data plane: a request for a key -> what the core says of it.

use gocache_core::{Asker, Error, GroupId, Route, Status, Waiter};
use subtle::ConstantTimeEq;

use crate::{
    answer::{Answer, Text},
    asks::Ask,
    batch::Wish,
    engine::Engine,
    http1::{Method, Request},
    memory::escaped,
    plane::{Intake, Plane, Reply},
    turn::{Errands, Turn},
    writes::{self, Permits, Write},
};

/// Who waits: the loop, the connection on it, and the request among all that the loop has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) lane: usize,
    pub(crate) slot: usize,
    pub(crate) serial: u32,
}

/// Loops and connections that an address tells apart.
pub(crate) const MAX_LANES: usize = 1 << 8;
pub(crate) const MAX_SLOTS: usize = 1 << 24;

impl From<Address> for Waiter {
    fn from(address: Address) -> Self {
        let (lane, slot) = (address.lane as u64, address.slot as u64);
        Self(lane << 56 | slot << 32 | u64::from(address.serial))
    }
}

impl From<Waiter> for Address {
    fn from(Waiter(number): Waiter) -> Self {
        Self {
            lane: (number >> 56) as usize,
            slot: (number >> 32) as usize & (MAX_SLOTS - 1),
            serial: number as u32,
        }
    }
}

/// The data plane as one connection meets it in one turn.
pub(crate) struct DataPlane<'a, E> {
    pub(crate) engine: &'a E,
    pub(crate) errands: &'a mut Errands,
    pub(crate) permits: &'a Permits,
    /// There is memory for the loads that its requests may need: see [`Errands::make_room`].
    pub(crate) has_room: bool,
    /// The client has shown the certificate of a node of the cluster.
    pub(crate) is_node: bool,
}

impl<E: Engine> Plane for DataPlane<'_, E> {
    const BATCHES: bool = E::BATCHES;

    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        match request.key {
            Some((group, key)) => self.get(group, key, request, turn),
            None => self.ask_elsewhere(request, turn),
        }
    }

    fn intake(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Intake {
        if request.method.is_read() {
            return Intake::Skip;
        }
        let route = Route::parse(&turn.config.base, request.target);
        let route = route.map_err(|error| Answer::line(error.into(), error.to_string()));
        match route.and_then(|route| self.grant(request, &route, turn)) {
            Ok(write) if request.method == Method::Put => Intake::Keep(write),
            Ok(_) => Intake::Skip,
            Err(answer) => Intake::Refuse(answer),
        }
    }

    /// Alone, or asked by another node, this one does it; else all do.
    fn write(&mut self, write: Write, turn: &Turn<'_>) -> Reply {
        if turn.config.cluster.is_none() || write.asker == Asker::Peer {
            let done = write.apply(self.engine, turn.clock.now());
            return Reply::Now(writes::answer(done));
        }
        if self.errands.writes.try_reserve(1).is_err() {
            return no_memory();
        }
        let address = self.errands.address();
        self.errands.writes.push((address, write));
        Reply::Written(address.serial)
    }
}

impl<E: Engine> DataPlane<'_, E> {
    /// A request of which is not known yet what it is for.
    #[inline(never)]
    fn ask_elsewhere(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        let route = match Route::parse(&turn.config.base, request.target) {
            Ok(route) => route,
            Err(error) => return Reply::Now(Answer::line(error.into(), error.to_string())),
        };
        if !request.method.is_read() {
            return match self.grant(request, &route, turn) {
                Ok(write) => self.write(write, turn),
                Err(answer) => Reply::Now(answer),
            };
        }
        let Some(group) = turn.config.group(&route.group) else {
            return Reply::Now(no_such_group(&route));
        };
        turn.recurring.asked(group);
        self.get(group, &route.key, request, turn)
    }

    #[inline]
    fn get(&mut self, group: GroupId, key: &[u8], request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        if !self.has_room {
            return no_memory();
        }
        let asker = asker(request, turn, self.is_node);
        let Address { slot, serial, .. } = self.errands.address();
        let waiter = self.errands.next.into();
        let (tags, wanted) = (request.if_none_match.as_deref(), request.wanted());
        let wish = Wish { serial, group, key, tags, wanted: wanted.as_ref() };
        if E::BATCHES {
            let ask = Ask { group, key, asker, waiter };
            return match self.errands.batch.push(slot, wish, ask) {
                Ok(()) => Reply::Together,
                Err(error) => Reply::Now(Answer::failed(error.into())),
            };
        }
        let got = self.engine.get(group, key, asker, waiter, turn.clock.now());
        wish.reply(got, &mut self.errands.fetches, turn)
    }

    /// Grants a write, if it is one and may be.
    #[cold]
    fn grant(
        &self,
        request: &Request<'_>,
        route: &Route<'_>,
        turn: &Turn<'_>,
    ) -> Result<Write, Answer> {
        let group = turn.config.group(&route.group);
        let is_writable = group.is_some_and(|group| turn.config.numbered(group).writable);
        match group {
            // Where nobody may write, whether there is such a group is not looked at.
            None if request.method.is_write() && turn.config.writes.is_some() => {
                Err(no_such_group(route))
            }
            Some(group) if request.method.is_write() && is_writable => {
                let asker = asker(request, turn, self.is_node);
                Write::grant(request, (group, &route.key), asker, self.permits, turn)
            }
            _ => Err(Answer::not_allowed(is_writable)),
        }
    }
}

#[cold]
fn no_memory() -> Reply {
    Reply::Now(Answer::failed(Error::OutOfMemory))
}

fn no_such_group(route: &Route<'_>) -> Answer {
    match escaped("no such group: ", &route.group, "\n") {
        Ok(text) => Answer::Text(Text::plain(Status::NotFound, text)),
        Err(error) => Answer::failed(error.into()),
    }
}

/// Who asks: a client, but for one whose mark counts.
fn asker(request: &Request<'_>, turn: &Turn<'_>, is_node: bool) -> Asker {
    match request.peer_secret {
        Some(shown) if counts(shown, turn, is_node) => Asker::Peer,
        _ => Asker::Client,
    }
}

/// A mark counts only with the secret of the cluster, or from who has shown the certificate of a
/// node; without them the request is a client's.
#[cold]
fn counts(shown: &[u8], turn: &Turn<'_>, is_node: bool) -> bool {
    let Some(cluster) = &turn.config.cluster else { return false };
    let secret = cluster.secret.as_ref();
    is_node || secret.is_some_and(|secret| shown.ct_eq(secret.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_from_its_waiter() {
        for (lane, slot, serial) in
            [(0, 0, 0), (MAX_LANES - 1, MAX_SLOTS - 1, u32::MAX), (3, 70_000, 5)]
        {
            let address = Address { lane, slot, serial };
            assert_eq!(Address::from(Waiter::from(address)), address);
        }
    }
}
