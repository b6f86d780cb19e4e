//! `Value`: immutable bytes, shared between the cache and everyone who is being answered.

use alloc::sync::Arc;
use core::{fmt, ops::Deref};

use twox_hash::XxHash3_64;

use crate::key::shared_slice_memory;

/// The bytes of a value. A clone copies no bytes; eviction does not take them from who holds one.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    bytes: Arc<[u8]>,
    digest: u64,
}

impl Value {
    /// XXH3-64 of the bytes, taken once at the load: the same on every node and after every
    /// restart, so that it serves as a strong validator (RFC 9110, 8.8.3) in the whole cluster.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn memory(&self) -> usize {
        shared_slice_memory(self.bytes.len())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self { bytes: Arc::from(bytes), digest: XxHash3_64::oneshot(bytes) }
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.len())
    }
}
