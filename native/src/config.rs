//! The configuration: a TOML file as it is written (`raw`), and as it was checked (`Config`).
//!
//! Everything that can be wrong with it is found here, before a socket is opened, and is told with
//! file, line and column.

mod error;
mod raw;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use gocache_core::{DEFAULT_BASE, Group, Node, PeerId, Ring, Seed};
use toml::Spanned;

pub use error::ConfigError;
use error::Source;
use raw::{Period, Size};

use crate::http1::HeadLimits;

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
    /// The origins, in the order of their names.
    pub origins: Vec<OriginConfig>,
    /// The cluster, if the node stands in one.
    pub cluster: Option<ClusterConfig>,
    /// What is granted to clients at the most.
    pub limits: Limits,
    /// How long everything may take.
    pub deadlines: Deadlines,
}

/// A group.
#[derive(Debug)]
pub struct GroupConfig {
    /// Its name in the path.
    pub name: String,
    /// Bytes of memory that it may hold.
    pub budget: usize,
    /// Its origin: the place in [`Config::origins`].
    pub origin: usize,
    /// After this long a value is loaded anew.
    pub lifetime: Option<Duration>,
    /// The `Content-Type` of its values.
    pub content_type: String,
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
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file.
    pub database: PathBuf,
    /// A query with one parameter, the key, whose first column of the first row is the value.
    pub query: String,
    /// Connections, each on a thread of its own.
    pub workers: usize,
    /// How long to wait for a lock on the database.
    pub busy_timeout: Duration,
}

/// A server that is asked over HTTP, and under which path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port, as in the `Host` field.
    pub authority: String,
    /// The path before the key.
    pub path: String,
}

/// The nodes of a cluster.
#[derive(Debug)]
pub struct ClusterConfig {
    /// All nodes, as they reach each other: `HOST:PORT`.
    pub nodes: Vec<String>,
    /// Which of them this node is.
    pub own: PeerId,
    /// Who shows this secret is a node.
    pub secret: String,
    /// Who owns which key.
    pub ring: Ring,
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

/// Settings from the command line or the environment, which override the file.
#[derive(Debug, Default)]
pub struct Overrides {
    /// Instead of `listen`.
    pub listen: Option<SocketAddr>,
    /// Instead of `ops_listen`.
    pub ops_listen: Option<SocketAddr>,
    /// Instead of `data_dir`.
    pub data_dir: Option<PathBuf>,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// If it cannot be read, does not parse, or says something that cannot be.
    pub fn from_file(file: &Path, overrides: Overrides) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let message = format!("cannot be read: {error}; name the file with --config FILE");
            ConfigError::whole_file(file, message)
        })?;
        Self::check(&Source { file, text: &text }, overrides)
    }

    /// The demonstration.
    ///
    /// # Errors
    /// If an override makes it invalid.
    pub fn demonstration(overrides: Overrides) -> Result<Self, ConfigError> {
        let file = Path::new("(demonstration)");
        Self::check(&Source { file, text: DEMONSTRATION }, overrides)
    }

    /// Checks a text as if it were a file.
    ///
    /// # Errors
    /// As with [`Config::from_file`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::check(&Source { file: Path::new("(text)"), text }, Overrides::default())
    }

    /// The groups as the core sees them. Each start draws a new seed, so that nobody can choose
    /// keys that collide.
    #[must_use]
    pub fn groups(&self, seed: u64) -> Vec<Group> {
        let limits = gocache_core::Limits {
            key_bytes: self.limits.key_bytes,
            flights: self.limits.flights,
            waiters: self.limits.waiters,
            load_deadline: self.deadlines.load,
        };
        let group = |config: &GroupConfig| {
            let group = Group::new(&config.name, config.budget, Seed::new(seed));
            let group = group.limits(limits.clone());
            match config.lifetime {
                Some(lifetime) => group.lifetime(lifetime),
                None => group,
            }
        };
        self.groups.iter().map(group).collect()
    }

    /// The core that this configuration describes.
    #[must_use]
    pub fn node(&self, seed: u64) -> Node {
        let mut node = Node::new();
        for group in self.groups(seed) {
            let added = node.add(group);
            debug_assert!(added.is_some(), "names are unique: they are the keys of a table");
        }
        if let Some(cluster) = &self.cluster {
            node.join(cluster.ring.clone(), cluster.own);
        }
        node
    }

    fn check(source: &Source<'_>, overrides: Overrides) -> Result<Self, ConfigError> {
        let raw: raw::File = toml::from_str(source.text).map_err(|error| {
            source.error(error.span().unwrap_or_default(), error.message().to_owned())
        })?;
        let data_dir = overrides.data_dir.unwrap_or(raw.data_dir);
        let limits = limits(source, &raw.limits)?;
        let deadlines = deadlines(&raw.deadlines);
        let origins = raw.origins.into_iter();
        let origins = origins.map(|(name, raw)| origin(source, name, raw, &data_dir, &deadlines));
        let origins = origins.collect::<Result<Vec<_>, _>>()?;
        let groups = raw.groups.into_iter();
        let groups = groups.map(|(name, raw)| group(source, name, raw, &origins));
        let (listen, listen_set) = listen_on(source, raw.listen, overrides.listen, 9999, "listen");
        let (ops_listen, ops_listen_set) =
            listen_on(source, raw.ops_listen, overrides.ops_listen, 9998, "ops_listen");
        let config = Self {
            listen,
            ops_listen,
            listen_set,
            ops_listen_set,
            data_dir,
            loops: loops(source, raw.loops)?,
            log: raw.log,
            base: base(source, raw.base)?,
            groups: groups.collect::<Result<_, _>>()?,
            origins,
            cluster: raw.cluster.map(|raw| cluster(source, raw)).transpose()?,
            limits,
            deadlines,
        };
        if config.groups.len() > usize::from(u16::MAX) {
            return Err(source.error(0..0, "there are more than 65,535 groups".to_owned()));
        }
        if config.listen == config.ops_listen && config.listen.port() != 0 {
            let message = format!("listen and ops_listen are both {}; change one", config.listen);
            return Err(ConfigError::whole_file(source.file, message));
        }
        Ok(config)
    }
}

/// An address to listen on, and where it was set.
fn listen_on(
    source: &Source<'_>,
    raw: Option<Spanned<SocketAddr>>,
    overriding: Option<SocketAddr>,
    default_port: u16,
    key: &str,
) -> (SocketAddr, String) {
    match (overriding, raw) {
        (Some(address), _) => {
            let (flag, variable) = (key.replace('_', "-"), key.to_uppercase());
            (address, format!("--{flag} or GOCACHE_{variable}"))
        }
        (None, Some(raw)) => (*raw.get_ref(), source.at(&raw, key).to_string()),
        (None, None) => {
            let address = SocketAddr::from(([127, 0, 0, 1], default_port));
            (address, format!("{}: {key} (default)", source.file.display()))
        }
    }
}

/// More loops than this are a typing error; more than the addresses of waiters tell apart there cannot be (one is the operations').
const MAX_LOOPS: usize = crate::data::MAX_LANES / 2;

fn loops(source: &Source<'_>, raw: Option<Spanned<usize>>) -> Result<usize, ConfigError> {
    match raw {
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_LOOPS)),
        Some(loops) if (1..=MAX_LOOPS).contains(loops.get_ref()) => Ok(loops.into_inner()),
        Some(loops) => Err(source.at(&loops, format!("loops is a number from 1 to {MAX_LOOPS}"))),
    }
}

fn base(source: &Source<'_>, raw: Option<Spanned<String>>) -> Result<String, ConfigError> {
    let Some(raw) = raw else { return Ok(DEFAULT_BASE.to_owned()) };
    let text = raw.get_ref();
    let is_path = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
    if is_path && text.starts_with('/') && text.ends_with('/') {
        return Ok(raw.into_inner());
    }
    Err(source.at(&raw, "base is a path that begins and ends with a slash, as \"/_gocache/\""))
}

fn limits(source: &Source<'_>, raw: &raw::Limits) -> Result<Limits, ConfigError> {
    let bytes = |raw: Option<Size>, default: usize| raw.map_or(default, |Size(bytes)| bytes);
    let count = |raw: &Option<Spanned<usize>>, default: usize, most: usize| match raw {
        None => Ok(default),
        Some(count) if (1..=most).contains(count.get_ref()) => Ok(*count.get_ref()),
        Some(count) => Err(source.at(count, format!("this is a number from 1 to {most}"))),
    };
    let head_bytes = bytes(raw.head_bytes, 32 << 10);
    Ok(Limits {
        connections: count(&raw.connections, 16 << 10, 1 << 20)?,
        head: HeadLimits {
            bytes: head_bytes,
            fields: count(&raw.head_fields, 100, crate::http1::MAX_FIELDS)?,
            // RFC 9112, 3: request-lines of 8,000 octets work; three times the longest key, for
            // one that is percent-encoded throughout.
            target: bytes(raw.target_bytes, 25 << 10).min(head_bytes),
        },
        key_bytes: bytes(raw.key_bytes, 8 << 10),
        body_bytes: bytes(raw.body_bytes, 1 << 20) as u64,
        value_bytes: bytes(raw.value_bytes, 64 << 20),
        flights: count(&raw.flights, 1 << 10, 1 << 20)?,
        waiters: count(&raw.waiters, 16 << 10, 1 << 24)?,
        pipeline: count(&raw.pipeline, 128, 1 << 10)?,
    })
}

fn deadlines(raw: &raw::Deadlines) -> Deadlines {
    let millis = |raw: Option<Period>, default: u64| {
        raw.map_or(Duration::from_millis(default), |Period(duration)| duration)
    };
    Deadlines {
        head: millis(raw.head, 10_000),
        body: millis(raw.body, 10_000),
        idle: millis(raw.idle, 60_000),
        write: millis(raw.write, 10_000),
        drain: millis(raw.drain, 5_000),
        load: millis(raw.load, 5_000),
        connect: millis(raw.connect, 250),
        peer: millis(raw.peer, 3_000),
    }
}

fn group(
    source: &Source<'_>,
    name: Spanned<String>,
    raw: raw::Group,
    origins: &[OriginConfig],
) -> Result<GroupConfig, ConfigError> {
    if name.get_ref().is_empty() {
        return Err(source.at(&name, "a group needs a name"));
    }
    let origin = origins.iter().position(|origin| origin.name == *raw.origin.get_ref());
    let origin = origin.ok_or_else(|| {
        let unknown = raw.origin.get_ref();
        source.at(&raw.origin, format!("no origin is named {unknown:?}; add [origins.{unknown}]"))
    })?;
    let is_field_value = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if let Some(wrong) = raw.content_type.as_ref().filter(|text| !is_field_value(text.get_ref())) {
        return Err(source.at(wrong, "content_type holds characters that a field cannot"));
    }
    Ok(GroupConfig {
        budget: raw.budget.0,
        name: name.into_inner(),
        origin,
        lifetime: raw.lifetime.map(|Period(lifetime)| lifetime),
        content_type: raw
            .content_type
            .map_or_else(|| "application/octet-stream".to_owned(), Spanned::into_inner),
    })
}

fn origin(
    source: &Source<'_>,
    name: Spanned<String>,
    raw: raw::Origin,
    data_dir: &Path,
    deadlines: &Deadlines,
) -> Result<OriginConfig, ConfigError> {
    let raw::Origin { kind, database, query, workers, url } = raw;
    let missing = |key: &str| source.at(&kind, format!("this kind of origin needs the key {key}"));
    let foreign = |place: std::ops::Range<usize>| {
        source.error(place, format!("an origin of kind {:?} has no such key", kind.get_ref()))
    };
    let kind = match kind.get_ref().as_str() {
        "sqlite" => {
            if let Some(url) = url {
                return Err(foreign(url.span()));
            }
            OriginKind::Sqlite(SqliteConfig {
                database: data_dir.join(database.ok_or_else(|| missing("database"))?.into_inner()),
                query: query.ok_or_else(|| missing("query"))?.into_inner(),
                workers: workers_of(source, workers)?,
                // Whoever waits for a lock gives up before the load does, so that the log tells
                // why the load failed.
                busy_timeout: deadlines.load / 2,
            })
        }
        "http" => {
            let spans = [database.map(|it| it.span()), query.map(|it| it.span())];
            let span = spans.into_iter().chain([workers.map(|it| it.span())]).flatten().next();
            if let Some(span) = span {
                return Err(foreign(span));
            }
            OriginKind::Http(target(source, &url.ok_or_else(|| missing("url"))?)?)
        }
        _ => return Err(source.at(&kind, "kind is \"sqlite\" or \"http\"")),
    };
    Ok(OriginConfig { name: name.into_inner(), kind })
}

fn workers_of(source: &Source<'_>, raw: Option<Spanned<usize>>) -> Result<usize, ConfigError> {
    match raw {
        None => Ok(4),
        Some(workers) if (1..=256).contains(workers.get_ref()) => Ok(workers.into_inner()),
        Some(workers) => Err(source.at(&workers, "workers is a number from 1 to 256")),
    }
}

fn target(source: &Source<'_>, url: &Spanned<String>) -> Result<Target, ConfigError> {
    let wrong = || source.at(url, "url is http://HOST:PORT/PATH; the key is appended to it");
    let uri: http::Uri = url.get_ref().parse().map_err(|_| wrong())?;
    let authority = uri.authority().ok_or_else(wrong)?.as_str();
    if uri.scheme_str() != Some("http") || authority.contains('@') {
        return Err(wrong());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Target { authority: authority.to_owned(), path: path.to_owned() })
}

fn cluster(source: &Source<'_>, raw: raw::Cluster) -> Result<ClusterConfig, ConfigError> {
    let mut nodes: Vec<&Spanned<String>> = raw.peers.iter().collect();
    if !nodes.iter().any(|node| node.get_ref() == raw.own.get_ref()) {
        nodes.push(&raw.own);
    }
    for node in &nodes {
        let authority: Option<http::uri::Authority> = node.get_ref().parse().ok();
        if authority.is_none_or(|it| it.port_u16().is_none() || it.as_str().contains('@')) {
            return Err(source.at(node, "a node is named HOST:PORT, as its peers reach it"));
        }
    }
    let secret = raw.secret.get_ref();
    if secret.len() < 16 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(source
            .at(&raw.secret, "secret is 16 printable characters or more, the same on all nodes"));
    }
    let names: Vec<&str> = nodes.iter().map(|node| node.get_ref().as_str()).collect();
    let ring = Ring::new(&names).map_err(|error| match error {
        gocache_core::RingError::Repeated(at) => {
            source.at(nodes[at], "this node stands there twice")
        }
        other => source.at(&raw.own, other.to_string()),
    })?;
    let own = names.iter().position(|&name| name == raw.own.get_ref()).unwrap_or_default();
    Ok(ClusterConfig {
        nodes: names.iter().copied().map(str::to_owned).collect(),
        own: PeerId(u16::try_from(own).unwrap_or_default()),
        secret: raw.secret.into_inner(),
        ring,
    })
}

#[cfg(test)]
mod tests;
