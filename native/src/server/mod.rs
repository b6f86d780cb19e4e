//! The server: its loops, its threads, and how it starts and ends. The only folder that knows mio.

mod accept;
mod clients;
mod event_loop;
mod lanes;
mod link;
mod listen;
mod loads;
mod planes;
mod relays;
mod secure;
mod shared;
mod timers;
mod together;
mod upstream;
mod upstreams;

use std::{
    fmt, io, mem,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use mio::{Poll, Waker};

use self::{
    event_loop::{EventLoop, LISTENER, PlaneKind, WAKER},
    lanes::{Control, Stage},
    shared::{Current, Shared},
};
use crate::{
    clock::Epoch,
    config::{Config, ConfigError},
    engine::{self, Engine},
    locks::Lock,
    sockets::Sockets,
};

/// A server that runs. It goes on until it is told to drain.
pub struct Server {
    addr: SocketAddr,
    ops_addr: SocketAddr,
    control: Arc<Control>,
    /// Away as long as it is at work.
    reload: Lock<Option<Reload>>,
    data: Vec<JoinHandle<()>>,
    ops: JoinHandle<()>,
    overdue: JoinHandle<()>,
}

/// How often loads past their deadline are looked for.
const OVERDUE: Duration = Duration::from_millis(20);

/// Takes up another configuration; see [`Server::reload`].
type Reload = Box<dyn FnMut(Config) -> Result<Vec<&'static str>, String> + Send + Sync>;

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

impl Server {
    /// Starts a server over the native core.
    ///
    /// # Errors
    /// If an address is taken, or the system refuses what a server needs.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let node = engine::node(&config).map_err(io::Error::other)?;
        Self::start_with(config, Arc::new(node))
    }

    /// Starts a server over any engine that was made from the same configuration.
    ///
    /// # Errors
    /// As with [`Server::start`].
    pub fn start_with(mut config: Config, engine: Arc<impl Engine>) -> Result<Self, StartError> {
        let Sockets { data, ops } = mem::take(&mut config.sockets);
        let are_shared = data.is_some() && config.loops > 1;
        let listeners = match data {
            Some(socket) => listen::share(socket, config.loops)?,
            None => listen::bind(&config.listen, config.loops, &config.listen_set)?,
        };
        let ops_listeners = match ops {
            Some(socket) => listen::share(socket, 1)?,
            None => listen::bind(&config.ops_listen, 1, &config.ops_listen_set)?,
        };
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
        let current = Arc::new(Current::new());
        let land = current.landing(epoch);
        let shared = Shared::new(config, engine, Arc::clone(&control), &land)?;
        current.set(shared);

        let mut threads = Vec::new();
        for (lane, (plane, poll, listener)) in seats.into_iter().enumerate() {
            let (current, control) = (Arc::clone(&current), Arc::clone(&control));
            let name = match plane {
                PlaneKind::Data => format!("loop-{lane}"),
                PlaneKind::Ops => "operations".to_owned(),
            };
            threads.push(thread::Builder::new().name(name).spawn(move || {
                let mut event_loop = EventLoop::new(lane, plane, poll, listener, epoch);
                event_loop.is_shared = are_shared && plane == PlaneKind::Data;
                let ended = catch_unwind(AssertUnwindSafe(|| event_loop.run(&current)));
                if !matches!(ended, Ok(Ok(()))) {
                    tracing::error!(lane, ?ended, "an event loop failed; the server ends");
                    control.fail();
                }
            })?);
        }
        let ops = threads.pop().ok_or_else(|| io::Error::other("there is no operations loop"))?;
        let overdue = thread::Builder::new().name("overdue".to_owned()).spawn({
            let (current, control) = (Arc::clone(&current), Arc::clone(&control));
            move || look_for_overdue(&current, &control, epoch)
        })?;
        let reload = Box::new({
            let control = Arc::clone(&control);
            move |config| {
                let (shared, _) = current.get().ok_or("the server has not started")?;
                let (next, waiting) = shared.next(config, &land)?;
                current.set(next);
                control.wake();
                Ok(waiting)
            }
        });
        let reload = Lock::new(Some(reload as Reload));
        Ok(Self { addr, ops_addr, control, reload, data: threads, ops, overdue })
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

    /// Takes up another configuration. What is in flight ends as it began; a group that stays keeps
    /// what it has cached, one with another policy begins anew, and one that is gone gives its memory
    /// back. Returns the keys that have changed and wait for a restart.
    ///
    /// It resolves names and evicts what no longer fits, so it may take a while; the loops do not
    /// wait for it.
    ///
    /// # Errors
    /// What is wrong with the configuration, or what of it cannot be done while the server runs.
    /// Nothing has changed then.
    pub fn reload(
        &self,
        read: impl FnOnce() -> Result<Config, ConfigError>,
    ) -> Result<Vec<&'static str>, String> {
        let reload = self.reload.write().take();
        let mut reload = reload.ok_or("another configuration is being taken up just now")?;
        let result = read().map_err(|error| error.to_string()).and_then(&mut reload);
        *self.reload.write() = Some(reload);
        self.control.reloads.note(result.is_ok());
        result
    }

    /// Arranges for `hook` to be called if an event loop fails, which is a bug. The server does not
    /// go on without it: it drains.
    pub fn on_failure(&self, hook: impl FnOnce() + Send + Sync + 'static) {
        self.control.on_failure(Box::new(hook));
    }

    /// Whether an event loop has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.control.has_failed()
    }

    /// Stops accepting, finishes what was asked, up to the deadline for it, and ends all loops.
    pub fn drain(self) {
        self.control.advance(Stage::Draining);
        for thread in self.data {
            // A loop that panicked has said so already.
            drop(thread.join());
        }
        self.control.advance(Stage::Stopped);
        self.overdue.thread().unpark();
        drop(self.overdue.join());
        drop(self.ops.join());
    }
}

/// Ends the loads that nobody brings home, until the server stops. It takes the locks of the cache for
/// it, for which no loop of the operations plane should wait.
fn look_for_overdue<E: Engine>(current: &Current<E>, control: &Control, epoch: Epoch) {
    let look = || {
        while control.stage() < Stage::Stopped {
            thread::park_timeout(OVERDUE);
            let Some((shared, _)) = current.get() else { return };
            while let Some(done) = shared.engine.overdue(epoch.now()) {
                control.deliver(done, None, |_, _| ());
            }
        }
    };
    // What made it panic has been logged.
    if catch_unwind(AssertUnwindSafe(look)).is_err() {
        control.fail();
    }
}
