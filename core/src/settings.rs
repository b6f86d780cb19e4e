//! What a group is given: its budget, its lifetimes, and a number for whatever a client can make
//! grow.

use core::time::Duration;

use crate::policy::Eviction;

/// The settings of a group.
///
/// ```
/// # use gocache_core::{Eviction, Settings};
/// # use core::time::Duration;
/// let settings = Settings {
///     budget: 64 << 20,
///     eviction: Eviction::S3Fifo,
///     lifetime: Some(Duration::from_secs(60)),
///     ..Settings::default()
/// };
/// # assert_eq!(settings.shards, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of memory that entries and tables take up at most; 64 MiB unless set.
    pub budget: usize,
    /// Which entry goes when room is needed.
    pub eviction: Eviction,
    /// After this long a value is loaded anew. `None`: it stays until it is evicted or removed.
    pub lifetime: Option<Duration>,
    /// By how many 256ths a lifetime may be cut short, each entry's by its own share, so that what
    /// was loaded together does not expire together. 0 unless set.
    pub jitter: u8,
    /// Parts of the group with a lock each. The order of eviction is exact within one of them; so
    /// it is 1 unless set, and should be a few times the number of threads where several ask.
    pub shards: u16,
    /// Whether an entry keeps its [`digest`](crate::Value::digest), eight bytes more.
    #[cfg(feature = "digests")]
    pub digests: bool,
    /// Whether the group estimates what other budgets would bring: see
    /// [`Group::estimates`](crate::Group::estimates).
    #[cfg(feature = "estimates")]
    pub estimates: bool,
    /// The limits.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            budget: 64 << 20,
            eviction: Eviction::Lru,
            lifetime: None,
            jitter: 0,
            shards: 1,
            #[cfg(feature = "digests")]
            digests: false,
            #[cfg(feature = "estimates")]
            estimates: false,
            limits: Limits::default(),
        }
    }
}

/// The limits of one group. `Default` suits a server of some thousand connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest key in bytes; no more than 65,535 count.
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
