//! `Engine`: the seam between the server and the core. The native server puts a [`Node`] behind it,
//! the WASI host one that lives in a component; everything a client sees is the same code.

use std::sync::Arc;

use gocache_core::{
    Asker, Done, Error, Fetch, Get, Global, GroupId, Instant, Landing, Load, LoadError, Seed,
    Stats, Waiter,
};

use crate::{
    asks::{Asks, Said},
    config::{Config, GroupConfig},
    locks::RawLock,
    reserve::fallibly,
};

/// The core's node, with the locks of the server, and groups that stay when another
/// node follows.
pub type Node = gocache_core::Node<RawLock, Global, Arc<Group>>;

/// A group of such a node.
type Group = gocache_core::Group<RawLock>;

/// What becomes of an answer to one of several requests, by its place among them.
pub type Tell<'a> = dyn FnMut(usize, Result<Said<'_>, Error>) + 'a;

/// What the server asks of the core: see the methods of [`Node`] that have these names.
pub trait Engine: Sized + Send + Sync + 'static {
    /// Whether it is asked together what several connections want at a time, for a call costs it more
    /// than what is asked in it.
    const BATCHES: bool = false;

    /// The engine for the configuration `after`, where this one is for `before`. What stays in the
    /// file keeps what it has cached, and what is in the air lands in either of them.
    ///
    /// # Errors
    /// What cannot change while it runs; nothing has changed then.
    fn follow(self: &Arc<Self>, before: &Config, after: &Config) -> Result<Arc<Self>, String>;

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

    /// As `get` for each of these, and tells of each, in any order but for those that ask for one key:
    /// by its place, and what there is to say of it. What `tell` does should not take long.
    fn get_batch(&self, asks: &Asks, now: Instant, tell: &mut Tell<'_>) {
        for (at, ask) in asks.iter().enumerate() {
            let got = self.get(ask.group, ask.key, ask.asker, ask.waiter, now);
            tell(at, got.map(Said::Got));
        }
    }

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

    /// The counters of each group.
    fn stats(&self) -> Vec<(GroupId, Stats)>;

    /// How often what it runs in has broken off and begun anew; `None` where nothing can.
    fn traps(&self) -> Option<u64> {
        None
    }
}

/// The node that a configuration describes. Each start draws a new seed, so that nobody can choose
/// keys that collide.
///
/// # Errors
/// If there is no memory for its tables, or no random number.
pub(crate) fn node(config: &Config) -> Result<Node, String> {
    let mut node = Node::new_in(Global);
    for group in &config.groups {
        put(&mut node, group.id, &new(config, group)?)?;
    }
    join(&mut node, config)?;
    Ok(node)
}

fn new(config: &Config, group: &GroupConfig) -> Result<Arc<Group>, String> {
    let seed = getrandom::u64().map_err(|error| error.to_string())?;
    let (settings, seed) = (config.settings(group), Seed::new(seed));
    let group = Group::new_in(&group.name, settings, seed, Global);
    group.map(Arc::new).map_err(|error| error.to_string())
}

fn put(node: &mut Node, id: GroupId, group: &Arc<Group>) -> Result<(), String> {
    node.adopt(id, Arc::clone(group)).map_err(|error| error.to_string())
}

fn join(node: &mut Node, config: &Config) -> Result<(), String> {
    if let Some(cluster) = &config.cluster {
        let ring = cluster.ring.try_clone().map_err(|error| error.to_string())?;
        node.join(ring, cluster.own);
    }
    Ok(())
}

/// Whether a group that is gone from the configuration may still have to land something: as long as
/// a loop that has not heard of it can ask it, or a load of it is in the air.
fn may_land(group: &Arc<Group>, was_listed: bool) -> bool {
    was_listed || Arc::strong_count(group) > 1 || group.stats().flights > 0
}

impl Engine for Node {
    fn follow(self: &Arc<Self>, before: &Config, after: &Config) -> Result<Arc<Self>, String> {
        let mut node = Self::new_in(Global);
        for id in after.ids() {
            match (after.listed(id), self.handle(id)) {
                (Some(_), Some(known)) => put(&mut node, id, known)?,
                (Some(group), None) => put(&mut node, id, &new(after, group)?)?,
                (None, Some(known)) if may_land(known, before.listed(id).is_some()) => {
                    put(&mut node, id, known)?;
                }
                (None, _) => {}
            }
        }
        join(&mut node, after)?;
        // From here on nothing fails: the groups are those that are being served.
        for id in after.ids() {
            match (after.listed(id), node.group(id)) {
                (Some(group), Some(engine)) => engine.adjust(&after.settings(group)),
                // It gives its memory back at once, and keeps nothing that still lands.
                (None, Some(engine)) => engine.set_budget(0),
                (_, None) => {}
            }
        }
        Ok(Arc::new(node))
    }

    fn get(
        &self,
        group: GroupId,
        key: &[u8],
        asker: Asker,
        waiter: Waiter,
        now: Instant,
    ) -> Result<Get, Error> {
        fallibly(|| self.get(group, key, asker, waiter, now))
    }

    fn land(&self, fetch: Fetch, result: Result<Load, LoadError>, now: Instant) -> Landing {
        fallibly(|| self.land(fetch, result, now))
    }

    fn overdue(&self, now: Instant) -> Option<Done> {
        fallibly(|| self.overdue(now))
    }

    fn put(&self, group: GroupId, key: &[u8], value: &[u8], now: Instant) -> Result<(), Error> {
        fallibly(|| self.put(group, key, value, now))
    }

    fn remove(&self, group: GroupId, key: &[u8], now: Instant) -> bool {
        fallibly(|| self.remove(group, key, now))
    }

    fn stats(&self) -> Vec<(GroupId, Stats)> {
        self.groups().map(|(id, group)| (id, group.stats())).collect()
    }
}
