//! The `gocache` program as a process of its own, with its log and its signals.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::answer::Answer;
use super::client::Client;
use super::metrics::Metrics;
use super::patience::eventually;

/// The program, built once for all tests that run it.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "gocache", "--bin", "gocache"]);
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "{build:?} failed");
        // This test stands in target/PROFILE/deps.
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.ancestors().nth(2).expect("cargo's layout");
        profile.join(format!("gocache{}", std::env::consts::EXE_SUFFIX))
    })
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).current_dir(directory).output().expect("the program runs")
}

/// An address that is free, and that nobody takes before it is used: each is given once, from ports
/// below those that the system gives to connections and to listeners that ask for any.
pub(crate) fn free_address() -> SocketAddr {
    const PORTS: Range<u32> = 10_000..32_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Another run of the tests, at the same time, begins elsewhere.
    let first = std::process::id().wrapping_mul(97);
    let given = || GIVEN.fetch_add(1, Ordering::Relaxed);
    let port = || PORTS.start + first.wrapping_add(given()) % PORTS.len() as u32;
    let mut ports = PORTS.map(|_| u16::try_from(port()).expect("a port has 16 bits"));
    let free = ports.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    free.and_then(|it| it.local_addr().ok()).expect("one of them is free")
}

/// The arguments for a file with this text in the directory.
fn serve(directory: &Path, config: &str) -> [OsString; 3] {
    let file = directory.join("gocache.toml");
    fs::write(&file, config).expect("the directory is writable");
    ["serve".into(), "--config".into(), file.into()]
}

/// A server that runs until this value goes away.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    pub(crate) addr: SocketAddr,
    pub(crate) ops_addr: SocketAddr,
}

impl Process {
    /// Starts `gocache serve` with a file, or the demonstration without one, and waits until it is
    /// ready. Its data and its log are in the directory.
    pub(crate) fn start(directory: &Path, config: Option<&str>) -> Self {
        Self::start_at(directory, config, free_address())
    }

    /// The same on an address that was chosen before.
    pub(crate) fn start_at(directory: &Path, config: Option<&str>, addr: SocketAddr) -> Self {
        let stderr = File::create(directory.join("log")).expect("the directory is writable");
        Self::spawn(directory, config, addr, stderr.into())
    }

    /// The same with its log elsewhere.
    pub(crate) fn start_with(directory: &Path, config: Option<&str>, stderr: Stdio) -> Self {
        Self::spawn(directory, config, free_address(), stderr)
    }

    fn spawn(directory: &Path, config: Option<&str>, addr: SocketAddr, stderr: Stdio) -> Self {
        let mut command = Command::new(program());
        command.args(config.map(|text| serve(directory, text)).iter().flatten());
        Self::spawn_by(command, directory, (addr, free_address()), stderr)
    }

    /// The same with further variables in its environment.
    pub(crate) fn start_in(
        directory: &Path,
        config: &str,
        environment: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        Self::start_at_in(directory, Some(config), free_address(), environment)
    }

    /// The same on an address that was chosen before.
    pub(crate) fn start_at_in(
        directory: &Path,
        config: Option<&str>,
        addr: SocketAddr,
        environment: &[(&str, impl AsRef<OsStr>)],
    ) -> Self {
        let mut command = Command::new(program());
        command.args(config.map(|text| serve(directory, text)).iter().flatten());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let stderr = File::create(directory.join("log")).expect("the directory is writable");
        Self::spawn_by(command, directory, (addr, free_address()), stderr.into())
    }

    /// Starts it with sockets that are handed over in these descriptors of a shell, which puts itself
    /// out of the way: the standard input and output.
    pub(crate) fn activated(
        directory: &Path,
        config: &str,
        sockets: [&TcpListener; 2],
        names: &str,
    ) -> Self {
        let addresses = sockets.map(|socket| socket.local_addr().expect("it listens"));
        let [data, ops] = sockets.map(|socket| socket.try_clone().expect("a descriptor more"));
        let script = "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(program()).args(serve(directory, config));
        command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
        command.stdin(OwnedFd::from(data)).stdout(OwnedFd::from(ops));
        let stderr = File::create(directory.join("log")).expect("the directory is writable");
        // Its own addresses would be refused, if it used them.
        let [addr, ops_addr] = addresses;
        let addresses = if names.starts_with("ops") { (ops_addr, addr) } else { (addr, ops_addr) };
        Self::spawn_by(command, directory, addresses, stderr.into())
    }

    /// Starts it with so many descriptors, of which it can get no more.
    pub(crate) fn start_within(directory: &Path, config: &str, descriptors: u32) -> Self {
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(program()).args(serve(directory, config));
        let stderr = File::create(directory.join("log")).expect("the directory is writable");
        Self::spawn_by(command, directory, (free_address(), free_address()), stderr.into())
    }

    fn spawn_by(
        mut command: Command,
        directory: &Path,
        (addr, ops_addr): (SocketAddr, SocketAddr),
        stderr: Stdio,
    ) -> Self {
        command.env("GOCACHE_LISTEN", addr.to_string());
        command.env("GOCACHE_OPS_LISTEN", ops_addr.to_string());
        command.env("GOCACHE_DATA_DIR", directory).current_dir(directory);
        let child = command.stderr(stderr).spawn().expect("the program runs");
        let mut process = Self { child, log: directory.join("log"), addr, ops_addr };
        eventually("the server is ready", || {
            assert_eq!(process.has_ended(), None, "{}", process.log());
            std::net::TcpStream::connect(ops_addr).is_ok() && process.ops("/readyz").status == 200
        });
        process
    }

    pub(crate) fn get(&self, key: &str) -> Answer {
        Client::connect(self.addr).get(key)
    }

    pub(crate) fn ops(&self, page: &str) -> Answer {
        let mut client = Client::connect(self.ops_addr);
        client.send(format!("GET {page} HTTP/1.1\r\nHost: gocache\r\n\r\n")).answer()
    }

    /// The number behind a metric of the group `scores`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metrics().of_scores(name).unwrap_or_else(|| panic!("there is no metric {name}"))
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let text = String::from_utf8(self.ops("/metrics").body).expect("OpenMetrics is UTF-8");
        Metrics::parse(&text).expect("it is OpenMetrics")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is there")
    }

    /// The log has this in it, soon: it is written by a thread of its own.
    pub(crate) fn logs(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), || self.log().contains(text));
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is ours");
    }

    /// Stops it, as a machine does that hangs, and returns when it has stopped.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED);
        stopped.expect("the process is ours");
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process is ours")
    }

    /// How it ended, after something that makes it end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.has_ended().is_some());
        self.has_ended().expect("it has ended")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
