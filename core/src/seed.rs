//! The seeded hash under which tables keep a key.

use core::{fmt, hash::Hasher};

use foldhash::{SharedSeed, fast::FoldHasher};

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
