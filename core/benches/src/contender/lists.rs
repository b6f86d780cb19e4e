//! The peers that are one exact LRU list, for one thread: `lru`, `hashlink`, `schnellru`. Where
//! threads share them, a std `Mutex` stands around.

use std::{
    hash::{Hash as StdHash, Hasher},
    num::NonZeroUsize,
    sync::Arc,
};

use schnellru::{ByLength, LruMap};

use super::{Contender, Hash, Room};

/// The crate `lru`.
pub struct Lru(lru::LruCache<Box<[u8]>, Arc<[u8]>, Hash>);

impl Contender for Lru {
    const NAME: &'static str = "lru";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        let entries = NonZeroUsize::new(room.whole()).expect("room for an entry");
        Self(lru::LruCache::with_hasher(entries, Hash::default()))
    }

    fn get(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.0.get(key).cloned()
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.put(key.into(), value.into());
    }
}

/// The crate `hashlink`.
pub struct Hashlink(hashlink::LruCache<Box<[u8]>, Arc<[u8]>, Hash>);

impl Contender for Hashlink {
    const NAME: &'static str = "hashlink";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        Self(hashlink::LruCache::with_hasher(room.whole(), Hash::default()))
    }

    fn get(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.0.get(key).cloned()
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}

/// The crate `schnellru`.
pub struct Schnellru(LruMap<Box<[u8]>, Arc<[u8]>, ByLength, Hash>);

/// A borrowed key, for which std has no comparison with a boxed one.
struct Borrowed<'a>(&'a [u8]);

impl StdHash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq<Box<[u8]>> for Borrowed<'_> {
    fn eq(&self, other: &Box<[u8]>) -> bool {
        *self.0 == **other
    }
}

impl Contender for Schnellru {
    const NAME: &'static str = "schnellru";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        let entries = u32::try_from(room.whole()).expect("fewer entries than 2^32");
        Self(LruMap::with_hasher(ByLength::new(entries), Hash::default()))
    }

    fn get(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.0.get(&Borrowed(key)).cloned()
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }
}
