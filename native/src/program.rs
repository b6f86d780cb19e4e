//! What the programs do between their arguments and their exit codes; each has its own way to
//! start a server, and all else in common.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::{
    config::{Config, ConfigError, Overrides},
    server::{Server, StartError},
};

/// The arguments of `serve`; the environment and flags go over the file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration; without one, the demonstration group `scores` is served.
    #[arg(long, env = "GOCACHE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients and peers are answered.
    #[arg(long, env = "GOCACHE_LISTEN", value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Where operators are answered.
    #[arg(long, env = "GOCACHE_OPS_LISTEN", value_name = "IP:PORT")]
    ops_listen: Option<SocketAddr>,
    /// Where databases with a relative path are.
    #[arg(long, env = "GOCACHE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Why a program ends without having done what it was asked for.
#[derive(Debug)]
pub enum Failure {
    /// It was asked for something that cannot be: exit code 2.
    Misuse(String),
    /// It went wrong while it ran: exit code 1.
    RunTime(String),
}

/// The exit code of a failure at run time, and of a program that a second signal ended.
const RUN_TIME: u8 = 1;
const MISUSE: u8 = 2;

impl Arguments {
    /// Serves until a signal says to stop, and drains.
    ///
    /// # Errors
    /// If the configuration or the start fails.
    pub fn run(self, start: impl FnOnce(Config) -> Result<Server, Failure>) -> Result<(), Failure> {
        let Self { config: file, listen, ops_listen, data_dir } = self;
        let overrides = Overrides { listen, ops_listen, data_dir };
        let mut config = match &file {
            Some(file) => Config::from_file(file, overrides),
            None => Config::demonstration(overrides),
        }?;
        let _log = crate::log::init(&config.log);
        if file.is_none() {
            crate::origin::create_demonstration(&config).map_err(Failure::RunTime)?;
        }
        // Before the server starts: a signal that comes at once drains too.
        let mut signals = signals().map_err(|error| Failure::RunTime(error.to_string()))?;
        config.limits.connections = connections(config.limits.connections);
        let groups: Vec<String> = config.groups.iter().map(|group| group.name.clone()).collect();
        let (base, loops) = (config.base.clone(), config.loops);
        let connections = config.limits.connections;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let server = start(config)?;
        let (addr, ops_addr) = (server.addr(), server.ops_addr());
        tracing::info!(?groups, loops, connections, "serving {scheme}://{addr}{base}GROUP/KEY");
        tracing::info!("operations: http://{ops_addr}/metrics, /healthz and /readyz");
        let handle = signals.handle();
        server.on_failure(move || handle.close());
        for signal in signals.forever() {
            if signal == SIGHUP {
                reload(&server);
            } else {
                tracing::info!(signal, "draining; a second signal ends at once");
                break;
            }
        }
        let has_failed = server.has_failed();
        server.drain();
        tracing::info!("drained");
        match has_failed {
            true => Err(Failure::RunTime("an event loop failed; see the log".to_owned())),
            false => Ok(()),
        }
    }
}

/// Descriptors that are kept for everything but clients: listeners, loads, databases, the log.
const RESERVE: u64 = 128;

/// Raises the limit of descriptors as far as the system lets us, and says how many connections of
/// clients fit under it.
fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the old one holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return wanted };
    // As many loads may be in the air as there are clients.
    let most = usize::try_from(descriptors.saturating_sub(RESERVE) / 2).unwrap_or(usize::MAX);
    wanted.min(most.max(1))
}

/// Reads anew what can be changed while the server runs: the files of TLS.
fn reload(server: &Server) {
    match server.reload_tls() {
        Ok(()) => tracing::info!("reloaded"),
        Err(error) => tracing::error!("{error}; nothing is changed"),
    }
}

/// The signals that say to stop, and the one that says to reload. A second one that says to stop
/// does not wait for the drain.
fn signals() -> io::Result<Signals> {
    let asked_before = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, RUN_TIME.into(), Arc::clone(&asked_before))?;
        flag::register(signal, Arc::clone(&asked_before))?;
    }
    Signals::new([SIGTERM, SIGINT, SIGHUP])
}

/// Checks a configuration file and says so.
///
/// # Errors
/// If there is something wrong with it.
pub fn check(file: &Path) -> Result<(), Failure> {
    let config = Config::from_file(file, Overrides::default())?;
    let (groups, origins) = (config.groups.len(), config.origins.len());
    let name = file.display();
    if let Some(warning) = config.tls.as_ref().and_then(|tls| tls.warning()) {
        say(&mut io::stderr(), &format!("warning: {warning}"));
    }
    say(&mut io::stdout(), &format!("{name}: sound; {groups} groups, {origins} origins"));
    Ok(())
}

/// Ends the program of this name: nothing, or one line on standard error and an exit code.
#[must_use]
pub fn exit(name: &str, result: Result<(), Failure>) -> ExitCode {
    let (code, text) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Misuse(text)) => (MISUSE, text),
        Err(Failure::RunTime(text)) => (RUN_TIME, text),
    };
    say(&mut io::stderr(), &format!("{name}: {text}"));
    ExitCode::from(code)
}

/// Prints a line. Where nobody can read it, nothing is to be done about that (`println!` would
/// panic).
fn say(to: &mut impl Write, line: &str) {
    drop(writeln!(to, "{line}"));
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Misuse(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen(_) => Self::Misuse(error.to_string()),
            StartError::System(_) => Self::RunTime(error.to_string()),
        }
    }
}
