//! Origins that need a thread. Each has a pool of workers with a queue of bounded length, so that
//! a source that is slow keeps neither a loop nor memory.

mod pool;
#[cfg_attr(not(feature = "sqlite"), path = "no_sqlite.rs")]
mod sqlite;

use std::fmt;

pub(crate) use pool::{Land, Pool, Terms};
pub(crate) use sqlite::Sqlite;

use crate::config::{Config, OriginKind};

/// Loads values on a worker's own thread.
pub(crate) trait Origin {
    /// The value of a key, `None` if there is no such key.
    fn load(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;
}

/// Why a source gave no answer, in its own words; they go to the log and to nobody else.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fills the databases of the demonstration, where they are empty. The error says which cannot be
/// written, and why.
pub(crate) fn create_demonstration(config: &Config) -> Result<(), String> {
    for origin in &config.origins {
        if let OriginKind::Sqlite(sqlite) = &origin.kind {
            let created = sqlite::create_demonstration(&sqlite.database);
            created.map_err(|error| format!("the demonstration cannot be created: {error}"))?;
        }
    }
    Ok(())
}
