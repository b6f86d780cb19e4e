//! From the file as it is written to a configuration that can be served.

use std::{net::SocketAddr, time::Duration};

use gocache_core::{DEFAULT_BASE, Eviction, GroupId, PeerId, Ring};
use serde::Deserialize;
use toml::{Spanned, de::DeTable};

use super::{
    ClusterConfig, Config, ConfigError, Deadlines, GroupConfig, Limits, OriginConfig, WritesConfig,
    error::Source,
    origins,
    raw::{self, Period, Size},
    tls::TlsConfig,
    writes,
};
use crate::{http1::HeadLimits, sockets::Sockets};

impl Config {
    pub(super) fn check(source: &Source<'_>) -> Result<Self, ConfigError> {
        let explain = |error: toml::de::Error| {
            source.error(error.span().unwrap_or_default(), error.message().to_owned())
        };
        let mut file = DeTable::parse(source.text).map_err(explain)?;
        let strangers = source.overrides.apply(source, file.get_mut())?;
        let raw = raw::File::deserialize(toml::Deserializer::from(file)).map_err(explain)?;
        let data_dir = raw.data_dir;
        let limits = limits(source, &raw.limits)?;
        let deadlines = deadlines(source, &raw.deadlines)?;
        let terms = (&limits, &deadlines);
        let origins = raw.origins.into_iter();
        let origins =
            origins.map(|(name, raw)| origins::check(source, name, raw, &data_dir, terms));
        let origins = origins.collect::<Result<Vec<_>, _>>()?;
        if raw.groups.len() > usize::from(u16::MAX) {
            return Err(source.error(0..0, "there are more than 65,535 groups".to_owned()));
        }
        let groups = (0..).map(GroupId).zip(raw.groups);
        let groups = groups.map(|(id, (name, raw))| group(source, id, name, raw, &origins));
        let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
        let writes = writes::check(source, raw.writes, &mut groups)?;
        let (listen, listen_set) = listen_on(source, raw.listen, 9999, "listen");
        let (ops_listen, ops_listen_set) = listen_on(source, raw.ops_listen, 9998, "ops_listen");
        let cluster = raw.cluster.as_ref().map(|it| cluster(source, it, raw.tls.as_ref()));
        let cluster = cluster.transpose()?;
        let both = raw.cluster.as_ref().zip(cluster.as_ref());
        let tls = raw.tls.as_ref().map(|raw| TlsConfig::check(source, raw, both)).transpose()?;
        let config = Self {
            listen,
            ops_listen,
            listen_set,
            ops_listen_set,
            sockets: Sockets::default(),
            data_dir,
            loops: loops(source, raw.loops)?,
            log: log(source, raw.log)?,
            base: base(source, raw.base)?,
            strangers,
            warnings: warnings(listen, tls.as_ref(), writes.as_ref()),
            numbered: groups.clone(),
            groups,
            origins,
            cluster,
            tls,
            writes,
            limits,
            deadlines,
        };
        if config.listen == config.ops_listen && config.listen.port() != 0 {
            let message = format!("listen and ops_listen are both {}; change one", config.listen);
            return Err(ConfigError::whole_file(source.file, message));
        }
        Ok(config)
    }
}

/// What an operator is told of whenever the configuration is read.
fn warnings(
    listen: SocketAddr,
    tls: Option<&TlsConfig>,
    writes: Option<&WritesConfig>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if writes.is_some() && tls.is_none() && !listen.ip().is_loopback() {
        let text = "writes are allowed without TLS: the token can be read on the network";
        warnings.push(text.to_owned());
    }
    warnings.extend(tls.iter().flat_map(|tls| tls.warnings.clone()));
    warnings
}

/// An address to listen on, and where it was set.
fn listen_on(
    source: &Source<'_>,
    raw: Option<Spanned<SocketAddr>>,
    default_port: u16,
    key: &str,
) -> (SocketAddr, String) {
    match raw {
        Some(raw) => (*raw.get_ref(), source.at(&raw, key).to_string()),
        None => {
            let address = SocketAddr::from(([127, 0, 0, 1], default_port));
            (address, format!("{}: {key} (default)", source.file.display()))
        }
    }
}

fn log(source: &Source<'_>, raw: Option<Spanned<String>>) -> Result<String, ConfigError> {
    let Some(raw) = raw else { return Ok("info".to_owned()) };
    match crate::log::check(raw.get_ref()) {
        Ok(()) => Ok(raw.into_inner()),
        Err(why) => Err(source.at(&raw, format!("log is a level such as \"info\": {why}"))),
    }
}

/// Bytes of a content type, which stands in the head of each answer.
const MOST_TYPE: usize = 128;
/// More loops than this are a typing error. (Beyond it the addresses of waiters would end.)
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
    let count = |raw: &Option<Spanned<usize>>, default: usize, most: usize| match raw {
        None => Ok(default),
        Some(count) if (1..=most).contains(count.get_ref()) => Ok(*count.get_ref()),
        Some(count) => Err(source.at(count, format!("this is a number from 1 to {most}"))),
    };
    let bytes = |raw: &Option<Spanned<Size>>, default: usize, least: usize, most: usize| match raw {
        None => Ok(default),
        Some(size) if (least..=most).contains(&size.get_ref().0) => Ok(size.get_ref().0),
        Some(size) => Err(source.at(size, format!("this is a size from {least} to {most} bytes"))),
    };
    let head_bytes = bytes(&raw.head_bytes, 32 << 10, 256, 1 << 20)?;
    Ok(Limits {
        connections: count(&raw.connections, 16 << 10, 1 << 20)?,
        head: HeadLimits {
            bytes: head_bytes,
            fields: count(&raw.head_fields, 100, crate::http1::MAX_FIELDS)?,
            // RFC 9112, 3: request-lines of 8,000 octets work; three times the longest key, for
            // one that is percent-encoded throughout.
            target: bytes(&raw.target_bytes, 25 << 10, 1, 1 << 20)?.min(head_bytes),
        },
        key_bytes: bytes(&raw.key_bytes, 8 << 10, 1, u16::MAX.into())?,
        body_bytes: bytes(&raw.body_bytes, 1 << 20, 0, 1 << 40)? as u64,
        value_bytes: bytes(&raw.value_bytes, 64 << 20, 0, u32::MAX as usize)?,
        flights: count(&raw.flights, 1 << 10, 1 << 20)?,
        waiters: count(&raw.waiters, 16 << 10, 1 << 24)?,
        pipeline: count(&raw.pipeline, 128, 1 << 10)?,
        writes: count(&raw.writes, 128, 1 << 16)?,
    })
}

fn deadlines(source: &Source<'_>, raw: &raw::Deadlines) -> Result<Deadlines, ConfigError> {
    let millis = |raw: &Option<Spanned<Period>>, default: u64| match raw {
        None => Duration::from_millis(default),
        Some(period) => period.get_ref().0,
    };
    let load = millis(&raw.load, 5_000);
    let connect = millis(&raw.connect, 250);
    // A load that a peer is too late for has time left for the origin.
    let peer =
        raw.peer.as_ref().map_or((load / 2).min(Duration::from_secs(3)), |it| it.get_ref().0);
    if let Some(raw) = raw.peer.as_ref().filter(|_| peer >= load) {
        let text = "peer is less than load, so that there is time left to ask the origin instead";
        return Err(source.at(raw, text));
    }
    Ok(Deadlines {
        head: millis(&raw.head, 10_000),
        body: millis(&raw.body, 10_000),
        idle: millis(&raw.idle, 60_000),
        write: millis(&raw.write, 10_000),
        drain: millis(&raw.drain, 5_000),
        load,
        connect,
        peer,
    })
}

fn group(
    source: &Source<'_>,
    id: GroupId,
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
    if let Some(wrong) = raw.content_type.as_ref().filter(|text| text.get_ref().len() > MOST_TYPE) {
        return Err(source.at(wrong, format!("content_type has more than {MOST_TYPE} bytes")));
    }
    Ok(GroupConfig {
        id,
        budget: raw.budget.0,
        name: name.into_inner(),
        origin,
        lifetime: raw.lifetime.map(|Period(lifetime)| lifetime),
        jitter: jitter(source, raw.jitter)?,
        policy: policy(source, raw.policy)?,
        content_type: raw
            .content_type
            .map_or_else(|| "application/octet-stream".to_owned(), Spanned::into_inner),
        writable: false,
    })
}

fn jitter(source: &Source<'_>, raw: Option<Spanned<u64>>) -> Result<u8, ConfigError> {
    let Some(raw) = raw else { return Ok(0) };
    match u8::try_from(*raw.get_ref()) {
        Ok(percent @ ..=50) => Ok(percent),
        _ => Err(source.at(&raw, "jitter is a number of percent from 0 to 50")),
    }
}

fn policy(source: &Source<'_>, raw: Option<Spanned<String>>) -> Result<Eviction, ConfigError> {
    let Some(raw) = raw else { return Ok(Eviction::default()) };
    match raw.get_ref().as_str() {
        "lru" => Ok(Eviction::Lru),
        "s3-fifo" => Ok(Eviction::S3Fifo),
        "size-aware" => Ok(Eviction::SizeAware),
        _ => Err(source.at(&raw, "policy is \"lru\", \"s3-fifo\" or \"size-aware\"")),
    }
}

fn cluster(
    source: &Source<'_>,
    raw: &raw::Cluster,
    tls: Option<&raw::Tls>,
) -> Result<ClusterConfig, ConfigError> {
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
    if let Some(ca) = raw.ca.as_ref().filter(|_| tls.is_none()) {
        return Err(source.at(ca, "ca is for nodes that speak TLS; add the table [tls]"));
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
        secret: secret(source, raw, tls)?,
        ring,
    })
}

/// Nodes know each other by a secret, or by certificates where clients can show some.
fn secret(
    source: &Source<'_>,
    raw: &raw::Cluster,
    tls: Option<&raw::Tls>,
) -> Result<Option<String>, ConfigError> {
    let Some(secret) = &raw.secret else {
        let has_certificates = tls.is_some_and(|tls| tls.client_ca.is_some());
        let text = "a cluster needs a secret, or a client_ca in [tls]";
        return has_certificates.then_some(None).ok_or_else(|| source.at(&raw.own, text));
    };
    let text = secret.get_ref();
    if text.len() < 16 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = "secret is 16 printable characters or more, the same on all nodes";
        return Err(source.at(secret, text));
    }
    Ok(Some(text.clone()))
}
