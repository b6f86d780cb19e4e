//! The native server of gocache: an HTTP frontend over the core, on mio and httparse.
//!
//! The path of a request through the files: `server` (sockets and loops) -> `tls` (where the port
//! is not plain) -> `conn` (one connection) -> `http1` (heads and bodies) -> `data` (the data
//! plane) -> [`Engine`] (the core) -> `answer` -> `output` -> `server`. Where the engine is asked
//! together what several connections want, `batch` stands before it. A load goes from the core to
//! `upstream` (peers and HTTP origins) or `origin` (sources that need a thread), and back through
//! the core to all who wait. A write is granted in `writes`, and goes through the cluster in
//! `server/relays`.

mod answer;
mod asks;
mod batch;
#[cfg(any(test, feature = "check"))]
pub mod check;
mod clock;
mod cluster;
mod config;
mod conn;
mod data;
mod engine;
mod http1;
pub mod in_process;
mod locks;
mod log;
mod memory;
mod meter;
mod ops;
mod origin;
mod output;
mod owed;
mod phase;
mod plane;
pub mod program;
mod recurring;
mod reloads;
mod repeats;
mod reserve;
mod server;
mod sockets;
mod tls;
mod token;
mod turn;
mod upstream;
mod writes;

pub use asks::{Ask, Asks, Lent, Said};
pub use config::{
    ClusterConfig, Config, ConfigError, DEMONSTRATION, Deadlines, GroupConfig, Limits,
    OriginConfig, OriginKind, Overrides, SqliteConfig, Target, TlsConfig, WritesConfig,
};
pub use engine::{Engine, Node, Tell};
pub use reserve::Reserve;
pub use server::{Server, StartError};
pub use sockets::Sockets;
pub use token::{BadToken, Token};
