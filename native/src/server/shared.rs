//! What all loops of a server share: a configuration and what was made of it. It never changes;
//! when the configuration does, another one follows, which the loops take up at their next turn.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gocache_core::{Fetch, GroupId, Instant, Load, LoadError, OutOfMemory, PeerId, Source};

use super::{
    lanes::Control,
    upstream::{Peer, Upstream},
};
use crate::{
    clock::Epoch,
    cluster::Breaker,
    config::{Config, OriginConfig, OriginKind, SqliteConfig, Target, TlsConfig},
    engine::Engine,
    locks::Lock,
    meter::Meters,
    ops::{GroupReport, Report, Reports},
    origin::{Land, Pool, Sqlite, Terms},
    upstream::request,
    writes::Permits,
};

pub(super) struct Shared<E> {
    pub(super) config: Config,
    pub(super) engine: Arc<E>,
    pub(super) control: Arc<Control>,
    /// Who is asked over HTTP: the nodes of the cluster first, in their order, then the origins.
    pub(super) upstreams: Vec<Arc<Upstream>>,
    /// How each origin is asked.
    origins: Vec<OriginRoute>,
    pub(super) meters: Meters,
    pub(super) permits: Permits,
}

#[derive(Clone)]
enum OriginRoute {
    Pool(Arc<Pool>),
    /// The place among the upstreams.
    Upstream(usize),
}

/// Where a load goes.
pub(super) enum Route<'a> {
    Pool(&'a Pool),
    Exchange(&'a Arc<Upstream>),
    Nowhere(LoadError),
}

impl<E: Engine> Shared<E> {
    pub(super) fn new(
        config: Config,
        engine: Arc<E>,
        control: Arc<Control>,
        land: &Land,
    ) -> io::Result<Self> {
        let meters = Meters::new(control.lanes(), &config);
        let (upstreams, origins, permits) = (Vec::new(), Vec::new(), Permits::default());
        let mut shared = Self { config, engine, control, upstreams, origins, meters, permits };
        shared.open(None, land)?;
        Ok(shared)
    }

    /// What follows this one with another configuration, and which keys of that only a start reads.
    ///
    /// # Errors
    /// If the configuration asks for what cannot be; nothing has changed then.
    pub(super) fn next(
        &self,
        mut config: Config,
        land: &Land,
    ) -> Result<(Self, Vec<&'static str>), String> {
        let waiting = config.follow(&self.config)?;
        let (engine, control) = (Arc::clone(&self.engine), Arc::clone(&self.control));
        let meters = self.meters.follow(&config);
        let (upstreams, origins, permits) = (Vec::new(), Vec::new(), self.permits.clone());
        let mut next = Self { config, engine, control, upstreams, origins, meters, permits };
        next.open(Some(self), land).map_err(|error| error.to_string())?;
        // Last, for it changes groups that are being served.
        next.engine = self.engine.follow(&self.config, &next.config)?;
        Ok((next, waiting))
    }

    /// Finds out where the peers and origins are, and starts workers where there are none yet.
    fn open(&mut self, before: Option<&Self>, land: &Land) -> io::Result<()> {
        self.open_peers(before);
        for origin in &self.config.origins {
            let route = match &origin.kind {
                OriginKind::Http(target) => {
                    let slot = self.upstreams.len();
                    let upstream = Upstream::new(slot, &origin.name, None, target.clone());
                    self.upstreams.push(Arc::new(upstream));
                    OriginRoute::Upstream(slot)
                }
                OriginKind::Sqlite(sqlite) => {
                    let same = before
                        .filter(|before| before.config.limits.flights == self.config.limits.flights)
                        .and_then(|before| before.pool_of(&origin.name, sqlite));
                    OriginRoute::Pool(match same {
                        Some(pool) => pool,
                        None => Arc::new(pool(&self.config, &origin.name, sqlite, land)?),
                    })
                }
            };
            self.origins.push(route);
        }
        Ok(())
    }

    /// The nodes of the cluster, this one included so that the numbers of the peers are their places.
    fn open_peers(&mut self, before: Option<&Self>) {
        let Config { cluster: Some(cluster), deadlines, base, tls, .. } = &self.config else {
            return;
        };
        for (slot, node) in cluster.nodes.iter().enumerate() {
            let breaker = Breaker::new(deadlines.connect + deadlines.peer);
            let old = before.and_then(|before| before.peers().find(|old| old.name == *node));
            let breaker = match old.and_then(|old| old.peer.as_ref()) {
                Some(old) => breaker.follow(&old.breaker),
                None => breaker,
            };
            // Beyond the numbers of peers there are no nodes.
            let tls = tls.as_ref().and_then(|tls| tls.connector(PeerId(slot as u16)));
            let target = Target { authority: node.clone(), path: base.clone(), tls };
            let peer = Peer { breaker, mark: cluster.mark().to_owned() };
            self.upstreams.push(Arc::new(Upstream::new(slot, node, Some(peer), target)));
        }
    }

    /// Whether an upstream is one of these, and not of a configuration before.
    pub(super) fn has(&self, upstream: &Arc<Upstream>) -> bool {
        self.upstreams.get(upstream.slot).is_some_and(|it| Arc::ptr_eq(it, upstream))
    }

    /// The bytes of a request for a key; one for a peer is marked.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn request(
        &self,
        method: &str,
        upstream: &Upstream,
        group: GroupId,
        key: &[u8],
        content: Option<&[u8]>,
    ) -> Result<Vec<u8>, OutOfMemory> {
        let target = upstream.target(&self.config.numbered(group).name);
        let mark = upstream.peer.as_ref().map(|peer| &*peer.mark);
        request(method, &target, key, mark, content)
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.iter().filter(|upstream| upstream.peer.is_some())
    }

    /// The workers of a database, if it is the same here as there.
    fn pool_of(&self, name: &str, sqlite: &SqliteConfig) -> Option<Arc<Pool>> {
        let is_same = |origin: &OriginConfig| {
            origin.name == name && matches!(&origin.kind, OriginKind::Sqlite(it) if it == sqlite)
        };
        let mut routes = self.config.origins.iter().zip(&self.origins);
        match routes.find(|(origin, _)| is_same(origin))? {
            (_, OriginRoute::Pool(pool)) => Some(Arc::clone(pool)),
            (_, OriginRoute::Upstream(_)) => None,
        }
    }

    /// Where a load goes now.
    pub(super) fn route(&self, fetch: &Fetch, now: Instant) -> Route<'_> {
        match fetch.source() {
            Source::Peer(PeerId(peer)) => match self.upstreams.get(usize::from(peer)) {
                Some(upstream) if upstream.admits(now) => Route::Exchange(upstream),
                _ => Route::Nowhere(LoadError::PeerDown),
            },
            Source::Origin => match self.origin_of(fetch) {
                Some(OriginRoute::Pool(pool)) => Route::Pool(pool),
                Some(OriginRoute::Upstream(slot)) => Route::Exchange(&self.upstreams[*slot]),
                // The group is gone meanwhile.
                None => Route::Nowhere(LoadError::Failed),
            },
        }
    }

    fn origin_of(&self, fetch: &Fetch) -> Option<&OriginRoute> {
        self.origins.get(self.config.listed(fetch.group())?.origin)
    }

    /// Tells the log and the metrics how a load ended.
    pub(super) fn note(
        &self,
        source: &str,
        fetch: &Fetch,
        result: &Result<Load, LoadError>,
        cause: &str,
        took: Duration,
    ) {
        let group = &self.config.numbered(fetch.group()).name;
        let text = match result {
            Ok(_) => "found",
            Err(LoadError::NotFound) => "not found",
            Err(LoadError::TimedOut) => "timed out",
            Err(LoadError::Panicked) => "panicked",
            Err(_) => "failed",
        };
        crate::log::load(source, group, fetch.key(), text, cause, took);
        if let Some(meter) = self.meters.group(fetch.group()) {
            meter.load(fetch.source(), took);
        }
    }
}

impl<E: Engine> Reports for Shared<E> {
    fn report(&self) -> Report {
        let group = |(id, stats)| {
            let meter = self.meters.group(id)?;
            let (requests, loads) = (meter.requests(), meter.loads());
            Some(GroupReport { name: self.config.listed(id)?.name.clone(), stats, requests, loads })
        };
        let own = self.config.cluster.as_ref().map(|cluster| usize::from(cluster.own.0));
        let others = self.peers().filter(|peer| Some(peer.slot) != own);
        let is_up =
            |peer: &Upstream| !peer.peer.as_ref().is_some_and(|peer| peer.breaker.is_open());
        Report {
            groups: self.engine.stats().into_iter().filter_map(group).collect(),
            peers: others.map(|peer| (peer.name.clone(), is_up(peer))).collect(),
            lanes: Arc::clone(&self.meters.lanes),
            reloads: self.control.reloads.last(),
            traps: self.engine.traps(),
            certificate_expires_at: self.config.tls.as_ref().and_then(TlsConfig::expires_at),
        }
    }
}

fn pool(config: &Config, name: &str, sqlite: &SqliteConfig, land: &Land) -> io::Result<Pool> {
    let terms = Terms { origin: name.to_owned(), patience: config.deadlines.load };
    let source = sqlite.clone();
    let origin = move || Sqlite::new(source.clone());
    Pool::start(sqlite.workers, config.limits.flights, &terms, origin, land)
}

/// What is served by now, for all threads of a server.
pub(super) struct Current<E> {
    /// Empty only until the start is over.
    shared: Lock<Option<Arc<Shared<E>>>>,
    /// Counts what has been served by.
    generation: AtomicU64,
}

impl<E: Engine> Current<E> {
    pub(super) fn new() -> Self {
        Self { shared: Lock::new(None), generation: AtomicU64::new(0) }
    }

    /// What is served by now, and its number.
    pub(super) fn get(&self) -> Option<(Arc<Shared<E>>, u64)> {
        let shared = self.shared.read();
        Some((Arc::clone(shared.as_ref()?), self.generation()))
    }

    /// The number of what is served by now. It tells a loop, once a turn, that there is something
    /// new; what that is, the lock hands over.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, next: Shared<E>) {
        let mut shared = self.shared.write();
        let before = shared.replace(Arc::new(next));
        self.generation.fetch_add(1, Ordering::Relaxed);
        drop(shared);
        drop(before);
    }

    /// The way of a worker's load back to whoever waits for it.
    pub(super) fn landing(self: &Arc<Self>, epoch: Epoch) -> Land
    where
        E: Engine,
    {
        // Weak, for what is served by has the workers, which end when they are dropped.
        let current = Arc::downgrade(self);
        Arc::new(move |source, fetch, ended| {
            let Some((shared, _)) = current.upgrade().and_then(|it| it.get()) else { return };
            shared.note(source, &fetch, &ended.result, &ended.cause, ended.took);
            shared.control.landed(shared.engine.land(fetch, ended.result, epoch.now()));
        })
    }
}
