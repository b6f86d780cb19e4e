//! The seam: whatever starts a server from a configuration can be held to the promises.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use gocache_wasi::{Component, WasiEngine};

use super::component;
use super::hosted::Hosted;

/// One way to run the server.
pub(crate) trait Frontend {
    const NAME: &'static str;

    /// Its clients speak TLS.
    const IS_SECURE: bool = false;

    /// Whether it can be started here; else its tests say that it cannot, and pass.
    fn is_installed() -> bool {
        true
    }

    /// Starts a server of its own, on ports that the system picks.
    fn start(config: &str) -> Running;
}

/// A server that runs until this value goes away.
pub(crate) struct Running {
    addr: SocketAddr,
    /// Hosts of others have none.
    ops_addr: Option<SocketAddr>,
    server: Option<gocache::Server>,
    _host: Option<Hosted>,
}

impl Running {
    /// A host of others, which answers here.
    pub(crate) fn hosted(addr: SocketAddr, host: Hosted) -> Self {
        Self { addr, ops_addr: None, server: None, _host: Some(host) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn ops_addr(&self) -> SocketAddr {
        self.ops_addr.expect("a server of ours")
    }

    /// Stops the server as an operator would, finishing what is in flight; returns when it is done.
    pub(crate) fn drain(&mut self) {
        if let Some(server) = self.server.take() {
            server.drain();
        }
    }

    /// Takes up another configuration; says which keys wait for a restart, or why it does not.
    pub(crate) fn reload(&self, config: &str) -> Result<Vec<&'static str>, String> {
        let server = self.server.as_ref().expect("it has not been drained");
        server.reload(|| gocache::Config::from_toml(config))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drain();
    }
}

/// The native server, in this process.
pub(crate) struct Native;

impl Frontend for Native {
    const NAME: &'static str = "native";

    fn start(config: &str) -> Running {
        running::<Self, _>(gocache::Server::start(checked::<Self>(config)))
    }
}

/// The native server with TLS on its data port.
pub(crate) struct NativeTls;

impl Frontend for NativeTls {
    const NAME: &'static str = "native over TLS";
    const IS_SECURE: bool = true;

    fn start(config: &str) -> Running {
        Native::start(config)
    }
}

/// The component in wasmtime, behind the same server.
pub(crate) struct Wasi;

impl Frontend for Wasi {
    const NAME: &'static str = "wasi";

    fn start(config: &str) -> Running {
        /// Compiled once for all tests.
        static COMPONENT: LazyLock<Component> = LazyLock::new(|| {
            Component::from_file(&*component::FILE).expect("the component was just built")
        });
        let config = checked::<Self>(config);
        let engine = WasiEngine::for_config(&COMPONENT, &config).expect("the settings are sound");
        running::<Self, _>(gocache::Server::start_with(config, Arc::new(engine)))
    }
}

/// The configuration of a test, which has to be valid.
fn checked<F: Frontend>(config: &str) -> gocache::Config {
    let checked = gocache::Config::from_toml(config);
    checked.unwrap_or_else(|error| panic!("{}: {error}\n{config}", F::NAME))
}

fn running<F: Frontend, E: Display>(started: Result<gocache::Server, E>) -> Running {
    let server = started.unwrap_or_else(|error| panic!("{} does not start: {error}", F::NAME));
    let (addr, ops_addr) = (server.addr(), Some(server.ops_addr()));
    Running { addr, ops_addr, server: Some(server), _host: None }
}
