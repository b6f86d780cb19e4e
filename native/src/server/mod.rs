//! The server: its loops, its threads, and how it starts and ends. The only folder that knows mio.

mod clients;
mod event_loop;
mod lanes;
mod link;
mod listen;
mod shared;
mod timers;
mod upstreams;

use std::{
    fmt, io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use mio::{Poll, Waker};

use self::{
    event_loop::{EventLoop, LISTENER, PlaneKind, WAKER},
    lanes::{Control, Stage},
    shared::Shared,
};
use crate::{
    clock::{Clock, Epoch},
    config::Config,
    engine::Engine,
};

/// A server that runs. It goes on until it is told to drain.
pub struct Server {
    addr: SocketAddr,
    ops_addr: SocketAddr,
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
        Ok(Self { addr, ops_addr, control, data: threads, ops })
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
