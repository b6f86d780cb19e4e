//! `Node`: all groups of one process and its place in the cluster, as a machine that a frontend
//! drives. It opens no socket, reads no clock and calls nobody back: a frontend asks with
//! [`Node::get`], does the load it is told to do, and brings the outcome with [`Node::land`].

use core::{borrow::Borrow, fmt, marker::PhantomData};

use allocator_api2::{alloc::Global, vec::Vec};
use lock_api::RawRwLock;

use crate::{
    entry::{Memory, OutOfMemory, Value},
    error::{Error, LoadError},
    flight::{Asker, FlightId, Source, Waiter},
    group::{Found, Group, Load},
    landing::Landed,
    lock::SpinLock,
    room,
    shard::Got,
    stats::Stats,
    time::Instant,
};
#[cfg(feature = "ring")]
use crate::{flight::PeerId, ring::Ring};

/// A group of a node: its place in the order of [`Node::add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(pub u16);

/// The answer to a `get`.
#[derive(Debug)]
pub enum Get<A: Memory = Global> {
    /// Here it is.
    Hit(Found<A>),
    /// Another load of this key is in the air; its landing names the waiter.
    Wait,
    /// The waiter's own load: do it and land it. Its landing names the waiter too.
    Fetch(Fetch<A>),
}

/// A load to be done. It is landed once, with [`Node::land`]; one that is lost on the way ends
/// through [`Node::overdue`].
#[derive(Debug)]
#[must_use = "whoever waits for this load is answered only when it lands"]
pub struct Fetch<A: Memory = Global> {
    group: GroupId,
    flight: FlightId,
    key: Value<A>,
    source: Source,
}

impl Fetch {
    /// A fetch put together again from what [`Fetch::group`] and its fellows told, for drivers that
    /// stand on the other side of a boundary across which only plain data moves. One that was made
    /// up matches no load in the air, so that its landing has no effect.
    ///
    /// # Errors
    /// If there is no memory for the key.
    pub fn from_parts(
        group: GroupId,
        flight: u64,
        key: &[u8],
        source: Source,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self { group, flight: FlightId(flight), key: Value::new(key)?, source })
    }
}

impl<A: Memory> Fetch<A> {
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

/// What a landing calls for.
#[derive(Debug)]
pub enum Landing<A: Memory = Global> {
    /// The load is over: tell these.
    Done(Done<A>),
    /// The owner was no help: the same load, now from the origin.
    Refetch(Fetch<A>),
}

/// A load that is over.
#[derive(Debug)]
pub struct Done<A: Memory = Global> {
    /// The group it was for.
    pub group: GroupId,
    /// What everyone gets who waited for it.
    pub result: Result<Found<A>, Error>,
    /// Everyone who waited for it, the first one to ask included.
    pub waiters: Vec<Waiter, A>,
}

/// Why a node does not take in a group. It is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// It has a group of that name.
    Taken,
    /// It has as many groups as there are numbers for.
    TooMany,
    /// There is no memory for it.
    OutOfMemory,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "the node has a group of that name",
            Self::TooMany => "the node has 65,536 groups already",
            Self::OutOfMemory => "out of memory",
        })
    }
}

impl core::error::Error for AddError {}

/// The groups of one process, and the ring it stands in. Set up alone, then shared by reference
/// between threads.
///
/// `G` is how it holds its groups: as they are, or by a handle such as an `Arc`. With handles a node
/// can be followed by another one that is set up differently, and has the groups that stay in common
/// with it: see [`Node::adopt`].
pub struct Node<R: RawRwLock = SpinLock, A: Memory = Global, G = Group<R, A>> {
    /// By their numbers, some of which may be free.
    groups: Vec<Option<G>, A>,
    #[cfg(feature = "ring")]
    ring: Option<(Ring, PeerId)>,
    locks: PhantomData<fn() -> R>,
}

impl Node {
    /// A node with no groups that stands alone.
    #[must_use]
    pub const fn new() -> Self {
        Self::new_in(Global)
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: RawRwLock, A: Memory, G: Borrow<Group<R, A>>> Node<R, A, G> {
    /// A node with no groups that stands alone, for groups of these locks and this memory.
    #[must_use]
    pub const fn new_in(allocator: A) -> Self {
        Self {
            groups: Vec::new_in(allocator),
            #[cfg(feature = "ring")]
            ring: None,
            locks: PhantomData,
        }
    }

    /// Adds a group, and says under which number the node knows it.
    ///
    /// # Errors
    /// If there is one of that name, no number left for it, or no memory.
    // Inlined, it becomes a move between places that may overlap: 1.6 KB of flash on ARM.
    #[inline(never)]
    pub fn add(&mut self, group: G) -> Result<GroupId, AddError> {
        let id = u16::try_from(self.groups.len()).map_err(|_| AddError::TooMany)?;
        if self.group_named(group.borrow().name()).is_some() {
            return Err(AddError::Taken);
        }
        room::push(&mut self.groups, Some(group)).map_err(|_| AddError::OutOfMemory)?;
        Ok(GroupId(id))
    }

    /// Adds a group under a number that it has already, in a node before this one. The loads in the
    /// air go by numbers: one that another group had must not be given again. Its name may be taken.
    ///
    /// # Errors
    /// If there is a group of that number, or no memory.
    pub fn adopt(&mut self, GroupId(id): GroupId, group: G) -> Result<(), AddError> {
        let missing = (usize::from(id) + 1).saturating_sub(self.groups.len());
        self.groups.try_reserve(missing).map_err(|_| AddError::OutOfMemory)?;
        (0..missing).for_each(|_| room::place(&mut self.groups, None));
        match self.groups.get_mut(usize::from(id)) {
            Some(place @ None) => *place = Some(group),
            _ => return Err(AddError::Taken),
        }
        Ok(())
    }

    /// Puts the node into a ring, of which it is the node `own`.
    #[cfg(feature = "ring")]
    pub fn join(&mut self, ring: Ring, own: PeerId) {
        self.ring = Some((ring, own));
    }

    /// The number of the group of a name. Nodes have a handful of groups: a scan beats a table.
    #[must_use]
    pub fn group_named(&self, name: &[u8]) -> Option<GroupId> {
        self.groups().find_map(|(id, group)| (group.name() == name).then_some(id))
    }

    /// The group of a number.
    #[must_use]
    pub fn group(&self, group: GroupId) -> Option<&Group<R, A>> {
        self.handle(group).map(G::borrow)
    }

    /// The group of a number, as the node holds it.
    #[must_use]
    pub fn handle(&self, group: GroupId) -> Option<&G> {
        self.groups.get(usize::from(group.0))?.as_ref()
    }

    /// All groups, in the order of their numbers.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &Group<R, A>)> {
        let all = (0..).map(GroupId).zip(&self.groups);
        all.filter_map(|(id, group)| Some((id, group.as_ref()?.borrow())))
    }

    /// Asks for the value of a key. `waiter` is kept only where the answer is
    /// [`Get::Wait`] or [`Get::Fetch`].
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::Busy`], [`Error::OutOfMemory`] or [`Error::NoSuchGroup`];
    /// nothing was begun then.
    pub fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get<A>, Error> {
        let engine = self.group(group).ok_or(Error::NoSuchGroup)?;
        #[cfg(feature = "ring")]
        let source = || self.source(key, asker);
        #[cfg(not(feature = "ring"))]
        let source = || Source::Origin;
        Ok(match engine.get(key, asker, waiter, now, source)? {
            Got::Hit((value, age)) => Get::Hit(Found::aged(value, age)),
            Got::Wait => Get::Wait,
            Got::Lead(flight, key, source) => Get::Fetch(Fetch { group, flight, key, source }),
        })
    }

    /// The value of a key, if it is cached. A miss begins nothing and counts as nothing: the
    /// [`Node::get`] that follows does.
    // As in `Group::hit`.
    #[inline(always)]
    pub fn hit(&self, group: GroupId, key: &[u8], now: Instant) -> Option<Found<A>> {
        let (value, age) = self.group(group)?.hit(key, now)?;
        Some(Found::aged(value, age))
    }

    /// Ends a load with what it brought, and says who is to be told. A load that was given up
    /// before ends here without effect.
    pub fn land(
        &self,
        fetch: Fetch<A>,
        result: Result<Load<A>, LoadError>,
        now: Instant,
    ) -> Landing<A> {
        let Fetch { group, flight, ref key, source } = fetch;
        let Some(engine) = self.group(group) else {
            let waiters = Vec::new_in(self.groups.allocator().clone());
            return Landing::Done(Done { group, result: Err(Error::NoSuchGroup), waiters });
        };
        match engine.land(key, flight, source, result, now) {
            Landed::Redirected => Landing::Refetch(Fetch { source: Source::Origin, ..fetch }),
            Landed::Done(waiters, result) => {
                Landing::Done(Done { group, result: result.map_err(Error::from), waiters })
            }
        }
    }

    /// Gives up a load that has been in the air for longer than its group allows: whoever waits for
    /// it gets [`Error::TimedOut`]. To be called every few tens of milliseconds, until it has no
    /// more to tell; it also looks after what has expired.
    #[must_use = "whoever waits for this load is to be told"]
    pub fn overdue(&self, now: Instant) -> Option<Done<A>> {
        let (group, waiters) =
            self.groups().find_map(|(id, group)| Some((id, group.take_overdue(now)?)))?;
        Some(Done { group, result: Err(Error::TimedOut), waiters })
    }

    /// Forgets the cached value of a key on this node; a load in the air will not bring it back.
    /// Says whether there was a value.
    pub fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        self.group(group).is_some_and(|engine| engine.remove(key, now))
    }

    /// Stores a value, as if a load had just brought it, for a key that this node owns; of another
    /// node's key it forgets the cached value, as that node has the new one. A load in the air will
    /// not bring back what was cached before.
    ///
    /// In a cluster it is to be called on every node, the owner first: what another one loads after
    /// that is the new value.
    ///
    /// # Errors
    /// [`Error::TooLarge`] or [`Error::OutOfMemory`], and an older value is gone even so;
    /// [`Error::KeyTooLong`] or [`Error::NoSuchGroup`], and nothing has changed.
    pub fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        let engine = self.group(group).ok_or(Error::NoSuchGroup)?;
        let limit = engine.tunable.key_bytes();
        if key.len() > limit {
            return Err(Error::KeyTooLong { limit });
        }
        #[cfg(feature = "ring")]
        if let Source::Peer(_) = self.source(key, Asker::Client) {
            engine.remove(key, now);
            return Ok(());
        }
        Ok(engine.insert(key, value, None, now)?)
    }

    /// Each group's name and counters.
    pub fn stats(&self) -> impl Iterator<Item = (&[u8], Stats)> {
        self.groups().map(|(_, group)| (group.name(), group.stats()))
    }

    /// A key is loaded by its owner, save that a peer is never sent on: what it asks this node
    /// for, this node loads.
    #[cfg(feature = "ring")]
    fn source(&self, key: &[u8], asker: Asker) -> Source {
        match (&self.ring, asker) {
            (Some((ring, own)), Asker::Client) => match ring.owner(key) {
                owner if owner == *own => Source::Origin,
                owner => Source::Peer(owner),
            },
            _ => Source::Origin,
        }
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
