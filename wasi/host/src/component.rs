//! `Component`: the compiled component, checked against the world that this host can run.

use std::{fmt, fs, io, path::Path};

use gocache_core::Value;
use wasmtime::{
    Config, Engine,
    component::{self, ComponentExportIndex, Linker},
};

use crate::{
    bindings::{CachePre, ENGINE, GET_BATCH, HIT, HITS},
    epoch,
    memory::Memory,
};

/// How the bytes of a component begin: `\0asm`, the version, and the layer.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The same for a module.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// What is compiled is an ELF file.
const COMPILED: &[u8] = b"\x7fELF";

/// A component that has been compiled, once for any number of engines.
#[derive(Clone)]
pub struct Component {
    pub(crate) pre: CachePre<Memory>,
    /// Where the verbs are found that are hot.
    pub(crate) hit: ComponentExportIndex,
    pub(crate) hits: ComponentExportIndex,
    pub(crate) get_batch: ComponentExportIndex,
}

impl Component {
    /// Reads a file: a component, which is compiled, or one that [`Component::compiled`] gave.
    ///
    /// # Errors
    /// As with [`Component::new`], or if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ComponentError> {
        Self::new(&fs::read(path).map_err(ComponentError::Unreadable)?)
    }

    /// Takes the bytes of such a file. What is compiled already is machine code and runs as such:
    /// it has to come from where nobody else can write.
    ///
    /// # Errors
    /// If they are no component of ours, or not for this program.
    pub fn new(bytes: &[u8]) -> Result<Self, ComponentError> {
        let load = match bytes {
            _ if bytes.starts_with(COMPONENT) => compile,
            _ if bytes.starts_with(COMPILED) => load,
            _ if bytes.starts_with(MODULE) => return Err(ComponentError::Module),
            _ => return Err(ComponentError::NoComponent),
        };
        let mut config = Config::new();
        // Every call of ours returns at once; to keep several in one instance costs on each.
        config.concurrency_support(false);
        config.epoch_interruption(true);
        let engine = Engine::new(&config).map_err(ComponentError::Host)?;
        let component = load(&engine, bytes)?;
        epoch::begin(&engine).map_err(ComponentError::Thread)?;
        Self::check(&component).map_err(ComponentError::OtherWorld)
    }

    /// Sees whether it is of our world, by the names: the types show when there is an instance. It
    /// may import what it likes, for other hosts: what of it we call needs nothing, and what it
    /// imports is a trap here.
    fn check(component: &component::Component) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(component.engine());
        linker.define_unknown_imports_as_traps(component)?;
        let pre = CachePre::new(linker.instantiate_pre(component)?)?;
        let engine = component.get_export_index(None, ENGINE);
        let find = |name| {
            let found = component.get_export_index(engine.as_ref(), name);
            found.ok_or_else(|| wasmtime::format_err!("there is no `{name}` in `{ENGINE}`"))
        };
        let (hit, hits, get_batch) = (find(HIT)?, find(HITS)?, find(GET_BATCH)?);
        Ok(Self { pre, hit, hits, get_batch })
    }

    /// What it was compiled to, as the content of a file. That file is for this version of wasmtime
    /// and processors such as this one.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn compiled(&self) -> Result<Vec<u8>, ComponentError> {
        let code = self.pre.instance_pre().component().serialize().map_err(ComponentError::Host)?;
        let digest = digest(&code)?;
        Ok([&*code, &digest].concat())
    }
}

#[cfg(feature = "compile")]
fn compile(engine: &Engine, bytes: &[u8]) -> Result<component::Component, ComponentError> {
    component::Component::from_binary(engine, bytes).map_err(ComponentError::Invalid)
}

#[cfg(not(feature = "compile"))]
fn compile(_: &Engine, _: &[u8]) -> Result<component::Component, ComponentError> {
    Err(ComponentError::NoCompiler)
}

/// Takes what was compiled, of which the end is its digest.
#[expect(unsafe_code, reason = "machine code can do anything; there is no other way to load it")]
fn load(engine: &Engine, bytes: &[u8]) -> Result<component::Component, ComponentError> {
    let (code, end) = bytes.split_last_chunk().ok_or(ComponentError::NotWhole)?;
    if digest(code)? != *end {
        return Err(ComponentError::NotWhole);
    }
    // SAFETY: by its digest it is, to the last byte, what `compiled` gave. That nobody has made it up
    // is up to who runs the server, as it is for the program itself: `Component::new` says so.
    unsafe { component::Component::deserialize(engine, code) }.map_err(ComponentError::OtherHost)
}

/// It tells what was cut off or has rotted, which wasmtime does not look for.
fn digest(code: &[u8]) -> Result<[u8; 8], ComponentError> {
    let code = Value::new(code).map_err(|error| ComponentError::Host(error.into()))?;
    Ok(code.digest().to_le_bytes())
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Component(..)")
    }
}

/// Why a component cannot be run. Always the operator's to mend.
#[derive(Debug)]
pub enum ComponentError {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// These are not the bytes of a component.
    NoComponent,
    /// These are the bytes of a module.
    Module,
    /// wasmtime does not run on this machine.
    Host(wasmtime::Error),
    /// The system has no thread for it.
    Thread(io::Error),
    /// It does not compile.
    Invalid(wasmtime::Error),
    /// It is not compiled, and this program cannot do it.
    NoCompiler,
    /// It was compiled, and something of it is missing or has changed.
    NotWhole,
    /// It was compiled by another wasmtime, or for another machine.
    OtherHost(wasmtime::Error),
    /// It is a component, but not one of ours: it does not export what we call.
    OtherWorld(wasmtime::Error),
}

/// What is done about most of it.
const COMPILE: &str = "compile the component with `gocache-wasi compile FILE.wasm`";

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => {
                write!(f, "cannot be read: {error}; name the file with --component FILE")
            }
            Self::NoComponent => f.write_str(
                "is not a WebAssembly component; name `gocache_component.wasm`, or what \
                 `gocache-wasi compile` made of it, with --component FILE",
            ),
            Self::Module => f.write_str(
                "is a WebAssembly module and not a component; build it with \
                 `cargo build --release --target wasm32-wasip2 -p gocache-component`",
            ),
            Self::Host(error) => write!(f, "cannot be run on this machine: {}", one_line(error)),
            Self::Thread(error) => write!(f, "cannot be run: the system has no thread: {error}"),
            Self::Invalid(error) => {
                let why = one_line(error);
                write!(f, "does not compile: {why}; build the component of this version anew")
            }
            Self::NoCompiler => write!(
                f,
                "is not compiled yet, and this program was built without a compiler; {COMPILE} of \
                 a build with the feature `compile`, and name the .cwasm"
            ),
            Self::NotWhole => write!(
                f,
                "is not whole, or not from `gocache-wasi compile`; {COMPILE} of this version anew"
            ),
            Self::OtherHost(error) => write!(
                f,
                "was compiled by another version, or for another machine: {}; {COMPILE} of this \
                 version, on a machine such as this",
                one_line(error)
            ),
            Self::OtherWorld(error) => write!(
                f,
                "is a component of another world or version than `{ENGINE}`: {}; build the \
                 component of this version",
                one_line(error)
            ),
        }
    }
}

impl std::error::Error for ComponentError {}

/// An error with all its causes, without the line breaks that some of them have.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let chain = format!("{error:#}");
    chain.split_whitespace().collect::<Vec<_>>().join(" ")
}
