//! What the promises are written with: a server to ask, an origin that counts, a client that sends
//! exact bytes.

mod answer;
mod client;
#[path = "../../wasi/host/tests/engine/guest.rs"]
mod component;
mod date;
mod figures;
mod frontend;
mod hosted;
mod metrics;
mod origin;
mod patience;
mod pki;
mod process;
mod script;
mod site;
mod stream;
mod structured;
mod tls;

pub(crate) use answer::{Answer, Asked, escaped};
pub(crate) use client::{Client, delete, get, head, put, write};
pub(crate) use component::FILE as COMPONENT;
pub(crate) use frontend::{Frontend, Native, NativeTls, Wasi};
pub(crate) use hosted::{
    HTTP_0_2, HTTP_0_3, Hosted, Jco, Serve, is_on_path, jco_serve, wasmtime_serve,
};
pub(crate) use metrics::Metrics;
pub(crate) use origin::Origin;
pub(crate) use patience::{PATIENCE, eventually};
pub(crate) use pki::{Authority, Credentials};
pub(crate) use process::{Process, free_address, program, run};
pub(crate) use script::Reply;
pub(crate) use site::{Setup, Site, TOKEN};
pub(crate) use structured::CacheStatus;
pub(crate) use tls::{HOSTS, TlsFiles};
