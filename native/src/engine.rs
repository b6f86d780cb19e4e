//! `Engine`: the seam between the server and the core. The native server puts a [`Node`] behind it,
//! the WASI host one that lives in a component; everything a client sees is the same code.

use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, Stats, Waiter,
};
use parking_lot::RawRwLock;

/// The core's node, with locks that fit a thread under a kernel.
pub type Node = gocache_core::Node<RawRwLock>;

/// A group of such a node.
pub(crate) type Group = gocache_core::Group<RawRwLock>;

/// What the server asks of the core: see the methods of [`Node`] that have these names.
pub trait Engine: Send + Sync + 'static {
    /// The group of a name.
    fn group(&self, name: &[u8]) -> Option<GroupId>;

    /// Asks for the value of a key.
    ///
    /// # Errors
    /// If the key is too long, too many loads are in the air, or there is no memory for one more.
    fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error>;

    /// Ends a load with what it brought.
    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing;

    /// Gives up a load that is past its deadline; to be called until there is none.
    fn overdue(&self, now: Instant) -> Option<Done>;

    /// Stores a value for a key that this node owns, and forgets that of another node's.
    ///
    /// # Errors
    /// If the value does not fit, there is no memory for it, or the key is too long.
    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error>;

    /// Forgets the cached value of a key. Says whether there was one.
    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool;

    /// The counters of each group, in the order of [`GroupId`].
    fn stats(&self) -> Vec<Stats>;
}

impl Engine for Node {
    fn group(&self, name: &[u8]) -> Option<GroupId> {
        self.group(name)
    }

    fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error> {
        self.get(group, key, asker, waiter, now)
    }

    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        self.land(fetch, result, now)
    }

    fn overdue(&self, now: Instant) -> Option<Done> {
        self.overdue(now)
    }

    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        self.put(group, key, value, now)
    }

    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        self.remove(group, key, now)
    }

    fn stats(&self) -> Vec<Stats> {
        self.stats().map(|(_, stats)| stats).collect()
    }
}
