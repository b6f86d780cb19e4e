//! What all loops of a server share: the configuration and what was made of it, and where a load
//! goes.

use std::{
    borrow::Cow,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gocache_core::{Fetch, GroupId, Instant, LoadError, PeerId, Source, encode};

use super::{StartError, lanes::Control};
use crate::{
    clock::Epoch,
    cluster::Breakers,
    config::{Config, OriginKind, SqliteConfig, Target},
    engine::Engine,
    origin::{Land, Pool, Sqlite, Terms},
    upstream::Outcome,
};

/// What all loops of a server share.
pub(super) struct Shared<E> {
    pub(super) config: Config,
    pub(super) engine: Arc<E>,
    pub(super) control: Arc<Control>,
    pub(super) breakers: Breakers,
    /// Who is asked over HTTP: the nodes of the cluster first, in their order, then the origins.
    pub(super) upstreams: Vec<Upstream>,
    /// How each origin is asked.
    pub(super) origins: Vec<OriginRoute>,
}

/// A server that is asked over HTTP.
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) peer: Option<PeerId>,
    pub(super) addresses: Vec<SocketAddr>,
    /// The one of them that was reached last.
    pub(super) preferred: AtomicUsize,
    pub(super) target: Target,
}

pub(super) enum OriginRoute {
    Pool(Pool),
    Upstream(usize),
}

/// Where a load goes.
pub(super) enum Route<'a> {
    Pool(&'a Pool),
    Exchange(usize),
    PeerDown,
}

impl<E: Engine> Shared<E> {
    pub(super) fn new(
        config: Config,
        engine: Arc<E>,
        control: Arc<Control>,
        epoch: Epoch,
    ) -> Result<Self, StartError> {
        let land: Land = {
            let (engine, control) = (Arc::clone(&engine), Arc::clone(&control));
            Arc::new(move |fetch, result| control.landed(engine.land(fetch, result, epoch.now())))
        };
        let mut upstreams = peers(&config);
        let trial = config.deadlines.connect + config.deadlines.peer;
        let breakers = Breakers::new(upstreams.len(), trial);
        let groups: Arc<[String]> = config.groups.iter().map(|group| group.name.clone()).collect();
        let mut origins = Vec::new();
        for origin in &config.origins {
            origins.push(match &origin.kind {
                OriginKind::Http(target) => {
                    upstreams.push(Upstream::new(&origin.name, None, target.clone()));
                    OriginRoute::Upstream(upstreams.len() - 1)
                }
                OriginKind::Sqlite(sqlite) => {
                    let terms = Terms {
                        origin: origin.name.clone(),
                        groups: Arc::clone(&groups),
                        patience: config.deadlines.load,
                    };
                    OriginRoute::Pool(pool(sqlite, config.limits.flights, &terms, &land)?)
                }
            });
        }
        Ok(Self { config, engine, control, breakers, upstreams, origins })
    }

    /// Where a load goes now.
    pub(super) fn route(&self, fetch: &Fetch, now: Instant) -> Route<'_> {
        match fetch.source() {
            Source::Peer(peer) if self.breakers.admits(peer, now) => {
                Route::Exchange(usize::from(peer.0))
            }
            Source::Peer(_) => Route::PeerDown,
            Source::Origin => match &self.origins[self.origin_of(fetch.group())] {
                OriginRoute::Pool(pool) => Route::Pool(pool),
                OriginRoute::Upstream(target) => Route::Exchange(*target),
            },
        }
    }

    pub(super) fn origin_of(&self, GroupId(group): GroupId) -> usize {
        self.config.groups[usize::from(group)].origin
    }

    pub(super) fn log(
        &self,
        upstream: &Upstream,
        fetch: &Fetch,
        outcome: &Outcome,
        took: Duration,
    ) {
        let group = &self.config.groups[usize::from(fetch.group().0)].name;
        let text = match outcome.result {
            Ok(_) => "found",
            Err(LoadError::NotFound) => "not found",
            Err(LoadError::TimedOut) => "timed out",
            Err(_) => "failed",
        };
        crate::log::load(&upstream.name, group, fetch.key(), text, outcome.cause, took);
    }
}

/// The nodes of the cluster, this one included so that the numbers of the peers are their places.
fn peers(config: &Config) -> Vec<Upstream> {
    let Some(cluster) = &config.cluster else { return Vec::new() };
    let upstream = |(id, node): (u16, &String)| {
        let target = Target { authority: node.clone(), path: config.base.clone() };
        Upstream::new(node, Some(PeerId(id)), target)
    };
    (0..).zip(&cluster.nodes).map(upstream).collect()
}

fn pool(
    config: &SqliteConfig,
    queue: usize,
    terms: &Terms,
    land: &Land,
) -> Result<Pool, StartError> {
    let source = config.clone();
    let origin = move || Sqlite::new(source.clone());
    Ok(Pool::start(config.workers, queue, terms, origin, land)?)
}

impl Upstream {
    fn new(name: &str, peer: Option<PeerId>, target: Target) -> Self {
        // A name without a port means the port of HTTP.
        let named = match target.authority.parse::<http::uri::Authority>() {
            Ok(authority) if authority.port().is_none() => {
                Cow::Owned(format!("{}:80", target.authority))
            }
            _ => Cow::Borrowed(target.authority.as_str()),
        };
        let addresses = named.to_socket_addrs().map(Iterator::collect);
        let addresses = addresses.unwrap_or_else(|error| {
            tracing::warn!(host = %named, %error, "the name cannot be resolved; loads from it fail");
            Vec::new()
        });
        Self { name: name.to_owned(), peer, addresses, preferred: AtomicUsize::new(0), target }
    }

    /// The address to try after so many others, the preferred one first.
    pub(super) fn address(&self, attempt: usize) -> Option<SocketAddr> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let count = self.addresses.len();
        (attempt < count).then(|| self.addresses[(preferred + attempt) % count])
    }

    pub(super) fn has_address(&self, attempt: usize) -> bool {
        attempt < self.addresses.len()
    }

    /// Takes note that the address after so many others was reached.
    pub(super) fn prefer(&self, attempt: usize) {
        if attempt > 0 {
            let preferred = self.preferred.load(Ordering::Relaxed) + attempt;
            self.preferred.store(preferred % self.addresses.len().max(1), Ordering::Relaxed);
        }
    }

    /// Where the keys of a group are: a peer has all groups under its base, an origin is one.
    pub(super) fn target(&self, group: &str) -> Cow<'_, Target> {
        if self.peer.is_none() {
            return Cow::Borrowed(&self.target);
        }
        let mut target = self.target.clone();
        target.path.extend(encode(group.as_bytes()));
        target.path.push('/');
        Cow::Owned(target)
    }
}
