//! A gocache of its own for each fault: started, looked at from outside, ended.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use procfs::process::Process as Proc;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::cores::Cores;
use crate::held::Held;
use crate::peer::{Peer, request};
use crate::process::Process;
use crate::program;
use crate::secure::{self, Secure};

const READY_WITHIN: Duration = Duration::from_secs(5);
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Keys that the database has, of values that are as long, so that their answers are.
pub(crate) const DIGITS: usize = 10;
pub(crate) const PAGE_BYTES: usize = 4 << 10;

/// What the system says of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) resident: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// Time that it has computed.
    pub(crate) cpu: Duration,
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    ops_address: SocketAddr,
    secure: Option<Secure>,
    pub(crate) held: Held,
    numbers: AtomicU64,
    process: Process,
    log: PathBuf,
    peak: Mutex<Figures>,
    is_prelude: AtomicBool,
    /// Configuration and data; removed after the process is gone, hence last.
    _files: TempDir,
}

impl Site {
    /// Starts it with these tables in its configuration, and waits until it has all keys cached.
    pub(crate) fn start(cores: &Cores, tables: &str, is_secure: bool) -> io::Result<Self> {
        let files = TempDir::new()?;
        let secure = is_secure.then(|| Secure::create(files.path())).transpose()?;
        let tls = if is_secure { secure::TABLE } else { "" };
        let log = files.path().join("log");
        let held = Held::start(cores)?;
        let tables = tables.replace("{held}", &held.address.to_string());
        let group = format!("budget = \"4 MiB\"\n{tables}{tls}");
        let stderr = File::create(&log)?.into();
        let (process, [address, ops_address]) =
            program::start(cores, files.path(), &group, values(), stderr)?;
        let peak = Mutex::default();
        let is_prelude = AtomicBool::new(false);
        let _files = files;
        let mut site = Self {
            address,
            ops_address,
            secure,
            held,
            numbers: AtomicU64::new(0),
            process,
            log,
            peak,
            is_prelude,
            _files,
        };
        site.wait_until_ready()?;
        Ok(site)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let begin = Instant::now();
        while let Err(error) = self.connect().and_then(warm_up) {
            let ended = self.process.0.try_wait()?;
            if ended.is_some() || begin.elapsed() > READY_WITHIN {
                let log = self.log();
                return Err(io::Error::other(format!("gocache is not ready: {error}; {log}")));
            }
            thread::sleep(RETRY_EVERY);
        }
        Ok(())
    }

    pub(crate) fn connect(&self) -> io::Result<Peer> {
        Peer::connect(self.address)?.secured(self.secure.as_ref())
    }

    /// One whose system takes no more than so many bytes for it.
    pub(crate) fn connect_narrow(&self, bytes: usize) -> io::Result<Peer> {
        Peer::connect_narrow(self.address, bytes)?.secured(self.secure.as_ref())
    }

    /// A number that was not there before.
    pub(crate) fn next(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn figures(&self) -> io::Result<Figures> {
        let process = self.process.0.id();
        let process = i32::try_from(process).map_err(io::Error::other)?;
        let process = Proc::new(process).map_err(io::Error::other)?;
        let stat = process.stat().map_err(io::Error::other)?;
        let ticks = stat.utime + stat.stime;
        let millis = 1_000 * ticks / procfs::ticks_per_second();
        Ok(Figures {
            resident: stat.rss * procfs::page_size(),
            descriptors: process.fd_count().map_err(io::Error::other)? as u64,
            threads: stat.num_threads.unsigned_abs(),
            cpu: Duration::from_millis(millis),
        })
    }

    /// Takes the figures of this moment into the peak.
    pub(crate) fn look(&self) -> io::Result<Figures> {
        let now = self.figures()?;
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        peak.resident = peak.resident.max(now.resident);
        peak.descriptors = peak.descriptors.max(now.descriptors);
        peak.threads = peak.threads.max(now.threads);
        Ok(now)
    }

    pub(crate) fn peak(&self) -> Figures {
        *self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that what is done is not the fault yet, but has to come before it.
    pub(crate) fn set_prelude(&self, is_prelude: bool) {
        self.is_prelude.store(is_prelude, Ordering::Release);
    }

    /// Whether it is the fault that a normal client suffers from.
    pub(crate) fn counts(&self) -> bool {
        !self.is_prelude.load(Ordering::Acquire)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Bytes that the cache itself says it uses.
    pub(crate) fn used(&self) -> io::Result<u64> {
        let page = Peer::connect(self.ops_address)?.page("/stats")?;
        let page: serde_json::Value = serde_json::from_slice(&page)?;
        let used = page.pointer("/groups/bench/memory_bytes").and_then(serde_json::Value::as_u64);
        used.ok_or_else(|| io::Error::other(format!("no memory_bytes in {page}")))
    }

    /// Leaves the server so many descriptors from here on, or those that it had.
    pub(crate) fn limit_descriptors(&self, most: Option<u64>) -> io::Result<()> {
        let process = Pid::from_child(&self.process.0);
        let own = rustix::process::getrlimit(Resource::Nofile);
        let limit = Rlimit { current: most.or(own.maximum), maximum: own.maximum };
        prlimit(Some(process), Resource::Nofile, limit)?;
        Ok(())
    }
}

/// Loads all keys, and so many others that all workers have begun.
fn warm_up(mut peer: Peer) -> io::Result<()> {
    let others = 0..1_000;
    let requests: Vec<u8> = others.clone().flat_map(|it| request(&format!("other-{it}"))).collect();
    peer.send(&requests)?;
    for _ in others {
        peer.answer()?;
    }
    peer.get("hot")?;
    peer.get("page")?;
    (0..DIGITS).try_for_each(|digit| peer.get(&digit.to_string()).map(drop))
}

/// What the database has in it.
fn values() -> impl Iterator<Item = (String, Vec<u8>)> {
    let digits = (0..DIGITS).map(|digit| (digit.to_string(), digit.to_string().into_bytes()));
    let others = [("hot", b"630".to_vec()), ("page", vec![b'x'; PAGE_BYTES])];
    digits.chain(others.map(|(key, value)| (key.to_owned(), value)))
}
