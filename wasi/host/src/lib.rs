//! gocache with its core in a WebAssembly component: wasmtime runs instances of it, which live as
//! long as the server and have the keys among them, behind the [`gocache::Engine`] that the native
//! server asks. What clients and peers see is the native server's code, TLS included: private keys
//! and certificates stay outside the component.
//!
//! ```no_run
//! # use std::{error::Error, sync::Arc};
//! # use gocache::{Config, Server};
//! # use gocache_wasi::{Component, WasiEngine};
//! # fn start(config: Config) -> Result<Server, Box<dyn Error>> {
//! let component = Component::from_file("gocache_component.wasm")?;
//! let engine = WasiEngine::for_config(&component, &config)?;
//! let server = Server::start_with(config, Arc::new(engine))?;
//! # Ok(server)
//! # }
//! ```
//!
//! A trap ends an instance, and what it cached. A fresh one takes its place at once, and whoever
//! waited for a load of the old one is answered with an error: see [`WasiEngine`].

// From the outside inwards: a file uses only files below it.
mod engine;
mod seat;

mod instance;

mod component;
mod convert;

mod bindings;
mod epoch;
mod memory;
mod settings;

pub use component::{Component, ComponentError};
pub use engine::WasiEngine;
pub use instance::StartError;
pub use settings::{GroupSettings, RingSettings, Settings};
