//! The seeded hash under which tables keep a key.

#[cfg(any(test, not(any(target_pointer_width = "64", target_family = "wasm"))))]
mod narrow;
#[cfg(any(target_pointer_width = "64", target_family = "wasm"))]
mod wide;

use core::fmt;

#[cfg(not(any(target_pointer_width = "64", target_family = "wasm")))]
use narrow::Key;
#[cfg(any(target_pointer_width = "64", target_family = "wasm"))]
use wide::Key;

/// The seed of every table of a group. Who does not know it cannot choose keys that collide, so
/// the frontend draws it from the system's random source at each start.
#[derive(Clone)]
pub struct Seed(Key);

impl Seed {
    /// A seed from one random number.
    #[must_use]
    pub const fn new(random: u64) -> Self {
        Self(Key::new(random))
    }

    /// All 64 bits count: tables take a tag, a place and a segment from different ones.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash(key)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A seed in a log is a seed known to an attacker.
        f.write_str("Seed(..)")
    }
}
