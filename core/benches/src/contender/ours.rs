//! gocache. The only file of these benches that knows its interface.
//!
//! The raw cache is private: a hit goes through `Node::get`, an insert through a get that misses
//! and the landing of its load, which is what a server does. So an insert here pays for a flight.

use gocache_core::{
    Asker, Fetch, Get, Group, GroupId, Instant, Landing, LoadError, Node, Seed, Value, Waiter,
};

use super::{Room, Shared};
use crate::data::{self, VALUE};

/// A node of one group.
pub struct Ours {
    node: Node,
    group: GroupId,
}

impl Ours {
    /// A cache that takes up at most that many bytes of memory.
    pub fn with_budget(bytes: usize) -> Self {
        let mut node = Node::new();
        let group = node.add(Group::new("bench", bytes, Seed::new(0x5eed)));
        Self { node, group: group.expect("the first group of a node") }
    }

    /// A cache with the memory that so many entries take: about as many fit, and no more.
    fn full_at(entries: usize) -> Self {
        let probe = Self::with_budget(usize::MAX / 2);
        data::fresh(0, entries).iter().for_each(|key| Shared::insert(&probe, key, &VALUE));
        Self::with_budget(usize::try_from(probe.used()).expect("memory has an address"))
    }

    /// Bytes of memory held, as the group says.
    pub fn used(&self) -> u64 {
        self.node.stats().map(|(_, stats)| stats.bytes).sum()
    }

    /// Looks a key up, and stores the value where it is missing. Says whether it was there.
    pub fn get_or_insert(&self, key: &[u8], value: &[u8]) -> bool {
        let Err(fetch) = self.ask(key) else { return true };
        self.land(fetch, Ok(Value::from(value)));
        false
    }

    fn ask(&self, key: &[u8]) -> Result<Value, Fetch> {
        match self.node.get(self.group, key, Asker::Client, Waiter(0), Instant::ZERO) {
            Ok(Get::Hit(found)) => Ok(found.value),
            Ok(Get::Fetch(fetch)) => Err(fetch),
            other => panic!("one load at a time, and short keys: {other:?}"),
        }
    }

    fn land(&self, fetch: Fetch, result: Result<Value, LoadError>) {
        let landing = self.node.land(fetch, result.map(Into::into), Instant::ZERO);
        assert!(matches!(landing, Landing::Done(_)), "the node stands alone");
    }
}

impl Shared for Ours {
    const NAME: &'static str = "gocache";
    type Handle = Value;

    fn new(room: Room) -> Self {
        match room {
            Room::Full(entries) => Self::full_at(entries),
            Room::Ample(entries) => Self::with_budget((1 << 20) + entries * 512),
        }
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        self.ask(key).map_err(|fetch| self.land(fetch, Err(LoadError::NotFound))).ok()
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.get_or_insert(key, value);
    }

    fn claimed(&self) -> Option<u64> {
        Some(self.used())
    }
}
