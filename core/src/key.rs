//! `Key`: the owned form of a key, and the seeded hash under which tables keep it.

use alloc::sync::Arc;
use core::{fmt, hash::Hasher, mem::size_of, ops::Deref};

use foldhash::{SharedSeed, fast::FoldHasher};

/// The bytes of a key, counted by reference: the flight, its fetch and the cache share one copy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(Arc<[u8]>);

impl Key {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    /// Bytes of memory behind the handle, the two counts of the `Arc` included.
    pub(crate) fn memory(&self) -> usize {
        shared_slice_memory(self.0.len())
    }
}

/// What the allocator gives for an `Arc<[u8]>` of this length: two counts, then the bytes, the
/// whole rounded up to the counts' alignment.
pub(crate) fn shared_slice_memory(len: usize) -> usize {
    (2 * size_of::<usize>() + len).next_multiple_of(size_of::<usize>())
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.escape_ascii())
    }
}

/// The seed of every table of a group. Who does not know it cannot choose keys that collide, so
/// the frontend draws it from the system's random source at each start.
#[derive(Clone)]
pub struct Seed {
    per_hasher: u64,
    shared: SharedSeed,
}

impl Seed {
    /// A seed from one random number.
    #[must_use]
    pub const fn new(random: u64) -> Self {
        Self {
            // The two seeds must differ; foldhash mixes the second one itself.
            per_hasher: random ^ 0x9e37_79b9_7f4a_7c15,
            shared: SharedSeed::from_u64(random),
        }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.per_hasher, &self.shared);
        hasher.write(key);
        hasher.finish()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A seed in a log is a seed known to an attacker.
        f.write_str("Seed(..)")
    }
}
