//! `Engine`: the seam between the server and the core. The native server puts a [`Node`] behind it,
//! the WASI host one that lives in a component; everything a client sees is the same code.

use gocache_core::{
    Asker, Done, Error, Fetch, Get, GroupId, Instant, Landing, Load, LoadError, Node, Stats, Waiter,
};

/// What the server asks of the core: see the methods of [`Node`] that have these names.
pub trait Engine: Send + Sync + 'static {
    /// The group of a name.
    fn group(&self, name: &[u8]) -> Option<GroupId>;

    /// Asks for the value of a key.
    ///
    /// # Errors
    /// If the key is too long or too many loads are in the air.
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

    /// Gives up the loads that are past their deadline.
    fn overdue(&self, now: Instant) -> Vec<Done>;

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

    fn overdue(&self, now: Instant) -> Vec<Done> {
        self.overdue(now)
    }

    fn stats(&self) -> Vec<Stats> {
        self.stats().map(|(_, stats)| stats).collect()
    }
}
