//! Which core runs what: the servers share one, the client has another.

use std::fmt;
use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores of the bench.
pub(crate) struct Cores {
    server: usize,
    client: usize,
}

impl Cores {
    /// The first two that this process may use: 0 and 1 unless a container says otherwise.
    pub(crate) fn choose() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        match (usable.next(), usable.next()) {
            (Some(server), Some(client)) => Ok(Self { server, client }),
            _ => Err(io::Error::other("needs two cores: server and client")),
        }
    }

    /// Children inherit the affinity of the thread that spawns them: hold this meanwhile.
    pub(crate) fn pin_server(&self) -> io::Result<Pinned> {
        Pinned::to(self.server)
    }

    pub(crate) fn pin_client(&self) -> io::Result<Pinned> {
        Pinned::to(self.client)
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = thread::available_parallelism().map_or(0, usize::from);
        write!(
            out,
            "{count} cores; servers on core {}, client on core {}. \
             The ratios matter, the absolute figures are this machine's.",
            self.server, self.client
        )
    }
}

/// This thread stays on one core until the guard drops.
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    fn to(core: usize) -> io::Result<Self> {
        let before = sched_getaffinity(None)?;
        let mut only = CpuSet::new();
        only.set(core);
        sched_setaffinity(None, &only)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // It was allowed before; if that changed meanwhile, staying pinned harms nobody.
        let _ = sched_setaffinity(None, &self.before);
    }
}
