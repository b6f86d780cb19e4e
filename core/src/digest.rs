//! The digest of a value: a strong validator that is the same on every node of a cluster.

use twox_hash::XxHash3_64;

use allocator_api2::alloc::Global;

use crate::entry::{Extras, Memory, OutOfMemory, Parts, Value};

impl Value {
    /// A value of these bytes, as [`Value::new`] makes one, of which the digest is known: somebody
    /// who has it hands it over with the bytes. It is not checked.
    ///
    /// # Errors
    /// If the global allocator has no memory.
    pub fn with_digest(bytes: &[u8], digest: u64) -> Result<Self, OutOfMemory> {
        let extras = Extras { digest: Some(digest), ..Extras::default() };
        Self::allocate(&Parts { value: bytes, extras, ..Parts::default() }, Global)
    }
}

impl<A: Memory> Value<A> {
    /// XXH3-64 of the bytes: the same on every node and after every restart, so that it serves as
    /// a strong validator (RFC 9110, 8.8.3) in a whole cluster. An entry of a group that keeps
    /// [`digests`](crate::Settings::digests) has it ready; else it is computed, byte by byte.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.extras().digest.unwrap_or_else(|| of(self))
    }
}

pub(crate) fn of(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}
