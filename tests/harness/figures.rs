//! What the system says of the `gocache` program while it runs.

use std::time::Duration;

use procfs::process::{Process as Figures, Stat};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use super::process::Process;

impl Process {
    fn figures(&self) -> Figures {
        Figures::new(self.pid().as_raw_nonzero().get()).expect("the process is ours")
    }

    fn stat(&self) -> Stat {
        self.figures().stat().expect("the process is ours")
    }

    pub(crate) fn descriptors(&self) -> usize {
        self.figures().fd_count().expect("the process is ours")
    }

    pub(crate) fn threads(&self) -> i64 {
        self.stat().num_threads
    }

    /// Bytes of its memory that are in RAM.
    pub(crate) fn resident(&self) -> u64 {
        self.stat().rss * procfs::page_size()
    }

    /// The time that it has computed.
    pub(crate) fn busy(&self) -> Duration {
        let stat = self.stat();
        Duration::from_millis(1_000 * (stat.utime + stat.stime) / procfs::ticks_per_second())
    }

    /// How much more memory it may take from here on, in its addresses; or as much as it likes.
    pub(crate) fn limit_memory(&self, more: Option<u64>) {
        let maximum = getrlimit(Resource::As).maximum;
        let current = more.map_or(maximum, |more| Some(self.stat().vsize + more));
        let limit = Rlimit { current, maximum };
        prlimit(Some(self.pid()), Resource::As, limit).expect("the process is ours");
    }

    /// How many descriptors it may have from here on.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit { current: Some(most), maximum: getrlimit(Resource::Nofile).maximum };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("the process is ours");
    }
}
