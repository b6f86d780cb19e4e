//! The peers in a replay. Ids are their keys and sizes their values: what is compared is whom they
//! keep. In one shard each, for a share of a small cache is another cache.
//!
//! `lru`, `hashlink` and `schnellru` are exact LRU and know no sizes: the reference speaks for
//! them.

use foyer_memory::{Cache as FoyerCache, CacheBuilder, EvictionConfig, LruConfig, S3FifoConfig};
use quick_cache::{OptionsBuilder, Weighter, sync::DefaultLifecycle};

use super::{Policy, Trace};
use crate::contender::Hash;

/// An object weighs what it is large.
#[derive(Clone)]
struct Size;

impl Weighter<u32, u64> for Size {
    fn weight(&self, _: &u32, size: &u64) -> u64 {
        *size
    }
}

/// The crate `quick_cache`. It wants to know how many objects to expect: so many as fit of the
/// mean size.
pub struct Quick(quick_cache::sync::Cache<u32, u64, Size, Hash, DefaultLifecycle<u32, u64>>);

impl Quick {
    pub fn new(trace: &Trace, room: u64) -> Self {
        let footprint: u64 = trace.sizes.iter().sum();
        let expected = u128::from(room) * trace.objects() as u128 / u128::from(footprint);
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity((expected as usize).max(1))
            .weight_capacity(room)
            .build()
            .expect("both capacities are set");
        let life = DefaultLifecycle::default();
        Self(quick_cache::sync::Cache::with_options(options, Size, Hash::default(), life))
    }
}

impl Policy for Quick {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let hit = self.0.get(&id).is_some();
        if !hit {
            self.0.insert(id, size);
        }
        hit
    }
}

/// The crate `moka`. Its weights end at 2^32, so those of larger caches are in KiB. It is made to
/// do at each insert what it would put off.
pub struct Moka(moka::sync::Cache<u32, u64, Hash>);

impl Moka {
    pub fn new(room: u64) -> Self {
        let shift = if room > u64::from(u32::MAX) { 10 } else { 0 };
        let weigher =
            move |_: &u32, size: &u64| u32::try_from(size.div_ceil(1 << shift)).unwrap_or(u32::MAX);
        let builder = moka::sync::Cache::builder().max_capacity(room >> shift).weigher(weigher);
        Self(builder.build_with_hasher(Hash::default()))
    }
}

impl Policy for Moka {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let hit = self.0.get(&id).is_some();
        if !hit {
            self.0.insert(id, size);
            self.0.run_pending_tasks();
        }
        hit
    }
}

/// The crate `foyer-memory`.
pub struct Foyer(FoyerCache<u32, u64, Hash>);

impl Foyer {
    /// With its default policy.
    pub fn lru(room: u64) -> Self {
        Self::new(room, LruConfig::default().into())
    }

    /// With its S3-FIFO, in its default configuration.
    pub fn s3fifo(room: u64) -> Self {
        Self::new(room, S3FifoConfig::default().into())
    }

    fn new(room: u64, policy: EvictionConfig) -> Self {
        let room = usize::try_from(room).expect("as many bytes as memory may have");
        let builder = CacheBuilder::new(room)
            .with_shards(1)
            .with_eviction_config(policy)
            .with_hash_builder(Hash::default())
            .with_weighter(|_: &u32, size: &u64| *size as usize);
        Self(builder.build())
    }
}

impl Policy for Foyer {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let hit = self.0.get(&id).is_some();
        if !hit {
            self.0.insert(id, size);
        }
        hit
    }
}
