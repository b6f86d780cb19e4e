//! `Flights`: single flight. Of all who ask for a key that is not cached, one fetches and the
//! others wait for what it brings.

use core::{
    mem::size_of,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use allocator_api2::{alloc::Global, vec::Vec};
use hashbrown::HashTable;

use crate::{
    entry::{Memory, OutOfMemory, Value},
    ring::PeerId,
    room,
    seed::Seed,
    settings::Limits,
    time::Instant,
};

/// Who waits for a load: the frontend's own number, handed back untouched when the load lands. A
/// waiter that has gone meanwhile is a number that the frontend ignores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiter(pub u64);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A client: a key that another node owns is fetched from there.
    Client,
    /// A node of the cluster: never sent on to a third one.
    Peer,
}

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

    /// Bytes of memory behind it.
    fn memory(&self) -> usize {
        self.key.memory() + self.waiters.capacity() * size_of::<Waiter>()
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
    table: HashTable<Flight<A>, A>,
    next_id: u64,
    /// Apart, so that no two shards of a group give out the same.
    id_step: u64,
    /// Memory behind the keys and waiters.
    content: usize,
}

impl<A: Memory> Flights<A> {
    /// The flights of the shard `shard` of `shards`.
    pub(crate) const fn new(shard: u16, shards: u16, allocator: A) -> Self {
        let (next_id, id_step) = (shard as u64 + 1, shards as u64);
        Self { table: HashTable::new_in(allocator), next_id, id_step, content: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.table.allocation_size() + self.content
    }

    /// Joins the flight of a key, or opens one to `source`. `in_air` counts those of all shards.
    ///
    /// A peer joins only a flight to the origin. Were it to wait for one to a third node (rings may
    /// differ for a moment), two nodes could wait for each other.
    pub(crate) fn join(
        &mut self,
        ask: &Ask<'_>,
        source: Source,
        seed: &Seed,
        limits: &Limits,
        in_air: &AtomicUsize,
    ) -> Result<Join<A>, OutOfMemory> {
        let joins = |flight: &Flight<A>| {
            flight.is_current(ask.generation)
                && *flight.key == *ask.key
                && (ask.asker == Asker::Client || flight.source == Source::Origin)
        };
        if let Some(flight) = self.table.find_mut(ask.hash, joins) {
            if flight.waiters.len() >= limits.waiters {
                return Ok(Join::Busy);
            }
            let before = flight.memory();
            room::push(&mut flight.waiters, ask.waiter)?;
            self.content += flight.memory() - before;
            return Ok(Join::Wait);
        }
        let one_more = |flights: usize| (flights < limits.flights).then_some(flights + 1);
        if in_air.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_err() {
            return Ok(Join::Busy);
        }
        let opened = self.open(ask, source, seed);
        if opened.is_err() {
            in_air.fetch_sub(1, Ordering::Relaxed);
        }
        opened
    }

    fn open(&mut self, ask: &Ask<'_>, source: Source, seed: &Seed) -> Result<Join<A>, OutOfMemory> {
        let allocator = self.table.allocator().clone();
        self.table.try_reserve(1, |flight| seed.hash(&flight.key)).map_err(|_| OutOfMemory)?;
        let key = Value::new_in(ask.key, allocator.clone())?;
        let mut waiters = Vec::new_in(allocator);
        room::push(&mut waiters, ask.waiter)?;
        let id = FlightId(self.next_id);
        self.next_id += self.id_step;
        let flight = Flight {
            id,
            key: key.clone(),
            source,
            began: ask.now,
            waiters,
            generation: ask.generation,
            is_outdated: false,
        };
        self.content += flight.memory();
        self.table.insert_unique(ask.hash, flight, |flight| seed.hash(&flight.key));
        Ok(Join::Lead(id, key))
    }

    /// The flight of this number, if it is still in the air.
    pub(crate) fn find(&self, hash: u64, key: &[u8], id: FlightId) -> Option<&Flight<A>> {
        self.table.find(hash, |flight| flight.is(key, id))
    }

    /// Turns a flight whose peer failed towards the origin. Says whether it is still in the air.
    pub(crate) fn redirect(&mut self, hash: u64, key: &[u8], id: FlightId) -> bool {
        let flight = self.table.find_mut(hash, |flight| flight.is(key, id));
        flight.map(|flight| flight.source = Source::Origin).is_some()
    }

    /// Takes a flight out; `None` if it was given up before.
    pub(crate) fn take(
        &mut self,
        hash: u64,
        key: &[u8],
        id: FlightId,
        in_air: &AtomicUsize,
    ) -> Option<Flight<A>> {
        let found = self.table.find_entry(hash, |flight| flight.is(key, id)).ok()?;
        let (flight, _) = found.remove();
        self.content -= flight.memory();
        in_air.fetch_sub(1, Ordering::Relaxed);
        Some(flight)
    }

    /// Takes out a flight that has been in the air for `deadline` or longer.
    pub(crate) fn take_overdue(
        &mut self,
        deadline: Duration,
        now: Instant,
        in_air: &AtomicUsize,
    ) -> Option<Flight<A>> {
        let is_overdue = |flight: &mut Flight<A>| now.since(flight.began) >= deadline;
        let flight = self.table.extract_if(is_overdue).next()?;
        self.content -= flight.memory();
        in_air.fetch_sub(1, Ordering::Relaxed);
        Some(flight)
    }

    /// Marks the flights of a key as outdated: who asks from now on opens a new one.
    pub(crate) fn outdate(&mut self, hash: u64, key: &[u8]) {
        for flight in self.table.iter_hash_mut(hash) {
            flight.is_outdated |= *flight.key == *key;
        }
    }

    #[cfg(any(test, feature = "check"))]
    pub(crate) fn check(&self) {
        assert_eq!(self.table.iter().map(Flight::memory).sum::<usize>(), self.content);
    }
}
