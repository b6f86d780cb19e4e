//! gocache. The only file of these benches that knows its interface.
//!
//! One thread asks a [`Cache`], which has no lock, as the peers that are one list have none. Several
//! share a [`Group`], with sixteen shards and the locks of its type.

use std::{marker::PhantomData, mem::MaybeUninit};

use gocache_core::{
    Asker, Cache, Eviction, Get, Group, GroupId, Instant, Lru, Node, Policy, Region, S3Fifo, Seed,
    Settings, SizeAware, SpinLock, Value, Waiter,
};
use lock_api::RawRwLock;

use super::{Contender, Room, Shared};
use crate::data::{self, Key, VALUE};

const SEED: Seed = Seed::new(0x5eed);
const SHARDS: u16 = 16;

/// A policy under its name.
pub trait Named: Send + Sized {
    type Policy: Policy<allocator_api2::alloc::Global> + Send;
    const NAME: &'static str;
    const EVICTION: Eviction;
}

/// Exact least recently used.
pub struct ByUse;

impl Named for ByUse {
    type Policy = Lru;
    const NAME: &'static str = "gocache";
    const EVICTION: Eviction = Eviction::Lru;
}

/// S3-FIFO.
pub struct ByQueues;

impl Named for ByQueues {
    type Policy = S3Fifo;
    const NAME: &'static str = "gocache s3";
    const EVICTION: Eviction = Eviction::S3Fifo;
}

/// S3-FIFO in classes of size.
pub struct BySize;

impl Named for BySize {
    type Policy = SizeAware;
    const NAME: &'static str = "gocache s3 sized";
    const EVICTION: Eviction = Eviction::SizeAware;
}

/// A cache of one owner.
pub struct Alone<N: Named>(Cache<N::Policy>);

impl<N: Named> Alone<N> {
    /// A cache that takes up at most that many bytes of memory.
    pub fn with_budget(bytes: usize) -> Self {
        Self(Cache::new(bytes, SEED).expect("memory for the tables"))
    }

    /// Looks a key up, and stores the value where it is missing. Says whether it was there.
    pub fn get_or_insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let found = self.0.get(key, Instant::ZERO).is_some();
        if !found {
            // Larger than the cache: not stored, and no hit.
            let _refused = self.0.insert(key, value, Instant::ZERO);
        }
        found
    }

    /// Bytes of memory held, as the cache says.
    pub fn used(&self) -> u64 {
        self.0.used() as u64
    }
}

/// Bytes of a fixed region that these keys take with their values, all included.
pub fn in_region(stored: &[Key]) -> usize {
    let mut memory = vec![MaybeUninit::uninit(); stored.len() * 200];
    let region = Region::new(&mut memory);
    let empty = region.free();
    let cache = Cache::<Lru, _>::new_in(region.capacity(), SEED, &region);
    let mut cache = cache.expect("memory for the tables");
    stored.iter().for_each(|key| cache.insert(key, &VALUE, Instant::ZERO).expect("it fits"));
    empty - region.free()
}

/// The memory that so many entries take: about as many fit, and no more.
fn full_at<C: Contender>(with_budget: fn(usize) -> C, entries: usize) -> C {
    // A first guess, for the number of tables follows from the budget.
    let mut budget = entries * 165;
    for _ in 0..2 {
        let mut probe = with_budget(budget * 2);
        data::fresh(0, entries).iter().for_each(|key| probe.insert(key, &VALUE));
        budget = usize::try_from(probe.claimed().unwrap_or(0)).expect("memory has an address");
    }
    with_budget(budget)
}

fn new<C: Contender>(with_budget: fn(usize) -> C, room: Room) -> C {
    match room {
        Room::Full(entries) => full_at(with_budget, entries),
        Room::Ample(entries) => with_budget((1 << 20) + entries * 200),
    }
}

impl<N: Named> Contender for Alone<N> {
    const NAME: &'static str = N::NAME;
    type Handle = Value;

    fn new(room: Room) -> Self {
        new(Self::with_budget, room)
    }

    fn get(&mut self, key: &[u8]) -> Option<Value> {
        self.0.get(key, Instant::ZERO)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key, value, Instant::ZERO).expect("it fits");
    }

    fn claimed(&self) -> Option<u64> {
        Some(self.used())
    }
}

/// A group that threads share, asked as a server asks it.
pub struct Crowd<N, R: RawRwLock = SpinLock> {
    node: Node<R>,
    policy: PhantomData<fn(N)>,
}

impl<N: Named, R: RawRwLock + Send + Sync> Crowd<N, R> {
    fn with_budget(bytes: usize) -> Self {
        let settings = Settings {
            budget: bytes,
            eviction: N::EVICTION,
            shards: SHARDS,
            ..Settings::default()
        };
        let mut node = Node::new_in(allocator_api2::alloc::Global);
        let group = Group::new_in("bench", settings, SEED, allocator_api2::alloc::Global);
        node.add(group.expect("memory for the tables")).expect("the first group of a node");
        Self { node, policy: PhantomData }
    }

    fn group(&self) -> &Group<R> {
        self.node.group(GroupId(0)).expect("the group that was added")
    }
}

impl<N: Named, R: RawRwLock + Send + Sync> Shared for Crowd<N, R> {
    const NAME: &'static str = N::NAME;
    type Handle = Value;

    fn new(room: Room) -> Self {
        new(Self::with_budget, room)
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        match self.node.get(GroupId(0), key, Asker::Client, Waiter(0), Instant::ZERO) {
            Ok(Get::Hit(found)) => Some(found.value),
            _ => None,
        }
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.group().insert(key, value, None, Instant::ZERO).expect("it fits");
    }

    fn claimed(&self) -> Option<u64> {
        Some(self.group().stats().bytes)
    }
}
