//! `Settings`: what an instance is told when it starts, and again if it has to start anew.

use gocache::Config;
use gocache_core::PeerId;

/// How to set up a node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The groups, in the order of their [`GroupId`](gocache_core::GroupId).
    pub groups: Vec<GroupSettings>,
    /// The cluster, if the node stands in one.
    pub ring: Option<RingSettings>,
    /// A random number: see [`Seed`](gocache_core::Seed).
    pub seed: u64,
    /// Bytes of linear memory at the most. An instance that needs more may trap, so this has to lie
    /// well above the budgets; and it has to lie within [`Settings::MOST_MEMORY_BYTES`].
    pub memory_bytes: usize,
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

impl Settings {
    /// Where the memory of a 32-bit machine ends.
    pub const MOST_MEMORY_BYTES: usize = 1 << 32;

    /// What `config` says, with a seed that is drawn anew at each start of the server.
    #[must_use]
    pub fn new(config: &Config, seed: u64) -> Self {
        let groups = config.groups.iter().map(|group| GroupSettings {
            name: group.name.clone(),
            settings: config.settings(group),
        });
        let ring = config
            .cluster
            .as_ref()
            .map(|cluster| RingSettings { names: cluster.nodes.clone(), own: cluster.own });
        let budgets = config.groups.iter().map(|group| group.budget);
        let memory_bytes = memory_bytes(budgets, config.limits.value_bytes);
        Self { groups: groups.collect(), ring, seed, memory_bytes }
    }

    /// The keys of the configuration by which other settings differ from these.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let limits = |settings: &Self| settings.groups.first().map(|it| it.settings.limits.clone());
        let mut keys = Vec::new();
        for group in &self.groups {
            let same = other.groups.iter().find(|it| it.name == group.name);
            let is_same = same.is_some_and(|it| {
                let limits = group.settings.limits.clone();
                group.settings == gocache_core::Settings { limits, ..it.settings.clone() }
            });
            if !is_same {
                keys.push(format!("groups.{}", group.name));
            }
        }
        let known = |name: &str| self.groups.iter().any(|group| group.name == name);
        let new = other.groups.iter().filter(|group| !known(&group.name));
        keys.extend(new.map(|group| format!("groups.{}", group.name)));
        if limits(self) != limits(other) {
            let those = ["limits.key_bytes", "limits.flights", "limits.waiters", "deadlines.load"];
            keys.push(format!("one of {}", those.join(" ")));
        }
        if self.ring != other.ring {
            keys.push("cluster".to_owned());
        }
        if self.memory_bytes < other.memory_bytes && keys.is_empty() {
            keys.push("limits.value_bytes".to_owned());
        }
        keys
    }
}

/// Linear memory for caches of these budgets and values of up to `value_bytes`.
fn memory_bytes(budgets: impl Iterator<Item = usize>, value_bytes: usize) -> usize {
    /// Stack, loads in the air, waiters.
    const BESIDE: usize = 64 << 20;
    /// A value on its way in or out is held twice for a moment, and freed memory is in pieces.
    const COPIES: usize = 3;
    // The budget counts what the allocator is asked for. What it adds to each entry came to another
    // .3 of it with values of 1 byte, and the holes where values of 1 MiB took their place to .9.
    let caches = budgets.fold(0, usize::saturating_add).saturating_mul(2);
    let values = value_bytes.saturating_mul(COPIES);
    caches.saturating_add(values).saturating_add(BESIDE)
}
