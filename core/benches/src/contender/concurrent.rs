//! The peers that threads share as they are: `quick_cache`, `moka`, `foyer-memory`, each with its
//! default number of shards.

use std::sync::Arc;

use foyer_memory::{Cache as FoyerCache, CacheBuilder, CacheEntry};
use quick_cache::{UnitWeighter, sync::DefaultLifecycle};

use super::{Hash, Room, Shared};

type QuickLife = DefaultLifecycle<Box<[u8]>, Arc<[u8]>>;

/// The crate `quick_cache`: Clock-PRO in shards behind parking_lot's locks.
pub struct Quick(quick_cache::sync::Cache<Box<[u8]>, Arc<[u8]>, UnitWeighter, Hash, QuickLife>);

impl Shared for Quick {
    const NAME: &'static str = "quick_cache";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        let entries = room.sharded();
        Self(quick_cache::sync::Cache::with(
            entries,
            entries as u64,
            UnitWeighter,
            Hash::default(),
            QuickLife::default(),
        ))
    }

    fn get(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.0.get(key)
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}

/// The crate `moka`: W-TinyLFU; uses are logged and applied later, by whoever comes along.
pub struct Moka(moka::sync::Cache<Box<[u8]>, Arc<[u8]>, Hash>);

impl Shared for Moka {
    const NAME: &'static str = "moka";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(room.sharded() as u64);
        Self(builder.build_with_hasher(Hash::default()))
    }

    fn get(&self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.0.get(key)
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// The crate `foyer-memory` with its default policy, LRU. Its entry is a counted handle already,
/// so the value in it needs no count of its own.
pub struct Foyer(FoyerCache<Box<[u8]>, Box<[u8]>, Hash>);

/// A hit of foyer's.
pub struct FoyerHit(CacheEntry<Box<[u8]>, Box<[u8]>, Hash>);

impl AsRef<[u8]> for FoyerHit {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

impl Shared for Foyer {
    const NAME: &'static str = "foyer";
    type Handle = FoyerHit;

    fn new(room: Room) -> Self {
        let builder = CacheBuilder::new(room.sharded()).with_hash_builder(Hash::default());
        Self(builder.build())
    }

    fn get(&self, key: &[u8]) -> Option<FoyerHit> {
        self.0.get(key).map(FoyerHit)
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}
