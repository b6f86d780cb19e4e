//! A gocache, with all payloads in the database behind it.

use std::io;
use std::process::Stdio;

use tempfile::TempDir;

use crate::cases::PAYLOADS;
use crate::cores::Cores;
use crate::program;
use crate::secure::{self, Secure};
use crate::server::Server;
use crate::speech::Speech;

/// The path of a key in its URLs, before the key.
pub(crate) const BASE: &str = "/_gocache/bench/";

/// Starts it, over TLS if that is wanted, and waits until it serves every payload.
pub(crate) fn start(cores: &Cores, is_secure: bool) -> io::Result<Server> {
    let files = TempDir::new()?;
    let secure = is_secure.then(|| Secure::create(files.path())).transpose()?;
    let group = "budget = \"64 MiB\"\n".to_owned() + if is_secure { secure::TABLE } else { "" };
    let values = PAYLOADS.iter().map(|payload| (payload.key.to_owned(), payload.value()));
    // Its stderr stays the bench's: what it warns of belongs to whoever reads the table.
    let (process, [address, _]) =
        program::start(cores, files.path(), &group, values, Stdio::inherit())?;
    let speech = Speech::Http { base: BASE };
    let name = if is_secure { "over TLS" } else { "gocache" };
    let mut server = Server { name, process, address, secure, speech, _files: files };
    for payload in &PAYLOADS {
        server.wait_until_ready(payload)?;
    }
    Ok(server)
}
