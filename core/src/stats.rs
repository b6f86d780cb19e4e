//! The counters of a group, as one plain value.

/// What a group has done since it began, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests of clients and peers, whatever came of them.
    pub gets: u64,
    /// Answered from memory.
    pub hits: u64,
    /// Joined a load that was already in the air: loads saved by single flight.
    pub waits: u64,
    /// Turned away at a limit: too many loads in the air, or too many waiting for one.
    pub busy: u64,
    /// Loads begun at the origin.
    pub origin_loads: u64,
    /// Loads begun at the peer that owns the key.
    pub peer_loads: u64,
    /// Loads that a peer failed and the origin took over.
    pub peer_failures: u64,
    /// Loads that ended with "no such key".
    pub not_found: u64,
    /// Loads that ended with an error, the ones given up at the deadline included.
    pub load_errors: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries found past their lifetime.
    pub expirations: u64,
    /// Values served and not stored, for they do not fit the budget.
    pub refusals: u64,
    /// Entries now held.
    pub entries: u64,
    /// Bytes of memory now held by entries and tables.
    pub bytes: u64,
    /// The budget for those bytes.
    pub budget: u64,
    /// Loads now in the air.
    pub flights: u64,
}
