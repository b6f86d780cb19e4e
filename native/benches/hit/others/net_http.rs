//! A Go program that answers out of a map, on net/http: what many caches are made of.

use std::io;
use std::process::Command;

use super::Stand;
use crate::cases::PAYLOADS;
use crate::server::Server;
use crate::speech::Speech;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/hit/others/net_http.go");

pub(super) fn start(stand: Stand<'_>) -> io::Result<Server> {
    let program = stand.files.path().join("net_http");
    let mut build = Command::new(&stand.program);
    // The file is the whole program, of no module.
    build.env("GO111MODULE", "off").arg("build").arg("-o").arg(&program).arg(SOURCE);
    let output = build.output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("it cannot be built: {why}")));
    }
    let values = PAYLOADS.iter().map(|payload| format!("{}={}", payload.key, payload.bytes));
    let head = [stand.address.to_string(), stand.cores.loops().to_string()];
    let arguments: Vec<String> = head.into_iter().chain(values).collect();
    Stand { program, ..stand }.run("net/http", &arguments, Speech::Http { base: "/" })
}
