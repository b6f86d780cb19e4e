//! The `gocache-wasi` program: arguments in, an exit code out.

use std::{
    alloc::System,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use gocache::{
    Config, Reserve, Server,
    program::{self, Failure},
};
use gocache_wasi::{Component, Settings, StartError, WasiEngine};

/// Of the system, and a little for when it has none left.
#[global_allocator]
static MEMORY: Reserve = Reserve::new(System);

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
        /// --target wasm32-wasip2 -p gocache-component` makes it, or what `compile` made of it.
        #[arg(long, env = "GOCACHE_COMPONENT", value_name = "FILE")]
        component: PathBuf,
        /// How many instances share the keys; by default one for each loop, as far as the budgets
        /// are large enough to be shared.
        #[arg(long, env = "GOCACHE_INSTANCES", value_name = "NUMBER")]
        instances: Option<NonZeroUsize>,
        #[command(flatten)]
        serve: program::Arguments,
    },
    /// Compile a component for this machine, so that it is served at once.
    Compile {
        /// The component.
        file: PathBuf,
        /// Where to; by default beside it, as .cwasm.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve { component, instances, serve } => {
            serve.run(|config| start(config, &component, instances))
        }
        Command::Compile { file, output } => compile(&file, output),
    };
    program::exit("gocache-wasi", result)
}

fn open(file: &Path) -> Result<Component, Failure> {
    Component::from_file(file)
        .map_err(|error| Failure::Misuse(format!("{} {error}", file.display())))
}

fn start(config: Config, file: &Path, instances: Option<NonZeroUsize>) -> Result<Server, Failure> {
    let component = open(file)?;
    let seed = getrandom::u64().map_err(|error| Failure::RunTime(error.to_string()))?;
    let mut settings = Settings::new(&config, seed);
    settings.instances = instances.map_or(settings.instances, NonZeroUsize::get);
    let instances = settings.instances;
    let engine = WasiEngine::new(&component, settings).map_err(|error| match error {
        StartError::TooLarge(_) | StartError::OtherWorld(_) | StartError::Refused(_) => {
            Failure::Misuse(error.to_string())
        }
        StartError::Random(_) | StartError::Trap(_) => Failure::RunTime(error.to_string()),
    })?;
    tracing::info!(component = %file.display(), instances, "the component is set up");
    Ok(Server::start_with(config, Arc::new(engine))?)
}

fn compile(file: &Path, output: Option<PathBuf>) -> Result<(), Failure> {
    let compiled = open(file)?.compiled();
    let compiled = compiled.map_err(|error| Failure::RunTime(error.to_string()))?;
    let output = output.unwrap_or_else(|| file.with_extension("cwasm"));
    fs::write(&output, compiled)
        .map_err(|error| Failure::Misuse(format!("{}: {error}", output.display())))
}
