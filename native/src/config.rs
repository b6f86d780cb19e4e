//! The configuration: a TOML file as it is written (`raw`), and as it was checked (`Config`).
//!
//! Everything that can be wrong with it is found here, before a socket is opened, and is told with
//! file, line and column.

mod check;
mod error;
mod follow;
mod keys;
mod origins;
mod overrides;
mod raw;
mod tls;
mod writes;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use gocache_core::{Eviction, GroupId, PeerId, Ring, Settings};

pub use error::ConfigError;
use error::Source;
pub use overrides::Overrides;
pub use tls::TlsConfig;
pub use writes::WritesConfig;

use crate::{http1::HeadLimits, sockets::Sockets, tls::Connector};

/// The demonstration: what is served when no file is named.
pub const DEMONSTRATION: &str = include_str!("demonstration.toml");

/// A configuration that has been checked.
#[derive(Debug)]
pub struct Config {
    /// Where clients and peers are answered.
    pub listen: SocketAddr,
    /// Where operators are answered.
    pub ops_listen: SocketAddr,
    /// Where these two are set, for errors that show only when they are used.
    pub(crate) listen_set: String,
    pub(crate) ops_listen_set: String,
    /// Sockets that were handed over, to be used in place of these two.
    pub sockets: Sockets,
    /// Where databases are looked for that are not named by an absolute path.
    pub data_dir: PathBuf,
    /// How many event loops share the data port.
    pub loops: usize,
    /// What is logged: a level, or directives such as `warn,gocache=debug`.
    pub log: String,
    /// The path under which keys are served.
    pub base: String,
    /// The groups, in the order of their names.
    pub groups: Vec<GroupConfig>,
    /// All groups by their numbers: these, and in a server that runs those that were before.
    numbered: Vec<GroupConfig>,
    /// The origins, in the order of their names.
    pub origins: Vec<OriginConfig>,
    /// The cluster, if the node stands in one.
    pub cluster: Option<ClusterConfig>,
    /// TLS on the data port, if it is not plain.
    pub tls: Option<TlsConfig>,
    /// Variables of the environment that begin like settings, and are none.
    pub strangers: Vec<String>,
    /// What can be served as it is, and should not stay so.
    pub warnings: Vec<String>,
    /// Who may write; `None`: nobody.
    pub writes: Option<WritesConfig>,
    /// What is granted to clients at the most.
    pub limits: Limits,
    /// How long everything may take.
    pub deadlines: Deadlines,
}

/// A group.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// Its name in the path.
    pub name: String,
    /// The number by which the engine knows it.
    pub id: GroupId,
    /// Bytes of memory that it may hold.
    pub budget: usize,
    /// Its origin: the place in [`Config::origins`].
    pub origin: usize,
    /// After this long a value is loaded anew.
    pub lifetime: Option<Duration>,
    /// By how many percent a lifetime may be cut short, each entry's by its own share.
    pub jitter: u8,
    /// Which entry goes when room is needed.
    pub policy: Eviction,
    /// The `Content-Type` of its values.
    pub content_type: String,
    /// Whether a client with the token may write to it.
    pub writable: bool,
}

/// An origin: where values come from.
#[derive(Debug)]
pub struct OriginConfig {
    /// Its name in the file and in the log.
    pub name: String,
    /// What it is.
    pub kind: OriginKind,
}

/// The kinds of origins.
#[derive(Debug)]
pub enum OriginKind {
    /// An SQLite database in a file.
    Sqlite(SqliteConfig),
    /// A server that answers `GET {url}{key}`.
    Http(Target),
}

/// An SQLite database as an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The file.
    pub database: PathBuf,
    /// A query with one parameter, the key, whose first column of the first row is the value.
    pub query: String,
    /// Connections, each on a thread of its own.
    pub workers: usize,
    /// How long to wait for a lock on the database.
    pub busy_timeout: Duration,
    /// Bytes of a value at the most.
    pub value_bytes: usize,
}

/// A server that is asked over HTTP, and under which path.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host and port, as in the `Host` field.
    pub authority: String,
    /// The path before the key.
    pub path: String,
    /// An origin that is asked over TLS.
    pub(crate) tls: Option<Connector>,
}

/// The nodes of a cluster.
#[derive(Debug)]
pub struct ClusterConfig {
    /// All nodes, as they reach each other: `HOST:PORT`.
    pub nodes: Vec<String>,
    /// Which of them this node is.
    pub own: PeerId,
    /// Who shows this secret is a node; without one it takes a certificate.
    pub secret: Option<String>,
    /// Who owns which key.
    pub ring: Ring,
}

impl ClusterConfig {
    /// By what a request for another node is marked: the secret, or who asks where a certificate
    /// takes its place.
    pub(crate) fn mark(&self) -> &str {
        self.secret.as_ref().unwrap_or_else(|| &self.nodes[usize::from(self.own.0)])
    }
}

/// What is granted at the most.
#[derive(Debug)]
pub struct Limits {
    /// Connections of clients.
    pub connections: usize,
    /// What the head of a request may hold.
    pub(crate) head: HeadLimits,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a request body.
    pub body_bytes: u64,
    /// Bytes of a value, as an origin sends it.
    pub value_bytes: usize,
    /// Loads in the air, for each group.
    pub flights: usize,
    /// Who may wait for one load.
    pub waiters: usize,
    /// Answers that a connection may be owed before no more of it is read.
    pub pipeline: usize,
    /// Writes of clients under way, the receipt of their bodies included.
    pub writes: usize,
}

/// How long things may take.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it; the README has the table")]
pub struct Deadlines {
    pub head: Duration,
    pub body: Duration,
    pub idle: Duration,
    pub write: Duration,
    pub drain: Duration,
    pub load: Duration,
    pub connect: Duration,
    pub peer: Duration,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it cannot be read, does not parse, or says something that cannot be.
    pub fn from_file(file: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let message = format!("cannot be read: {error}; name the file with --config FILE");
            ConfigError::whole_file(file, message)
        })?;
        Self::check(&Source { file, text: &text, overrides })
    }

    /// The demonstration.
    ///
    /// # Errors
    /// If an override makes it invalid.
    pub fn demonstration(overrides: &Overrides) -> Result<Self, ConfigError> {
        let file = Path::new("(demonstration)");
        Self::check(&Source { file, text: DEMONSTRATION, overrides })
    }

    /// Checks a text as if it were a file.
    ///
    /// # Errors
    /// As with [`Config::from_file`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let overrides = &Overrides::default();
        Self::check(&Source { file: Path::new("(text)"), text, overrides })
    }

    /// A group as the core is told of it.
    #[must_use]
    pub fn settings(&self, group: &GroupConfig) -> Settings {
        Settings {
            budget: group.budget,
            eviction: group.policy,
            lifetime: group.lifetime,
            // Rounded down: no lifetime is cut by more than the file says.
            jitter: (u16::from(group.jitter) * 256 / 100) as u8,
            shards: shards(group.budget, self.loops),
            // It is the `ETag` of every hit.
            digests: true,
            estimates: false,
            limits: gocache_core::Limits {
                key_bytes: self.limits.key_bytes,
                flights: self.limits.flights,
                waiters: self.limits.waiters,
                load_deadline: self.deadlines.load,
            },
        }
    }
}

/// In how many parts with a lock each a group is kept. Where there are a few for each loop, loops
/// seldom wait for each other; but the order of eviction is exact only within one. In a small group
/// that shows, and there are not many entries to wait for.
fn shards(budget: usize, loops: usize) -> u16 {
    const SMALL: usize = 8 << 20;
    const MOST: u16 = 64;
    match u16::try_from(4 * loops) {
        _ if budget < SMALL => 1,
        Ok(shards) => shards.min(MOST),
        Err(_) => MOST,
    }
}

#[cfg(test)]
mod tests;
