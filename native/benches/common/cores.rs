//! Which core runs what: the servers share one or two, the client has another where there is one.

use std::fmt;
use std::io;
use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of a bench.
#[derive(Clone)]
pub(crate) struct Cores {
    servers: Vec<usize>,
    client: usize,
}

impl Cores {
    /// The first that this process may use: 0 and 1 unless a container says otherwise.
    pub(crate) fn choose() -> io::Result<Self> {
        Self::choose_for(1)
    }

    /// A core for each loop of a server, and one for the client. Where there are not so many, the
    /// client shares one of them.
    pub(crate) fn choose_for(loops: usize) -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let usable = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let usable: Vec<usize> = usable.take(loops + 1).collect();
        match usable[..] {
            [.., client] if usable.len() > 1 => {
                Ok(Self { servers: usable.into_iter().take(loops).collect(), client })
            }
            _ => Err(io::Error::other("needs two cores: server and client")),
        }
    }

    /// How many loops a server has.
    pub(crate) fn loops(&self) -> usize {
        self.servers.len()
    }

    /// Children inherit the affinity of the thread that spawns them: hold this meanwhile.
    pub(crate) fn pin_server(&self) -> io::Result<Pinned> {
        Pinned::to(&self.servers)
    }

    pub(crate) fn pin_client(&self) -> io::Result<Pinned> {
        Pinned::to(&[self.client])
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = thread::available_parallelism().map_or(0, usize::from);
        write!(
            out,
            "{count} cores; servers on {:?}, client on {}. \
             The ratios matter, the absolute figures are this machine's.",
            self.servers, self.client
        )
    }
}

/// This thread stays on some cores until the guard drops.
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    fn to(cores: &[usize]) -> io::Result<Self> {
        let before = sched_getaffinity(None)?;
        let mut only = CpuSet::new();
        cores.iter().for_each(|core| only.set(*core));
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
