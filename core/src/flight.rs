//! `Flights`: single flight. Of all who ask for a key that is not cached, one fetches and the
//! others wait for what it brings.
//!
//! The table is the plainest there is: a chain for each part of the hashes, and no fewer chains than
//! there ever were flights at once. Each flight is a box, so that none is moved.

use core::{
    iter::successors,
    mem::{self, size_of},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use allocator_api2::{alloc::Global, boxed::Box, vec::Vec};

use crate::{
    entry::{Memory, OutOfMemory, Value},
    room,
    segment::share,
    settings::Limits,
    time::Instant,
};

/// Who waits for a load: the frontend's own number, handed back untouched when the load lands. A
/// waiter that has gone meanwhile is a number that the frontend ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Waiter(pub u64);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client: a key that another node owns is fetched from there.
    Client,
    /// A node of the cluster: never sent on to a third one.
    Peer,
}

/// A node of a ring: its place in the list that the ring was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId(pub u16);

/// Where a value is to be fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The source of truth.
    Origin,
    /// The node that owns the key.
    Peer(PeerId),
}

/// Tells apart all flights that a group ever opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlightId(pub(crate) u64);

pub(crate) struct Flight<A: Memory = Global> {
    next: Chain<A>,
    hash: u64,
    id: FlightId,
    pub(crate) key: Value<A>,
    pub(crate) source: Source,
    began: Instant,
    pub(crate) waiters: Vec<Waiter, A>,
    /// The group's generation when it began: after a flush, what it brings is outdated.
    generation: u32,
    /// The same for the removal of its key: what the load brings may be older than that. It is
    /// served to those who asked before, and not stored.
    is_outdated: bool,
}

/// The flights of some hashes, the newest first.
type Chain<A> = Option<Box<Flight<A>, A>>;

impl<A: Memory> Flight<A> {
    /// Whether a landing is this flight's. The key too has to fit: a fetch that was put together
    /// wrongly must not bring its bytes to another key.
    fn is(&self, key: &[u8], id: FlightId) -> bool {
        self.id == id && *self.key == *key
    }

    /// Whether what it brings may be stored.
    pub(crate) const fn is_current(&self, generation: u32) -> bool {
        !self.is_outdated && self.generation == generation
    }

    /// Bytes of memory that it takes up.
    fn memory(&self) -> usize {
        size_of::<Self>() + self.key.memory() + self.waiters.capacity() * size_of::<Waiter>()
    }
}

/// One question, as the group passes it on.
pub(crate) struct Ask<'a> {
    pub(crate) hash: u64,
    pub(crate) key: &'a [u8],
    pub(crate) asker: Asker,
    pub(crate) waiter: Waiter,
    pub(crate) now: Instant,
    pub(crate) generation: u32,
}

/// What came of asking for a key that is not cached.
pub(crate) enum Join<A: Memory> {
    /// The asker leads: the load is his to start.
    Lead(FlightId, Value<A>),
    /// The asker waits with others.
    Wait,
    /// Too many flights, or too many waiters on this one.
    Busy,
}

/// The flights of one shard.
pub(crate) struct Flights<A: Memory> {
    chains: Vec<Chain<A>, A>,
    len: usize,
    next_id: u64,
    /// Apart, so that no two shards of a group give out the same.
    id_step: u64,
    /// Memory of the flights.
    content: usize,
}

impl<A: Memory> Flights<A> {
    /// The flights of the shard `shard` of `shards`.
    pub(crate) const fn new(shard: u16, shards: u16, allocator: A) -> Self {
        let (next_id, id_step) = (shard as u64 + 1, shards as u64);
        Self { chains: Vec::new_in(allocator), len: 0, next_id, id_step, content: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.chains.capacity() * size_of::<Chain<A>>() + self.content
    }

    /// Joins the flight of a key, or opens one to `source`. `in_air` counts those of all shards.
    ///
    /// A peer joins only a flight to the origin. Were it to wait for one to a third node (rings may
    /// differ for a moment), two nodes could wait for each other.
    pub(crate) fn join(
        &mut self,
        ask: &Ask<'_>,
        source: Source,
        limits: &Limits,
        in_air: &AtomicUsize,
    ) -> Result<Join<A>, OutOfMemory> {
        let joins = |flight: &Flight<A>| {
            flight.is_current(ask.generation)
                && *flight.key == *ask.key
                && (ask.asker == Asker::Client || flight.source == Source::Origin)
        };
        if let Some(flight) = self.find_mut(ask.hash, joins) {
            if flight.waiters.len() >= limits.waiters {
                return Ok(Join::Busy);
            }
            let before = flight.memory();
            room::push(&mut flight.waiters, ask.waiter)?;
            let more = flight.memory() - before;
            self.content += more;
            return Ok(Join::Wait);
        }
        let one_more = |flights: usize| (flights < limits.flights).then_some(flights + 1);
        if in_air.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Ok(Join::Busy);
        }
        let opened = self.open(ask, source);
        if opened.is_err() {
            in_air.fetch_sub(1, Ordering::Relaxed);
        }
        opened
    }

    fn open(&mut self, ask: &Ask<'_>, source: Source) -> Result<Join<A>, OutOfMemory> {
        if self.len == self.chains.len() {
            self.grow()?;
        }
        let allocator = self.chains.allocator().clone();
        let key = Value::new_in(ask.key, allocator.clone())?;
        let mut waiters = Vec::new_in(allocator.clone());
        room::push(&mut waiters, ask.waiter)?;
        let id = FlightId(self.next_id);
        let flight = Flight {
            next: None,
            hash: ask.hash,
            id,
            key: key.clone(),
            source,
            began: ask.now,
            waiters,
            generation: ask.generation,
            is_outdated: false,
        };
        let flight = Box::try_new_in(flight, allocator).map_err(|_| OutOfMemory)?;
        self.next_id += self.id_step;
        self.content += flight.memory();
        self.len += 1;
        self.link(flight);
        Ok(Join::Lead(id, key))
    }

    /// Moves all flights to twice as many chains.
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let (count, allocator) = (2 * self.len + 2, self.chains.allocator().clone());
        let chains = room::filled(count, allocator, |_| None)?;
        for mut chain in mem::replace(&mut self.chains, chains) {
            while let Some(mut flight) = chain {
                chain = flight.next.take();
                self.link(flight);
            }
        }
        Ok(())
    }

    /// The chain of a hash, by bits that have not chosen the shard.
    fn chain(&self, hash: u64) -> usize {
        share(hash >> 32, self.chains.len())
    }

    fn link(&mut self, mut flight: Box<Flight<A>, A>) {
        let at = self.chain(flight.hash);
        if let Some(chain) = self.chains.get_mut(at) {
            flight.next = chain.take();
            *chain = Some(flight);
        }
    }

    fn find_mut(
        &mut self,
        hash: u64,
        is_it: impl Fn(&Flight<A>) -> bool,
    ) -> Option<&mut Flight<A>> {
        let at = self.chain(hash);
        let mut chain = self.chains.get_mut(at)?;
        loop {
            let flight = chain.as_deref_mut()?;
            if is_it(flight) {
                return Some(flight);
            }
            chain = &mut flight.next;
        }
    }

    /// The flight of this number, if it is still in the air.
    pub(crate) fn find(&self, hash: u64, key: &[u8], id: FlightId) -> Option<&Flight<A>> {
        let first = self.chains.get(self.chain(hash))?.as_deref();
        successors(first, |flight| flight.next.as_deref()).find(|flight| flight.is(key, id))
    }

    /// Turns a flight whose peer failed towards the origin. Says whether it is still in the air.
    pub(crate) fn redirect(&mut self, hash: u64, key: &[u8], id: FlightId) -> bool {
        let flight = self.find_mut(hash, |flight| flight.is(key, id));
        flight.map(|flight| flight.source = Source::Origin).is_some()
    }

    /// Takes a flight out, and says who waited for it; `None` if it was given up before.
    pub(crate) fn take(
        &mut self,
        hash: u64,
        key: &[u8],
        id: FlightId,
        in_air: &AtomicUsize,
    ) -> Option<Vec<Waiter, A>> {
        let at = self.chain(hash);
        let flight = unlink(self.chains.get_mut(at)?, |flight| flight.is(key, id))?;
        Some(self.landed(flight, in_air))
    }

    /// The same for one that has been in the air for `deadline` or longer.
    pub(crate) fn take_overdue(
        &mut self,
        deadline: Duration,
        now: Instant,
        in_air: &AtomicUsize,
    ) -> Option<Vec<Waiter, A>> {
        let is_overdue = |flight: &Flight<A>| flight.began.after(deadline) <= now;
        let flight = self.chains.iter_mut().find_map(|chain| unlink(chain, is_overdue))?;
        Some(self.landed(flight, in_air))
    }

    fn landed(&mut self, flight: Box<Flight<A>, A>, in_air: &AtomicUsize) -> Vec<Waiter, A> {
        self.len -= 1;
        self.content -= flight.memory();
        in_air.fetch_sub(1, Ordering::Relaxed);
        Box::into_inner(flight).waiters
    }

    /// Marks the flights of a key as outdated: who asks from now on opens a new one.
    pub(crate) fn outdate(&mut self, hash: u64, key: &[u8]) {
        while let Some(flight) =
            self.find_mut(hash, |flight| !flight.is_outdated && *flight.key == *key)
        {
            flight.is_outdated = true;
        }
    }

    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) {
        let chain = |first| successors(first, |flight: &&Flight<A>| flight.next.as_deref());
        let all = || self.chains.iter().flat_map(|first| chain(first.as_deref()));
        assert_eq!(all().count(), self.len, "it knows how many there are");
        assert_eq!(all().map(Flight::memory).sum::<usize>(), self.content);
        assert!(all().all(|flight| self.find(flight.hash, &flight.key, flight.id).is_some()));
    }
}

/// One after the other, for a chain of boxes drops itself by recursion.
impl<A: Memory> Drop for Flights<A> {
    fn drop(&mut self) {
        self.chains.iter_mut().for_each(|chain| while unlink(chain, |_| true).is_some() {});
    }
}

/// Takes the first flight that `is_it` out of its chain.
fn unlink<A: Memory>(
    mut chain: &mut Chain<A>,
    is_it: impl Fn(&Flight<A>) -> bool,
) -> Option<Box<Flight<A>, A>> {
    while !is_it(chain.as_deref()?) {
        chain = &mut chain.as_deref_mut()?.next;
    }
    let mut flight = chain.take()?;
    *chain = flight.next.take();
    Some(flight)
}
