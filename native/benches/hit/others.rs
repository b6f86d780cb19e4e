//! What else answers a cached value: those of them that are installed, each with its own configuration
//! in a directory of its own, on one core as gocache is.

mod memcached;
mod net_http;
mod nginx;
mod varnish;

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;

use crate::cases::Payload;
use crate::cores::Cores;
use crate::process::{Process, free_addresses};
use crate::server::Server;
use crate::speech::Speech;

/// How one of them is started, in this directory and at this address.
type Start = fn(&Cores, TempDir, SocketAddr, Backend) -> io::Result<Server>;

/// A server that has the values, for those that ask one.
type Backend = SocketAddr;

/// A program that is run for it, where it comes from, and how it is started.
const ALL: [(&str, &str, Start); 4] = [
    ("nginx", "nginx-light", nginx::start),
    ("varnishd", "varnish", varnish::start),
    ("memcached", "memcached", memcached::start),
    ("go", "golang-go", net_http::start),
];

/// Starts those that are installed; of the others it is told why they take no part.
pub(crate) fn start(cores: &Cores, backend: Backend) -> io::Result<(Vec<Server>, Vec<String>)> {
    let (mut servers, mut skipped) = (Vec::new(), Vec::new());
    for (program, package, start) in ALL {
        if find(program).is_none() {
            skipped.push(format!("{program} is not installed (Debian: apt-get install {package})"));
            continue;
        }
        let [address, _] = free_addresses()?;
        let ready = |mut server: Server| {
            Payload::ALL.iter().try_for_each(|payload| server.wait_until_ready(payload))?;
            Ok(server)
        };
        match start(cores, TempDir::new()?, address, backend).and_then(ready) {
            Ok(server) => servers.push(server),
            Err(error) => skipped.push(format!("{program} does not start: {error}")),
        }
    }
    Ok((servers, skipped))
}

/// Where a program is. Servers are often where only root looks.
fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Starts a program and makes a server of it.
fn spawn(
    name: &'static str,
    program: PathBuf,
    arguments: &[String],
    cores: &Cores,
    (files, address, speech): (TempDir, SocketAddr, Speech),
) -> io::Result<Server> {
    let process = Process::spawn(program, arguments, cores, |command| {
        // What it says of itself is not of the table.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
    })?;
    Ok(Server { name, process, address, secure: None, speech, _files: files })
}
