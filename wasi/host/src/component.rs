//! `Component`: the compiled component, checked against the world that this host can run.

use std::{fmt, fs, io, path::Path};

use wasmtime::{
    Config, Engine,
    component::{self, Linker},
};

use crate::{bindings::CachePre, memory::Memory};

/// How the bytes of a component begin: `\0asm`, the version, and the layer (a module's is 0).
const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component that has been compiled, once for any number of engines.
#[derive(Clone)]
pub struct Component {
    pub(crate) pre: CachePre<Memory>,
}

impl Component {
    /// Reads and compiles a file.
    ///
    /// # Errors
    /// If it cannot be read or is no component of ours.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ComponentError> {
        Self::new(&fs::read(path).map_err(ComponentError::Unreadable)?)
    }

    /// Compiles the bytes of a component.
    ///
    /// # Errors
    /// If they are no component of ours.
    pub fn new(wasm: &[u8]) -> Result<Self, ComponentError> {
        if !wasm.starts_with(HEADER) {
            return Err(ComponentError::NoComponent);
        }
        let mut config = Config::new();
        // Every call of ours returns at once; to keep several in one instance costs on each.
        config.concurrency_support(false);
        let engine = Engine::new(&config).map_err(ComponentError::Host)?;
        let compiled =
            component::Component::from_binary(&engine, wasm).map_err(ComponentError::Invalid)?;
        // Nothing to link: a component that imports anything is not the one that we know.
        let pre = Linker::new(&engine).instantiate_pre(&compiled);
        let pre = pre.and_then(CachePre::new).map_err(ComponentError::OtherWorld)?;
        Ok(Self { pre })
    }
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
    /// wasmtime does not run on this machine.
    Host(wasmtime::Error),
    /// It does not compile.
    Invalid(wasmtime::Error),
    /// It is a component, but not one of ours: it imports something, or exports something else.
    OtherWorld(wasmtime::Error),
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NoComponent => f.write_str("is not a WebAssembly component"),
            Self::Host(error) => write!(f, "cannot be run on this machine: {}", one_line(error)),
            Self::Invalid(error) => write!(f, "does not compile: {}", one_line(error)),
            Self::OtherWorld(error) => write!(
                f,
                "is a component of another world than `gocache:node/cache`: {}",
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
