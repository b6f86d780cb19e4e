//! The counters of a group, as one plain value.

use core::ops::AddAssign;

/// Declares the counters, and their sum.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a group has done since it began, and what it holds now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Stats {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters! {
    /// Requests of clients and peers, whatever came of them, but for keys that are too long.
    gets,
    /// Answered from memory.
    hits,
    /// Joined a load that was already in the air: loads saved by single flight.
    waits,
    /// Turned away at a limit: too many loads in the air, or too many waiting for one.
    busy,
    /// Loads begun at the origin.
    origin_loads,
    /// Loads begun at the peer that owns the key.
    peer_loads,
    /// Loads that a peer failed and the origin took over.
    peer_failures,
    /// Loads that ended with "no such key".
    not_found,
    /// Loads that ended with an error, the ones given up at the deadline included.
    load_errors,
    /// Values put by request, whether or not they fitted.
    puts,
    /// Keys removed by request, whether or not there was a value.
    removals,
    /// Entries that made room for others.
    evictions,
    /// Those of them that nobody had asked for again: a high share says that the budget is small,
    /// or that the keys are many and asked for once.
    evictions_unused,
    /// Entries found past their lifetime, or stored before a flush.
    expirations,
    /// Values served and not stored, for they do not fit the budget.
    refused_too_large,
    /// Values served and not stored, for the allocator had no memory.
    refused_no_memory,
    /// Entries now held, those included that have expired and wait to be swept.
    entries,
    /// Bytes of memory now held by entries and tables: what the allocator gave, to the byte.
    bytes,
    /// The budget for those bytes.
    budget,
    /// Bytes of values that are no longer cached, and still held by who got them.
    lent_bytes,
    /// Loads now in the air.
    flights,
    /// Bytes of memory that keep track of them: outside of the budget, but within the limits.
    flight_bytes,
}

impl Stats {
    /// Requests that were not answered from memory.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.gets.saturating_sub(self.hits)
    }
}
