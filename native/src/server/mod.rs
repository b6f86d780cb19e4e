//! The server: its loops, its threads, and how it starts and ends. The only folder that knows mio.

mod clients;
mod event_loop;
mod lanes;
mod link;
mod listen;
mod secure;
mod timers;
mod upstreams;

use std::{
    borrow::Cow,
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use gocache_core::{Fetch, GroupId, Instant, LoadError, PeerId, Source, encode};
use mio::{Poll, Waker};

use self::{
    event_loop::{EventLoop, LISTENER, PlaneKind, WAKER},
    lanes::{Control, Stage},
};
use crate::{
    clock::{Clock, Epoch},
    cluster::Breakers,
    config::{Config, ConfigError, OriginKind, SqliteConfig, Target, TlsConfig},
    engine::Engine,
    origin::{Land, Pool, Sqlite, Terms},
    tls::Session,
    upstream::Outcome,
};

/// A server that runs. It goes on until it is told to drain.
pub struct Server {
    addr: SocketAddr,
    ops_addr: SocketAddr,
    tls: Option<Arc<TlsConfig>>,
    control: Arc<Control>,
    data: Vec<JoinHandle<()>>,
    ops: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on: what is configured, and what to do.
    Listen(String),
    /// The system refused something else that a server needs.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(text) => f.write_str(text),
            Self::System(error) => write!(f, "the server cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What all loops of a server share.
struct Shared<E> {
    config: Config,
    engine: Arc<E>,
    control: Arc<Control>,
    breakers: Breakers,
    /// Who is asked over HTTP: the nodes of the cluster first, in their order, then the origins.
    upstreams: Vec<Upstream>,
    /// How each origin is asked.
    origins: Vec<OriginRoute>,
}

/// A server that is asked over HTTP.
struct Upstream {
    name: String,
    peer: Option<PeerId>,
    addresses: Vec<SocketAddr>,
    /// The one of them that was reached last.
    preferred: AtomicUsize,
    target: Target,
}

enum OriginRoute {
    Pool(Pool),
    Upstream(usize),
}

/// Where a load goes.
enum Route<'a> {
    Pool(&'a Pool),
    Exchange(usize),
    PeerDown,
}

impl Server {
    /// Starts a server over the native core.
    ///
    /// # Errors
    /// If an address is taken, or the system refuses what a server needs.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let engine = config.node(seed()?).map_err(io::Error::other)?;
        Self::start_with(config, Arc::new(engine))
    }

    /// Starts a server over any engine that was made from the same configuration.
    ///
    /// # Errors
    /// As with [`Server::start`].
    pub fn start_with(config: Config, engine: Arc<impl Engine>) -> Result<Self, StartError> {
        let listeners = listen::bind(&config.listen, config.loops, &config.listen_set)?;
        let ops_listeners = listen::bind(&config.ops_listen, 1, &config.ops_listen_set)?;
        let (addr, ops_addr) = (listeners[0].local_addr()?, ops_listeners[0].local_addr()?);
        let epoch = Epoch::begin();

        let mut seats = Vec::new();
        let planes = listeners.into_iter().map(|it| (PlaneKind::Data, it));
        let planes = planes.chain(ops_listeners.into_iter().map(|it| (PlaneKind::Ops, it)));
        for (plane, mut listener) in planes {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            poll.registry().register(&mut listener, LISTENER, mio::Interest::READABLE)?;
            seats.push((plane, poll, listener, waker));
        }
        let (seats, wakers): (Vec<_>, Vec<_>) = seats
            .into_iter()
            .map(|(plane, poll, listener, waker)| ((plane, poll, listener), waker))
            .unzip();
        let control = Arc::new(Control::new(wakers));
        let tls = config.tls.clone();
        if let Some(tls) = &tls {
            tls.warn();
        }
        let shared = Arc::new(Shared::new(config, engine, Arc::clone(&control), epoch)?);

        let mut threads = Vec::new();
        for (lane, (plane, poll, listener)) in seats.into_iter().enumerate() {
            let (shared, targets) = (Arc::clone(&shared), shared.upstreams.len());
            let name = match plane {
                PlaneKind::Data => format!("loop-{lane}"),
                PlaneKind::Ops => "operations".to_owned(),
            };
            threads.push(thread::Builder::new().name(name).spawn(move || {
                let clock = Clock::new(epoch);
                let event_loop = EventLoop::new(lane, plane, poll, listener, clock, targets);
                let ended = catch_unwind(AssertUnwindSafe(|| event_loop.run(&shared)));
                if !matches!(ended, Ok(Ok(()))) {
                    tracing::error!(lane, ?ended, "an event loop failed; the server ends");
                    shared.control.fail();
                }
            })?);
        }
        let ops = threads.pop().ok_or_else(|| io::Error::other("there is no operations loop"))?;
        Ok(Self { addr, ops_addr, tls, control, data: threads, ops })
    }

    /// Where clients are answered: the configured address, with the port that the system chose if
    /// it was 0.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where operators are answered.
    #[must_use]
    pub const fn ops_addr(&self) -> SocketAddr {
        self.ops_addr
    }

    /// Arranges for `hook` to be called if an event loop fails, which is a bug. The server does not
    /// go on without it: it drains.
    pub fn on_failure(&self, hook: impl FnOnce() + Send + 'static) {
        self.control.on_failure(Box::new(hook));
    }

    /// Whether an event loop has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.control.has_failed()
    }

    /// Reads the files of TLS anew, if there are any. New connections are made with what is in them;
    /// those that stand go on as they are.
    ///
    /// # Errors
    /// If anything is wrong with the files. Then nothing changes.
    pub fn reload_tls(&self) -> Result<(), ConfigError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Stops accepting, finishes what was asked, up to the deadline for it, and ends all loops.
    pub fn drain(self) {
        self.control.advance(Stage::Draining);
        for thread in self.data {
            // A loop that panicked has said so already.
            drop(thread.join());
        }
        self.control.advance(Stage::Stopped);
        drop(self.ops.join());
    }
}

/// A random number from the system, for the tables' hash.
fn seed() -> Result<u64, StartError> {
    getrandom::u64().map_err(|error| StartError::System(io::Error::other(error)))
}

impl<E: Engine> Shared<E> {
    fn new(
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
    fn route(&self, fetch: &Fetch, now: Instant) -> Route<'_> {
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

    fn origin_of(&self, GroupId(group): GroupId) -> usize {
        self.config.groups[usize::from(group)].origin
    }

    /// TLS for a new connection to one that is asked over HTTP, if that is how it is asked.
    fn session(&self, target: usize) -> io::Result<Option<Box<Session>>> {
        let upstream = &self.upstreams[target];
        let session = match (upstream.peer, &upstream.target.tls, &self.config.tls) {
            (Some(peer), _, Some(tls)) => tls.connect(peer),
            (None, Some(connector), _) => connector.connect(),
            (Some(_), _, None) | (None, None, _) => return Ok(None),
        };
        session.map(|session| Some(Box::new(session))).map_err(io::Error::other)
    }

    fn log(&self, upstream: &Upstream, fetch: &Fetch, outcome: &Outcome, took: Duration) {
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
        let target = Target { authority: node.clone(), path: config.base.clone(), tls: None };
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
        // A name without a port means the port of HTTP, or that of HTTPS.
        let named = match target.authority.parse::<http::uri::Authority>() {
            Ok(authority) if authority.port().is_none() => {
                let port = if target.tls.is_some() { 443 } else { 80 };
                Cow::Owned(format!("{}:{port}", target.authority))
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
    fn address(&self, attempt: usize) -> Option<SocketAddr> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let count = self.addresses.len();
        (attempt < count).then(|| self.addresses[(preferred + attempt) % count])
    }

    fn has_address(&self, attempt: usize) -> bool {
        attempt < self.addresses.len()
    }

    /// Takes note that the address after so many others was reached.
    fn prefer(&self, attempt: usize) {
        if attempt > 0 {
            let preferred = self.preferred.load(Ordering::Relaxed) + attempt;
            self.preferred.store(preferred % self.addresses.len().max(1), Ordering::Relaxed);
        }
    }

    /// Where the keys of a group are: a peer has all groups under its base, an origin is one.
    fn target(&self, group: &str) -> Cow<'_, Target> {
        if self.peer.is_none() {
            return Cow::Borrowed(&self.target);
        }
        let mut target = self.target.clone();
        target.path.extend(encode(group.as_bytes()));
        target.path.push('/');
        Cow::Owned(target)
    }
}
