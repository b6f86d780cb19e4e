//! What a group is given: its budget, its lifetimes, and a number for whatever a client can make
//! grow.

use core::{
    sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use crate::{
    policy::Eviction,
    time::{Instant, ticks},
};

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
    ///
    /// What a group begins with is there whatever the budget is: for each shard half a kilobyte, and 32
    /// bytes for each 32 KiB of its share. What does not fit beside that is refused. So is
    /// a value of 4 GiB or more, however large the budget is; and more than half of what a pointer can
    /// tell apart counts as that half.
    ///
    /// Up to 32 GiB a shard there are the more tables the larger it is, so that none takes long to grow.
    /// Beyond that they grow larger, until a shard has some two thousand million entries: then they are
    /// full one after the other, and a value is refused as
    /// [`Refusal::OutOfMemory`](crate::Refusal::OutOfMemory). More shards go further.
    pub budget: usize,
    /// Which entry goes when room is needed.
    pub eviction: Eviction,
    /// After this long a value is loaded anew. It counts in steps of 20 milliseconds, of which the first
    /// may have begun before: one at least, and 497 days of them at most. `None`: it stays until it is
    /// evicted or removed.
    pub lifetime: Option<Duration>,
    /// By how many 256ths a lifetime may be cut short, each entry's by its own share, so that what
    /// was loaded together does not expire together. 0 unless set.
    pub jitter: u8,
    /// Parts of the group with a lock each. The order of eviction is exact within one of them; so
    /// it is 1 unless set, and should be a few times the number of threads where several ask. 0 counts
    /// as 1.
    pub shards: u16,
    /// Whether an entry keeps its [`digest`](crate::Value::digest), eight bytes more.
    #[cfg(feature = "digests")]
    pub digests: bool,
    /// Whether the group estimates what other budgets would bring: see
    /// [`Group::estimates`](crate::Group::estimates). That takes one to two hundredths of the budget, and
    /// for one key in 128 a lock that all shards share. It knows sixteen million of those keys for each
    /// of the other budgets: from some 64 GiB on it can say less than it should.
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
    /// Loads in the air at one time; the next key that is not cached is refused as busy. With 0 nothing
    /// is loaded, and only what is put is there.
    pub flights: usize,
    /// Who may wait for one load, the one who began it included; the next one is refused as busy.
    pub waiters: usize,
    /// A load that has not landed after this long is given up: see
    /// [`Node::overdue`](crate::Node::overdue). On 32-bit processors 49 days at most.
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

/// Those of the settings that may change while the group is used.
///
/// Relaxed: each stands for itself, and for a moment the old one is as good as the new one.
pub(crate) struct Tunable {
    /// In ticks; 0 stands for none.
    lifetime: AtomicU32,
    jitter: AtomicU8,
    key_bytes: AtomicUsize,
    flights: AtomicUsize,
    waiters: AtomicUsize,
    /// In milliseconds.
    load_deadline: AtomicUsize,
}

impl Tunable {
    pub(crate) fn new(settings: &Settings) -> Self {
        let zero = || AtomicUsize::new(0);
        let new = Self {
            lifetime: AtomicU32::new(0),
            jitter: AtomicU8::new(0),
            key_bytes: zero(),
            flights: zero(),
            waiters: zero(),
            load_deadline: zero(),
        };
        new.set(settings);
        new
    }

    pub(crate) fn set(&self, settings: &Settings) {
        let Settings { lifetime, jitter, ref limits, .. } = *settings;
        let Limits { key_bytes, flights, waiters, load_deadline } = *limits;
        let deadline = Instant::ZERO.after(load_deadline).as_millis();
        let deadline = usize::try_from(deadline).unwrap_or(usize::MAX);
        self.lifetime.store(lifetime.map_or(0, ticks), Ordering::Relaxed);
        self.jitter.store(jitter, Ordering::Relaxed);
        self.key_bytes.store(key_bytes.min(usize::from(u16::MAX)), Ordering::Relaxed);
        self.flights.store(flights, Ordering::Relaxed);
        self.waiters.store(waiters, Ordering::Relaxed);
        self.load_deadline.store(deadline, Ordering::Relaxed);
    }

    /// The lifetime in ticks.
    pub(crate) fn lifetime(&self) -> Option<u32> {
        Some(self.lifetime.load(Ordering::Relaxed)).filter(|&ticks| ticks > 0)
    }

    pub(crate) fn jitter(&self) -> u8 {
        self.jitter.load(Ordering::Relaxed)
    }

    pub(crate) fn key_bytes(&self) -> usize {
        self.key_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> Limits {
        let deadline = self.load_deadline.load(Ordering::Relaxed);
        Limits {
            key_bytes: self.key_bytes(),
            flights: self.flights.load(Ordering::Relaxed),
            waiters: self.waiters.load(Ordering::Relaxed),
            load_deadline: Duration::from_millis(deadline as u64),
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
