//! `Settings`: what the instances are told when they start, and again if one has to start anew; and
//! how they are parted among several.

use std::time::Duration;

use gocache::Config;
use gocache_core::{GroupId, PeerId};

/// How to set up a node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The groups, at the places of their [`GroupId`]s. A place is empty where the group is gone.
    pub groups: Vec<Option<GroupSettings>>,
    /// The cluster, if the node stands in one.
    pub ring: Option<RingSettings>,
    /// A random number: see [`Seed`](gocache_core::Seed).
    pub seed: u64,
    /// How many instances share the keys. Each has its part of every budget, and of the loads that
    /// a group may have in the air.
    pub instances: usize,
    /// Bytes of the largest value.
    pub value_bytes: usize,
    /// Bytes of linear memory of one instance at the most. An instance that needs more may trap, so
    /// this has to lie well above its part of the budgets. `None`: as much as it may need.
    pub memory_bytes: Option<usize>,
    /// A call to an instance that takes longer ends as a trap.
    pub patience: Duration,
}

/// How to set up a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// Its name.
    pub name: String,
    /// All else; in how many shards, whether with digests and with estimates, is the component's
    /// own to choose.
    pub settings: gocache_core::Settings,
}

/// How to set up the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingSettings {
    /// The names of the nodes.
    pub names: Vec<String>,
    /// Which of them this node is.
    pub own: PeerId,
}

/// A group is parted only so far that each instance has so much of its budget: what is larger than
/// the part of an instance is not cached, and what is evicted goes by the order within one.
const LEAST_BUDGET: usize = 16 << 20;
/// The same for its loads in the air.
const LEAST_FLIGHTS: usize = 64;

impl Settings {
    /// What a call may take unless something else is set. A hit takes less than a microsecond and a
    /// large value some milliseconds: what is not back by then, on however busy a machine, never is.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// What `config` says, with a seed that is drawn anew at each start of the server. Of instances
    /// there is one for each loop, but no more than the groups are large enough for, and no fewer
    /// than have room for them.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let mut settings = Self {
            groups: Vec::new(),
            ring: None,
            seed,
            instances: 1,
            value_bytes: config.limits.value_bytes,
            memory_bytes: None,
            patience: Self::PATIENCE,
        };
        settings.take(config);
        let groups = settings.groups.iter().flatten().map(|group| &group.settings);
        let most =
            groups.map(|it| (it.budget / LEAST_BUDGET).min(it.limits.flights / LEAST_FLIGHTS));
        settings.instances = most.min().unwrap_or(1).min(config.loops).max(1);
        while settings.part(0).memory_bytes() > Part::MOST_MEMORY_BYTES
            && settings.instances < MOST_INSTANCES
        {
            settings.instances += 1;
        }
        settings
    }

    /// The same with what another configuration says. How many instances there are stays.
    #[must_use]
    pub fn follow(&self, config: &Config) -> Self {
        let value_bytes = config.limits.value_bytes;
        let mut settings = Self { value_bytes, groups: Vec::new(), ..self.clone() };
        settings.take(config);
        settings
    }

    fn take(&mut self, config: &Config) {
        for group in &config.groups {
            let GroupId(place) = group.id;
            self.groups.resize(self.groups.len().max(usize::from(place) + 1), None);
            self.groups[usize::from(place)] =
                Some(GroupSettings { name: group.name.clone(), settings: config.settings(group) });
        }
        self.ring = config
            .cluster
            .as_ref()
            .map(|cluster| RingSettings { names: cluster.nodes.clone(), own: cluster.own });
    }

    /// What one of the instances is told.
    pub(crate) fn part(&self, place: usize) -> Part<'_> {
        Part { settings: self, place }
    }
}

/// Instances at the most, whatever is configured.
const MOST_INSTANCES: usize = 1 << 10;

/// What one instance is told.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) place: usize,
}

impl Part<'_> {
    /// Where the memory of a 32-bit machine ends.
    pub(crate) const MOST_MEMORY_BYTES: usize = 1 << 32;

    pub(crate) fn groups(&self) -> Vec<Option<GroupSettings>> {
        self.settings.groups.iter().map(|group| group.as_ref().map(|it| self.of(it))).collect()
    }

    fn of(&self, group: &GroupSettings) -> GroupSettings {
        let mut part = group.clone();
        let Settings { instances, .. } = *self.settings;
        part.settings.budget = share(part.settings.budget, self.place, instances);
        part.settings.limits.flights = share(part.settings.limits.flights, self.place, instances);
        part
    }

    /// Linear memory for its part of the budgets, and values of up to `value_bytes`.
    pub(crate) fn memory_bytes(&self) -> usize {
        /// Stack, loads in the air, waiters.
        const BESIDE: usize = 64 << 20;
        /// A value on its way in or out is held twice for a moment, and freed memory is in pieces.
        const COPIES: usize = 3;
        let Settings { memory_bytes, groups, value_bytes, instances, .. } = self.settings;
        if let Some(memory_bytes) = memory_bytes {
            return *memory_bytes;
        }
        let budgets =
            groups.iter().flatten().map(|group| group.settings.budget.div_ceil(*instances));
        // The budget counts what the allocator is asked for. What it adds to each entry came to
        // another .3 of it with values of 1 byte, and the holes where values of 1 MiB took their
        // place to .9.
        let caches = budgets.fold(0, usize::saturating_add).saturating_mul(2);
        let values = value_bytes.saturating_mul(COPIES);
        caches.saturating_add(values).saturating_add(BESIDE)
    }
}

/// What one of so many has of a whole, of which all together have no more and no less.
fn share(whole: usize, place: usize, of: usize) -> usize {
    whole / of + usize::from(place < whole % of)
}
