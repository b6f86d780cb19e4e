//! The `gocache` program: arguments in, an exit code out.
//!
//! 0: fine; 1: failed at run time; 2: usage or configuration.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use clap::{Parser, Subcommand};
use gocache::{Config, Overrides, Server};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};

/// A distributed read-through cache over HTTP.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (also what happens without a command).
    Serve(Serve),
    /// Check a configuration file, and say what is wrong with it and where.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// Settings of `serve`; the environment and flags go over the file.
#[derive(Parser)]
struct Serve {
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

const FAILED: u8 = 1;
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Some(Command::Serve(settings)) => serve(settings),
        None => serve(Serve::parse_from(["gocache"])),
        Some(Command::Check { file }) => check(&file),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            say(&mut io::stderr(), &format!("gocache: {text}"));
            ExitCode::from(code)
        }
    }
}

fn serve(settings: Serve) -> Result<(), (u8, String)> {
    let Serve { config: file, listen, ops_listen, data_dir } = settings;
    let overrides = Overrides { listen, ops_listen, data_dir };
    let config = match &file {
        Some(file) => Config::from_file(file, overrides),
        None => Config::demonstration(overrides),
    };
    let config = config.map_err(misused)?;
    gocache::init_log(&config.log).map_err(misused)?;
    if file.is_none() {
        gocache::create_demonstration(&config).map_err(|error| (FAILED, error))?;
    }

    // Before the server starts: a signal that comes at once drains too. A second one does not wait.
    let asked_before = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, FAILED.into(), Arc::clone(&asked_before))
            .and_then(|_| flag::register(signal, Arc::clone(&asked_before)))
            .map_err(failed)?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;

    let groups: Vec<String> = config.groups.iter().map(|group| group.name.clone()).collect();
    let (base, loops) = (config.base.clone(), config.loops);
    let server = Server::start(config).map_err(|error| match error {
        gocache::StartError::Listen(_) => misused(error),
        gocache::StartError::System(_) => failed(error),
    })?;
    let (addr, ops_addr) = (server.addr(), server.ops_addr());
    tracing::info!(?groups, loops, "serving http://{addr}{base}GROUP/KEY");
    tracing::info!("operations: http://{ops_addr}/metrics, /healthz and /readyz");
    if let Some(signal) = signals.forever().next() {
        tracing::info!(signal, "draining; a second signal ends at once");
    }
    server.drain();
    tracing::info!("drained");
    Ok(())
}

fn check(file: &std::path::Path) -> Result<(), (u8, String)> {
    let config = Config::from_file(file, Overrides::default()).map_err(misused)?;
    let (groups, origins) = (config.groups.len(), config.origins.len());
    let name = file.display();
    say(&mut io::stdout(), &format!("{name}: sound; {groups} groups, {origins} origins"));
    Ok(())
}

/// Prints a line. Where nobody can read it, nothing is to be done about that (`println!` would
/// panic).
fn say(to: &mut impl Write, line: &str) {
    drop(writeln!(to, "{line}"));
}

fn misused(error: impl ToString) -> (u8, String) {
    (MISUSED, error.to_string())
}

fn failed(error: impl ToString) -> (u8, String) {
    (FAILED, error.to_string())
}
