//! What can go wrong. Every variant says whose fault it is and whether to try again. A `get` that fails
//! changes nothing of what the cache holds; a `put` that fails takes the older value of its key.

use core::fmt;

use crate::entry::OutOfMemory;

/// Why a `get` has no value, or a `put` stores none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller's fault: the key is longer than [`Limits::key_bytes`](crate::Limits::key_bytes).
    KeyTooLong {
        /// The longest key the group takes.
        limit: usize,
    },
    /// Nobody's fault: the origin has no such key. It is asked again next time.
    NotFound,
    /// The origin's fault (or the owner's): it answered with an error or with nonsense. The next
    /// `get` asks again.
    Failed,
    /// The origin's fault: no answer within the deadline. The next `get` asks again.
    TimedOut,
    /// The fault of the code that loads: it panicked. The next `get` asks again.
    Panicked,
    /// Too many loads in the air, or too many waiting for this one: try again a little later.
    Busy,
    /// The allocator has no memory to begin a load, to wait for one or to keep what was put: try
    /// again a little later.
    OutOfMemory,
    /// The caller's fault: what was put does not fit the budget of its group.
    TooLarge,
    /// The caller's fault: the node has no group of that number.
    NoSuchGroup,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong { limit } => write!(f, "the key is longer than {limit} bytes"),
            Self::NotFound => f.write_str("no such key at the origin"),
            Self::Failed => f.write_str("the origin failed to answer"),
            Self::TimedOut => f.write_str("the origin did not answer in time"),
            Self::Panicked => f.write_str("the load broke off inside this node"),
            Self::Busy => f.write_str("too many loads at once, try again later"),
            Self::OutOfMemory => f.write_str("out of memory, try again later"),
            Self::TooLarge => f.write_str("the value does not fit the budget of its group"),
            Self::NoSuchGroup => f.write_str("no group of this number"),
        }
    }
}

impl core::error::Error for Error {}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// How a load ended without a value, told to [`Node::land`](crate::Node::land).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The source says that there is no such key.
    NotFound,
    /// The source failed, or its answer made no sense.
    Failed,
    /// The source was too late.
    TimedOut,
    /// The load never began: the queue to the source is full.
    Busy,
    /// The code that loads panicked.
    Panicked,
    /// The owner cannot be reached or is no help: the load goes on at the origin. From the origin
    /// itself this counts as [`LoadError::Failed`].
    PeerDown,
    /// There was no memory for what the source answered.
    OutOfMemory,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the source has no such key",
            Self::Failed => "the source failed to answer",
            Self::TimedOut => "the source did not answer in time",
            Self::Busy => "the queue to the source is full",
            Self::Panicked => "the load panicked",
            Self::PeerDown => "the owner of the key cannot be reached",
            Self::OutOfMemory => "no memory for what the source answered",
        })
    }
}

impl core::error::Error for LoadError {}

impl From<OutOfMemory> for LoadError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::NotFound => Self::NotFound,
            LoadError::Failed | LoadError::PeerDown => Self::Failed,
            LoadError::TimedOut => Self::TimedOut,
            LoadError::Busy => Self::Busy,
            LoadError::Panicked => Self::Panicked,
            LoadError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

/// Why a value is not stored. An older value of its key is gone even so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not fit the budget beside the tables it needs, or no entry can have it: the key is longer
    /// than the group or 65,535 bytes allow, the value as long as 4 GiB.
    TooLarge,
    /// The allocator had no memory, not even after others had been evicted.
    OutOfMemory,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the value does not fit the budget",
            Self::OutOfMemory => "no memory for the value",
        })
    }
}

impl core::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TooLarge,
            Refusal::OutOfMemory => Self::OutOfMemory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddError, RouteError};

    #[test]
    fn each_of_them_is_an_error_that_can_be_passed_on() {
        fn is_error<E: core::error::Error + Send + Sync + Copy + 'static>() {}
        is_error::<Error>();
        is_error::<LoadError>();
        is_error::<Refusal>();
        is_error::<OutOfMemory>();
        is_error::<AddError>();
        is_error::<RouteError>();
        #[cfg(feature = "ring")]
        is_error::<crate::RingError>();
    }
}
