//! The `gocache-wasi` program: arguments in, an exit code out.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use gocache::{
    Config, Server,
    program::{self, Failure},
};
use gocache_wasi::{Component, StartError, WasiEngine};

/// A distributed read-through cache over HTTP, with its core in a WebAssembly component.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve.
    Serve {
        /// The component: `gocache_component.wasm`, as `cargo build --release
        /// --target wasm32-wasip2 -p gocache-component` makes it.
        #[arg(long, env = "GOCACHE_COMPONENT", value_name = "FILE")]
        component: PathBuf,
        #[command(flatten)]
        serve: program::Arguments,
    },
}

fn main() -> ExitCode {
    let Command::Serve { component, serve } = Cli::parse().command;
    program::exit("gocache-wasi", serve.run(|config| start(config, &component)))
}

fn start(config: Config, file: &Path) -> Result<Server, Failure> {
    let component = Component::from_file(file).map_err(|error| {
        Failure::Misuse(format!("{} {error}; name the file with --component FILE", file.display()))
    })?;
    let engine = WasiEngine::for_config(&component, &config).map_err(|error| match error {
        StartError::TooLarge(_) | StartError::Refused(_) => Failure::Misuse(error.to_string()),
        StartError::Random(_) | StartError::Trap(_) => Failure::RunTime(error.to_string()),
    })?;
    Ok(Server::start_with(config, Arc::new(engine))?)
}
