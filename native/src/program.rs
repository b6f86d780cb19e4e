//! What the programs do between their arguments and their exit codes; each has its own way to
//! start a server, and all else in common.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};

use crate::{
    config::{Config, ConfigError, Overrides},
    log::Log,
    server::{Server, StartError},
    sockets::Sockets,
};

/// The arguments of `serve`; the environment and flags go over the file.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration; without one, the demonstration group `scores` is served.
    #[arg(long, env = "GOCACHE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients and peers are answered.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<String>,
    /// Where operators are answered.
    #[arg(long, value_name = "IP:PORT")]
    ops_listen: Option<String>,
    /// Where databases with a relative path are.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// What is logged: a level, or such as "warn,gocache=debug".
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// Any key of the file, such as limits.connections=100 or groups.scores.budget="64 MiB".
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("it is written KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
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
    /// What goes over the file: the environment, and over that the flags.
    fn overrides(&self) -> Overrides {
        let Self { listen, ops_listen, data_dir, log, set, .. } = self;
        let mut overrides = Overrides::of_variables(env::vars_os());
        for (key, value) in set {
            overrides.set(&format!("--set {key}"), key, value);
        }
        for (flag, key, value) in [
            ("--listen", "listen", listen),
            ("--ops-listen", "ops_listen", ops_listen),
            ("--data-dir", "data_dir", data_dir),
            ("--log", "log", log),
        ] {
            value.iter().for_each(|value| overrides.set(flag, key, value));
        }
        overrides
    }

    /// Serves until a signal says to stop, and drains.
    ///
    /// # Errors
    /// If the configuration or the start fails.
    pub fn run(self, start: impl FnOnce(Config) -> Result<Server, Failure>) -> Result<(), Failure> {
        let overrides = self.overrides();
        let file = self.config;
        let read = || {
            let mut config = match &file {
                Some(file) => Config::from_file(file, &overrides),
                None => Config::demonstration(&overrides),
            }?;
            config.limits.connections = connections(&config);
            Ok(config)
        };
        // First of all: there are no other threads yet.
        let sockets = Sockets::inherited().map_err(Failure::Misuse)?;
        let mut config = read()?;
        config.sockets = sockets;
        let log = Log::begin(&config.log);
        for name in &config.strangers {
            tracing::warn!(%name, "{STRANGER}");
        }
        warn(&config.warnings);
        if file.is_none() {
            crate::origin::create_demonstration(&config).map_err(Failure::RunTime)?;
        }
        // Before the server starts: a signal that comes at once drains too.
        let mut signals = signals().map_err(|error| Failure::RunTime(error.to_string()))?;
        let groups: Vec<String> = config.groups.iter().map(|group| group.name.clone()).collect();
        let (base, loops) = (config.base.clone(), config.loops);
        let connections = config.limits.connections;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let server = start(config)?;
        let url = format!("{scheme}://{}{base}GROUP/KEY", server.addr());
        let operations = format!("http://{}/", server.ops_addr());
        tracing::info!(%url, %operations, ?groups, loops, connections, "ready");
        let handle = signals.handle();
        server.on_failure(move || handle.close());
        notify(&[NotifyState::Ready]);
        for signal in signals.forever() {
            if signal == SIGHUP {
                // The manager tells this reload from one before by the time.
                let now = NotifyState::monotonic_usec_now().into_iter();
                notify(&[NotifyState::Reloading].into_iter().chain(now).collect::<Vec<_>>());
                reload(&server, &log, read);
                notify(&[NotifyState::Ready]);
            } else {
                notify(&[NotifyState::Stopping]);
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

/// Tells a service manager that waits for it, as systemd does (sd_notify(3)).
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told; see NOTIFY_SOCKET");
    }
}

/// What is said of a variable that is no setting.
const STRANGER: &str = "this variable begins like a setting, and is none";

/// Tells the log what can be served, and should not stay so.
fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
}

/// Reads the configuration again and goes on with it, or as before.
fn reload(server: &Server, log: &Log, read: impl FnOnce() -> Result<Config, ConfigError>) {
    let mut said = None;
    let read =
        || read().inspect(|config| said = Some((config.log.clone(), config.warnings.clone())));
    match server.reload(read) {
        Ok(waiting) => {
            let (directives, warnings) = said.unwrap_or_default();
            log.set(&directives);
            warn(&warnings);
            if waiting.is_empty() {
                tracing::info!("reloaded");
            } else {
                let keys = waiting.join(", ");
                tracing::warn!(%keys, "reloaded, but for keys that need a restart");
            }
        }
        Err(why) => tracing::error!(%why, "not reloaded; nothing has changed"),
    }
}

/// Descriptors that are kept for everything but clients: listeners, loads, databases, the log.
const RESERVE: u64 = 128;

/// Raises the limit of descriptors as far as the system lets us, and says how many connections of
/// clients fit under it.
fn connections(config: &Config) -> usize {
    let wanted = config.limits.connections;
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the old one holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return wanted };
    let free = usize::try_from(descriptors.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    // As many loads may be in the air as there are clients, and in each group up to a limit. Those
    // that are over leave a connection that is kept for a while.
    let loads = 2 * config.limits.flights * config.groups.len();
    wanted.min(free - loads.min(free / 2)).max(1)
}

/// The signals that say to read the configuration again, and those that say to stop. A second one of
/// these does not wait for the drain.
fn signals() -> io::Result<Signals> {
    let asked_before = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, RUN_TIME.into(), Arc::clone(&asked_before))?;
        flag::register(signal, Arc::clone(&asked_before))?;
    }
    Signals::new([SIGHUP, SIGTERM, SIGINT])
}

/// Checks a configuration file, with the variables that go over it, and says so.
///
/// # Errors
/// If there is something wrong with it.
pub fn check(file: &Path) -> Result<(), Failure> {
    let config = Config::from_file(file, &Overrides::of_variables(env::vars_os()))?;
    for name in &config.strangers {
        say(&mut io::stderr(), &format!("{name}: {STRANGER}"));
    }
    let (groups, origins) = (config.groups.len(), config.origins.len());
    let name = file.display();
    for warning in &config.warnings {
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
