//! Stock `wasmtime serve` beside our host, where there is a `wasmtime` on the PATH: the component over
//! `wasi:http`, asked for a path that is none of its own. That is the least a component can do, for no
//! cache and no origin has part in it.

use std::env;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::process::{Process, free_addresses};
use crate::server::Target;
use crate::{
    cases::{Bar, Case, Plan},
    payload::Payload,
};

const CASE: Case = Case { connections: 32, in_flight: 1, payload: Payload::SMALL, bar: None };
/// It compiles the component first.
const START: Duration = Duration::from_secs(60);

/// Prints how many times its answers the hits of ours are.
pub(crate) fn measure(ours: &Target, plan: &Plan, cores: &Cores) -> io::Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    if !env::split_paths(&path).any(|folder| folder.join("wasmtime").is_file()) {
        println!("Stock `wasmtime serve`: skipped, there is no wasmtime on the PATH");
        return Ok(());
    }
    for (feature, version, bar) in [("http-0-2", "0.2", 15.0), ("http-0-3", "0.3", 5.0)] {
        let (_process, stock) = start(&build(feature)?, cores)?;
        let _pinned = cores.pin_client()?;
        let mut ratios = Vec::new();
        for _ in 0..plan.rounds {
            let ours = crate::sample("wasi", ours, &CASE, plan)?;
            ratios.push(ours / crate::sample("wasmtime serve", &stock, &CASE, plan)?);
        }
        let (ratio, case) = (crate::median(&ratios), CASE.name());
        let verdict = Bar::at_least(bar).of(ratio);
        println!(
            "Hits of ours x stock `wasmtime serve` of {version}, {case}: {ratio:.1} ({verdict})"
        );
    }
    Ok(())
}

/// The component as a handler of this version.
fn build(feature: &str) -> io::Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(format!("wasm-{feature}"));
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "--quiet", "--release", "--package", "gocache-component"]);
    build.args(["--target", "wasm32-wasip2", "--features", feature, "--target-dir"]).arg(&target);
    if !build.status()?.success() {
        return Err(io::Error::other(format!("{build:?} failed")));
    }
    Ok(target.join("wasm32-wasip2/release/gocache_component.wasm"))
}

fn start(component: &Path, cores: &Cores) -> io::Result<(Process, Target)> {
    let [address, _] = free_addresses()?;
    let mut arguments = vec!["serve".into(), "-Scli".into(), "--addr".into(), address.to_string()];
    for setting in [
        "GROUPS=bench",
        "GROUPS_BENCH_BUDGET=1 MiB",
        "GROUPS_BENCH_ORIGIN=none",
        "ORIGINS_NONE_URL=http://127.0.0.1:1/",
    ] {
        arguments.extend(["--env".into(), format!("GOCACHE_{setting}")]);
    }
    arguments.push(component.display().to_string());
    let mut process = Process::spawn("wasmtime", &arguments, cores, |command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
    })?;
    let begin = Instant::now();
    let request = format!("GET /hello HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
    let answer = loop {
        match ask(address, &request) {
            Ok(answer) => break answer,
            Err(error) if begin.elapsed() > START => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
        if let Some(status) = process.0.try_wait()? {
            return Err(io::Error::other(format!("wasmtime ended: {status}")));
        }
    };
    let prefix = b"HTTP/1.1 404";
    if !answer.starts_with(prefix) {
        return Err(io::Error::other(format!("wasmtime says {}", answer.escape_ascii())));
    }
    Ok((process, Target { address, secure: None, request, answer, prefix }))
}

/// One answer, whole, which is the same each time but for its date.
fn ask(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request)?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|it| it.lines().next());
    let length = length.and_then(|it| it.parse().ok());
    let length: usize = length.ok_or_else(|| io::Error::other("it does not say its length"))?;
    let start = answer.len();
    answer.resize(start + length, 0);
    stream.read_exact(&mut answer[start..])?;
    Ok(answer)
}
