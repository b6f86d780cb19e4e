//! The component in hosts that are not ours: `wasi:http` 0.2 in `jco serve`, 0.3 in `wasmtime serve`.
//!
//! They are run where they are installed. They speak HTTP themselves, so that only what the cache
//! answers is held to the promises.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use toml::{Table, Value};

use super::frontend::{Frontend, Running};
use super::process::free_address;

/// A host may have to compile the component first, on a machine that does other things too.
const START: Duration = Duration::from_secs(60);

/// `wasi:http` 0.2 in Node.
pub(crate) struct Jco;

/// `wasi:http` 0.3 in the `wasmtime` that everyone has.
pub(crate) struct Serve;

impl Frontend for Jco {
    const NAME: &'static str = "jco serve";

    fn is_installed() -> bool {
        is_on_path("jco") && is_on_path("node")
    }

    fn start(config: &str) -> Running {
        let mut host = Command::new("node");
        host.arg(&*JCO_SERVER).envs(variables(config));
        let addr = free_address();
        host.env("GOCACHE_TEST_PORT", addr.port().to_string());
        Running::hosted(addr, Hosted::spawn(host, addr))
    }
}

impl Frontend for Serve {
    const NAME: &'static str = "wasmtime serve";

    fn is_installed() -> bool {
        is_on_path("wasmtime")
    }

    /// One instance, as long as requests come one after the other.
    fn start(config: &str) -> Running {
        let addr = free_address();
        let host = wasmtime_serve(&HTTP_0_3, addr, variables(config), &KEEPING);
        Running::hosted(addr, Hosted::spawn(host, addr))
    }
}

/// What makes `wasmtime serve` keep an instance: else it is replaced after 128 requests, and after a
/// second without one.
const KEEPING: [&str; 3] = [
    "--max-instance-reuse-count=1000000",
    "--max-instance-concurrent-reuse-count=1000",
    "--idle-instance-timeout=1000s",
];

/// The command that serves a component in `wasmtime serve`.
pub(crate) fn wasmtime_serve(
    component: &Path,
    addr: SocketAddr,
    variables: BTreeMap<String, String>,
    flags: &[&str],
) -> Command {
    let mut host = Command::new("wasmtime");
    host.args(["serve", "-Scli", "--addr"]).arg(addr.to_string()).args(flags);
    for (name, value) in variables {
        host.arg("--env").arg(format!("{name}={value}"));
    }
    host.arg(component);
    host
}

/// A host that runs until this value goes away.
pub(crate) struct Hosted(Child);

impl Hosted {
    /// Starts it, and waits until it can be reached.
    pub(crate) fn spawn(mut host: Command, addr: SocketAddr) -> Self {
        // A group of its own, for jco serves in a process that it starts.
        host.stdout(Stdio::null()).stdin(Stdio::null()).process_group(0);
        // It tells of each connection that a test leaves. Why it does not start, it says by hand.
        host.stderr(Stdio::null());
        let begin = Instant::now();
        let mut hosted = Self(host.spawn().expect("it is installed"));
        while TcpStream::connect(addr).is_err() {
            let ended = hosted.0.try_wait().expect("the process is ours");
            assert!(ended.is_none(), "{host:?} ended: {ended:?}");
            assert!(begin.elapsed() < START, "{host:?} cannot be reached at {addr}");
            thread::sleep(Duration::from_millis(10));
        }
        hosted
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // They may have ended already.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        drop(self.0.wait());
    }
}

/// Whether there is such a program; else who reads the output of the tests is told.
pub(crate) fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !is_there {
        eprintln!("skipped: there is no {program} on the PATH");
    }
    is_there
}

/// The components, built as a user builds them.
pub(crate) static HTTP_0_2: LazyLock<PathBuf> = LazyLock::new(|| build("http-0-2"));
pub(crate) static HTTP_0_3: LazyLock<PathBuf> = LazyLock::new(|| build("http-0-3"));

static BUILDS: Mutex<()> = Mutex::new(());

/// Each has a copy of its own, for the files have one name.
fn build(feature: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("wasm-http");
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "--quiet", "--release", "--package", "gocache-component"]);
    build.args(["--target", "wasm32-wasip2", "--features", feature, "--target-dir"]).arg(&target);
    // What the outer build is instrumented with (coverage, sanitizers) is not for the guest.
    build.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // The next feature overwrites the file.
    let one_by_one = BUILDS.lock().expect("no build panics under it");
    let built = build.status().expect("cargo runs: it runs this test").success();
    let copy = target.join(format!("gocache_{}.wasm", feature.replace('-', "_")));
    let copied = fs::copy(target.join("wasm32-wasip2/release/gocache_component.wasm"), &copy);
    drop(one_by_one);
    assert!(built, "{build:?} failed; if the target is missing: rustup target add wasm32-wasip2");
    copied.expect("cargo has made the file");
    copy
}

/// The program that `jco serve` makes of the component and runs, but that the port is not in it.
static JCO_SERVER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jco");
    let addr = free_address();
    drop(Hosted::spawn(jco_serve("jco", addr, BTreeMap::new()), addr));
    let server = "import { HTTPServer } from '@bytecodealliance/preview2-shim/http';\n\
         import { incomingHandler } from './gocache_http_0_2.js';\n\
         new HTTPServer(incomingHandler).listen(process.env.GOCACHE_TEST_PORT, '127.0.0.1');\n";
    let file = folder.join("server.js");
    fs::write(&file, server).expect("the folder is writable");
    file
});

/// The command that serves the component of `wasi:http` 0.2 in `jco serve`, which writes what it makes
/// of it to this folder.
pub(crate) fn jco_serve(
    folder: &str,
    addr: SocketAddr,
    variables: BTreeMap<String, String>,
) -> Command {
    let mut host = Command::new("jco");
    host.arg("serve").arg(&*HTTP_0_2).args(["--host", "127.0.0.1", "--port"]);
    host.arg(addr.port().to_string()).envs(variables);
    host.arg("--jco-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder));
    host
}

/// The variables that say what a file says.
fn variables(config: &str) -> BTreeMap<String, String> {
    let config: Table = config.parse().expect("the configuration of a test is TOML");
    let groups = config["groups"].as_table().expect("there are groups");
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    let mut variables = BTreeMap::from([("GOCACHE_GROUPS".to_owned(), names.join(","))]);
    flatten("GOCACHE", &config, &mut variables);
    variables
}

fn flatten(prefix: &str, table: &Table, variables: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = format!("{prefix}_{}", key.to_uppercase());
        match value {
            Value::Table(inner) => flatten(&name, inner, variables),
            Value::String(text) => drop(variables.insert(name, text.clone())),
            other => drop(variables.insert(name, other.to_string())),
        }
    }
}
