//! `Node`: all groups of one process and its place in the cluster, as a machine that a frontend
//! drives. It opens no socket, reads no clock and calls nobody back: a frontend asks with
//! [`Node::get`], does the load it is told to do, and brings the outcome with [`Node::land`].

use alloc::vec::Vec;
use core::time::Duration;

use crate::{
    error::{Error, LoadError},
    flight::{Asker, FlightId, Source, Waiter},
    group::{Found, Group},
    key::Key,
    ring::{PeerId, Ring},
    shard::{Got, Landed},
    stats::Stats,
    time::Instant,
    value::Value,
};

/// A group of a node: its place in the order of [`Node::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub u16);

/// The answer to a `get`.
#[derive(Debug)]
pub enum Get {
    /// Here it is.
    Hit(Found),
    /// Another load of this key is in the air; its landing names the waiter.
    Wait,
    /// The waiter's own load: do it and land it. Its landing names the waiter too.
    Fetch(Fetch),
}

/// A load to be done. It is landed once, with [`Node::land`]; one that is lost on the way ends
/// through [`Node::overdue`].
#[derive(Debug)]
#[must_use = "whoever waits for this load is answered only when it lands"]
pub struct Fetch {
    group: GroupId,
    flight: FlightId,
    key: Key,
    source: Source,
}

impl Fetch {
    /// A fetch put together again from what [`Fetch::group`] and its fellows told, for drivers that
    /// stand on the other side of a boundary across which only plain data moves. One that was made
    /// up matches no load in the air, so that its landing has no effect.
    pub fn from_parts(group: GroupId, flight: u64, key: &[u8], source: Source) -> Self {
        Self { group, flight: FlightId(flight), key: Key::new(key), source }
    }

    /// The group it is for.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// A number that no other load of the group ever has.
    #[must_use]
    pub const fn flight(&self) -> u64 {
        self.flight.0
    }

    /// The key to load.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Where to load it from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }
}

/// What a load brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The bytes.
    pub value: Value,
    /// How old they were when they came: zero from the origin, what the owner says from a peer.
    pub age: Duration,
}

impl From<Value> for Load {
    fn from(value: Value) -> Self {
        Self { value, age: Duration::ZERO }
    }
}

/// What a landing calls for.
#[derive(Debug)]
pub enum Landing {
    /// The load is over: tell these.
    Done(Done),
    /// The owner was no help: the same load, now from the origin.
    Refetch(Fetch),
}

/// A load that is over.
#[derive(Debug)]
pub struct Done {
    /// The group it was for.
    pub group: GroupId,
    /// What everyone gets who waited for it.
    pub result: Result<Found, Error>,
    /// Everyone who waited for it, the first one to ask included.
    pub waiters: Vec<Waiter>,
}

/// The groups of one process, and the ring it stands in. Set up alone, then shared by reference
/// between threads.
#[derive(Default)]
pub struct Node {
    groups: Vec<Group>,
    ring: Option<(Ring, PeerId)>,
}

impl Node {
    /// A node with no groups that stands alone.
    #[must_use]
    pub const fn new() -> Self {
        Self { groups: Vec::new(), ring: None }
    }

    /// Adds a group. `None` if there is one of that name, or no number left for it.
    pub fn add(&mut self, group: Group) -> Option<GroupId> {
        let id = GroupId(u16::try_from(self.groups.len()).ok()?);
        if self.group(group.name()).is_some() {
            return None;
        }
        self.groups.push(group);
        Some(id)
    }

    /// Puts the node into a ring, of which it is the node `own`.
    pub fn join(&mut self, ring: Ring, own: PeerId) {
        self.ring = Some((ring, own));
    }

    /// The group of a name. Nodes have a handful of groups: a scan beats a table.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<GroupId> {
        let at = self.groups.iter().position(|group| group.name() == name)?;
        u16::try_from(at).ok().map(GroupId)
    }

    /// Asks for the value of a key. `waiter` is kept only where the answer is
    /// [`Get::Wait`] or [`Get::Fetch`].
    ///
    /// # Errors
    /// [`Error::KeyTooLong`] or [`Error::Busy`]; nothing was begun then.
    ///
    /// # Panics
    /// If the group is not one of this node's.
    pub fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error> {
        let engine = self.engine(group);
        let source = || self.source(key, asker);
        Ok(match engine.get(key, asker, waiter, now, source)? {
            Got::Hit(value, born) => Get::Hit(engine.found(value, now.since(born))),
            Got::Wait => Get::Wait,
            Got::Lead(flight, key, source) => Get::Fetch(Fetch { group, flight, key, source }),
        })
    }

    /// Ends a load with what it brought, and says who is to be told. A load that was given up
    /// before ends here without effect.
    pub fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        let Fetch { group, flight, ref key, source } = fetch;
        let engine = self.engine(group);
        let value = result.as_ref().map(|load| &load.value).map_err(|&error| error);
        match engine.land(key, flight, source, value, now) {
            Landed::Redirected => Landing::Refetch(Fetch { source: Source::Origin, ..fetch }),
            Landed::Done(waiters) => {
                let found = result.map(|load| engine.found(load.value, load.age));
                Landing::Done(Done { group, result: found.map_err(Error::from), waiters })
            }
        }
    }

    /// Gives up the loads that have been in the air for longer than their group allows: whoever
    /// waits for one gets [`Error::TimedOut`]. To be called every few tens of milliseconds.
    #[must_use = "whoever waits for these loads is to be told"]
    pub fn overdue(&self, now: Instant) -> Vec<Done> {
        let groups = (0..).map(GroupId).zip(&self.groups);
        let flights = groups.flat_map(|(id, group)| {
            group.take_overdue(now).into_iter().map(move |flight| (id, flight))
        });
        let done = flights.map(|(group, flight)| Done {
            group,
            result: Err(Error::TimedOut),
            waiters: flight.waiters,
        });
        done.collect()
    }

    /// Forgets the cached value of a key on this node; a load in the air will not bring it back.
    /// Says whether there was a value.
    pub fn remove(&self, group: GroupId, key: &[u8]) -> bool {
        self.engine(group).remove(key)
    }

    /// Each group's name and counters.
    pub fn stats(&self) -> impl Iterator<Item = (&[u8], Stats)> {
        self.groups.iter().map(|group| (group.name(), group.stats()))
    }

    /// A key is loaded by its owner, save that a peer is never sent on: what it asks this node
    /// for, this node loads.
    fn source(&self, key: &[u8], asker: Asker) -> Source {
        match (&self.ring, asker) {
            (Some((ring, own)), Asker::Client) => match ring.owner(key) {
                owner if owner == *own => Source::Origin,
                owner => Source::Peer(owner),
            },
            _ => Source::Origin,
        }
    }

    fn engine(&self, group: GroupId) -> &Group {
        &self.groups[usize::from(group.0)]
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
