//! The two servers: this program over again, with the native core or with the component. Their values
//! are put; their origin never answers.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{ExitCode, Stdio},
    sync::Arc,
};

use clap::Parser;
use gocache::{
    Server,
    program::{self, Failure},
};
use gocache_wasi::{Component, WasiEngine};
use tempfile::TempDir;

use crate::cases::PAYLOADS;
use crate::cores::Cores;
use crate::process::{Process, free_addresses};
use crate::server;
use crate::speech::Speech;

/// First arguments of the bench when it is one of them.
pub(crate) const NATIVE: &str = "--native";
pub(crate) const WASI: &str = "--wasi";

pub(crate) const BASE: &str = "/_gocache/bench/";
const TOKEN: &str = "a-token-of-those-who-write";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    serve: program::Arguments,
}

/// Becomes one of them.
pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    let component = (arguments[0] == WASI).then(|| &arguments[1]);
    let rest = &arguments[if component.is_some() { 2 } else { 1 }..];
    let cli = Cli::parse_from([&String::new()].into_iter().chain(rest));
    let ended = cli.serve.run(|config| {
        let Some(component) = component else { return Ok(Server::start(config)?) };
        let component = Component::from_file(component);
        let component = component.map_err(|error| Failure::Misuse(error.to_string()))?;
        let engine = WasiEngine::for_config(&component, &config);
        let engine = engine.map_err(|error| Failure::Misuse(error.to_string()))?;
        Ok(Server::start_with(config, Arc::new(engine))?)
    });
    program::exit("bench", ended)
}

/// Starts one: the native one, or that of a component.
pub(crate) fn start(
    cores: &Cores,
    origin: SocketAddr,
    component: Option<&Path>,
) -> io::Result<server::Server> {
    let files = TempDir::new()?;
    let [address, ops_address] = free_addresses()?;
    let configuration = files.path().join("gocache.toml");
    let text = format!(
        r#"listen = "{address}"
ops_listen = "{ops_address}"
loops = {}
log = "warn"
[origins.none]
kind = "http"
url = "http://{origin}/"
[groups.bench]
origin = "none"
budget = "64 MiB"
[deadlines]
load = "60s"
[writes]
token = "{TOKEN}"
"#,
        cores.loops(),
    );
    fs::write(&configuration, text)?;
    let config = ["--config".as_ref(), configuration.as_os_str()];
    let role = match component {
        None => vec![NATIVE.as_ref()],
        Some(component) => vec![WASI.as_ref(), component.as_os_str()],
    };
    let program = std::env::current_exe()?;
    let process = Process::spawn(program, &[&*role, &config].concat(), cores, |command| {
        command.stdin(Stdio::null()).stdout(Stdio::null())
    })?;
    let name = if component.is_some() { "wasi" } else { "native" };
    let speech = Speech::Http { base: BASE };
    let mut server = server::Server { name, process, address, secure: None, speech, _files: files };
    // What is asked for is not there yet; that it answers is enough.
    while server.process.0.try_wait()?.is_none() && TcpStream::connect(address).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(server)
}

/// Puts all payloads, and sees that they are there.
pub(crate) fn fill(server: &mut server::Server) -> io::Result<()> {
    for payload in &PAYLOADS {
        let mut stream = TcpStream::connect(server.address)?;
        let head = format!(
            "PUT {BASE}{} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            payload.key, server.address, payload.bytes
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&payload.value())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 204") {
            return Err(io::Error::other(format!("{}: {answer}", server.name)));
        }
        server.wait_until_ready(payload)?;
    }
    Ok(())
}

/// What each takes of memory.
pub(crate) fn resident(servers: &[server::Server]) -> io::Result<String> {
    let each = servers.iter().map(|server| {
        let status = fs::read_to_string(format!("/proc/{}/status", server.process.0.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        Ok(format!("{} {:.1} MiB", server.name, kib.unwrap_or(f64::NAN) / 1024.0))
    });
    Ok(each.collect::<io::Result<Vec<_>>>()?.join(", "))
}
