//! The `gocache` program: arguments in, an exit code out.

use std::{alloc::System, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use gocache::{Reserve, Server, program};

/// Of the system, and a little for when it has none left.
#[global_allocator]
static MEMORY: Reserve = Reserve::new(System);

/// A distributed read-through cache over HTTP.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: program::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (also what happens without a command).
    Serve(program::Arguments),
    /// Check a configuration file, and say what is wrong with it and where.
    Check {
        /// The file.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let Cli { command, serve } = Cli::parse();
    let result = match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(serve) => serve.run(|config| Ok(Server::start(config)?)),
        Command::Check { file } => program::check(&file),
    };
    program::exit("gocache", result)
}
