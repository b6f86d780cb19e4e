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

use crate::cases::PAYLOADS;
use crate::cores::Cores;
use crate::process::{Process, free_addresses};
use crate::server::Server;
use crate::speech::Speech;

/// What one of them is started with.
struct Stand<'a> {
    /// The program that was looked for.
    program: PathBuf,
    cores: &'a Cores,
    /// A folder of its own.
    files: TempDir,
    address: SocketAddr,
    /// A server that has the values, for those that ask one.
    backend: SocketAddr,
}

impl Stand<'_> {
    /// Runs the program, and makes a server of it.
    fn run(self, name: &'static str, arguments: &[String], speech: Speech) -> io::Result<Server> {
        let Self { program, cores, files, address, .. } = self;
        let process = Process::spawn(program, arguments, cores, |command| {
            // What it says of itself is not of the table.
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
        })?;
        Ok(Server { name, process, address, secure: None, speech, _files: files })
    }
}

type Start = fn(Stand<'_>) -> io::Result<Server>;

/// A program that is run for it, where it comes from, and how it is started.
const ALL: [(&str, &str, Start); 4] = [
    ("nginx", "nginx-light", nginx::start),
    ("varnishd", "varnish", varnish::start),
    ("memcached", "memcached", memcached::start),
    ("go", "golang-go", net_http::start),
];

/// Starts those that are installed; of the others it is told why they take no part.
pub(crate) fn start(cores: &Cores, backend: SocketAddr) -> io::Result<(Vec<Server>, Vec<String>)> {
    let (mut servers, mut skipped) = (Vec::new(), Vec::new());
    for (name, package, start) in ALL {
        let Some(program) = find(name) else {
            skipped.push(format!("{name} is not installed (Debian: apt-get install {package})"));
            continue;
        };
        let [address, _] = free_addresses()?;
        let ready = |mut server: Server| {
            PAYLOADS.iter().try_for_each(|payload| server.wait_until_ready(payload))?;
            Ok(server)
        };
        let stand = Stand { program, cores, files: TempDir::new()?, address, backend };
        match start(stand).and_then(ready) {
            Ok(server) => servers.push(server),
            Err(error) => skipped.push(format!("{name} does not start: {error}")),
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
