//! What a group grants at the most: whatever a client can make grow has a number here.

use core::time::Duration;

/// The limits of one group. `Default` suits a server of some thousand connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest key in bytes.
    pub key_bytes: usize,
    /// Loads in the air at one time; the next key that is not cached is refused as busy.
    pub flights: usize,
    /// Who may wait for one load; the next one is refused as busy.
    pub waiters: usize,
    /// A load that has not landed after this long is given up: see `Node::overdue`.
    pub load_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes: 8 << 10,
            flights: 1 << 10,
            waiters: 16 << 10,
            load_deadline: Duration::from_secs(5),
        }
    }
}
