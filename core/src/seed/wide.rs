//! The hash where one instruction multiplies 64 bits: foldhash.

use core::hash::Hasher;

use foldhash::{SharedSeed, fast::FoldHasher};

#[derive(Clone)]
pub(super) struct Key {
    per_hasher: u64,
    shared: SharedSeed,
}

impl Key {
    pub(super) const fn new(random: u64) -> Self {
        Self {
            // The two seeds must differ; foldhash mixes the second one itself.
            per_hasher: random ^ 0x9e37_79b9_7f4a_7c15,
            shared: SharedSeed::from_u64(random),
        }
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.per_hasher, &self.shared);
        hasher.write(bytes);
        hasher.finish()
    }
}
