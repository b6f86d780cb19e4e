//! The core in a microcontroller: the example firmware runs in QEMU, the one that speaks HTTP answers a
//! client there, and what a cache costs in flash stays under its limits.
//! `cargo test --workspace --test suite firmware -- --nocapture` prints both.

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use object::{Object, ObjectSegment, ObjectSymbol};

use crate::harness::eventually;

/// Bytes of flash over the empty program: what they take, with hash and copying of memory, and a
/// little more. The first two manage their memory in a region, the others hardly at all: so those
/// say what a cache and a group cost by themselves. A change that needs more shall say what for.
const LIMITS: [(&str, u64); 4] =
    [("lru", 8_900), ("group", 17_250), ("lru-alone", 7_100), ("group-alone", 15_200)];
/// It takes less than a second.
const LONGEST: Duration = Duration::from_secs(60);

/// Cargo in the firmware's folder, whose configuration names the target and QEMU's arguments.
fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--quiet", "--locked", "--release"]);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/firmware"));
    cargo.env("CARGO_TARGET_DIR", target());
    // What is set for this machine does not fit that one.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

fn target() -> PathBuf {
    // This test stands in target/PROFILE/deps.
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(3).expect("cargo's layout").join("firmware")
}

/// The folder of the programs, built once for all tests.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let built = cargo("build").status().expect("cargo runs");
        let help = "is its target there? rustup target add thumbv7em-none-eabihf";
        assert!(built.success(), "the firmware does not build; {help}");
        target().join("thumbv7em-none-eabihf/release")
    })
}

/// Begins to run a program in QEMU. Cargo becomes QEMU, so that this is the process to end.
fn qemu(program: &str, [input, output]: [Stdio; 2]) -> Child {
    programs();
    let found = Command::new("qemu-system-arm").arg("--version").output();
    assert!(found.is_ok(), "the firmware runs in QEMU: apt-get install qemu-system-arm");
    let mut cargo = cargo("run");
    let process = cargo.args(["--bin", program]).stdin(input).stdout(output);
    process.stderr(Stdio::piped()).spawn().expect("cargo runs")
}

/// Waits for its end. Says how it ended and what it printed.
fn end(mut qemu: Child) -> (ExitStatus, String) {
    let begin = Instant::now();
    while qemu.try_wait().expect("the process is ours").is_none() {
        if begin.elapsed() > LONGEST {
            qemu.kill().expect("the process is ours");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let mut said = String::new();
    qemu.stdout.take().into_iter().for_each(|mut pipe| drop(pipe.read_to_string(&mut said)));
    qemu.stderr.take().into_iter().for_each(|mut pipe| drop(pipe.read_to_string(&mut said)));
    (qemu.wait().expect("it has ended"), said)
}

#[test]
fn the_firmware_runs() {
    let (status, said) = end(qemu("gocache-firmware", [Stdio::null(), Stdio::piped()]));
    println!("{said}");
    assert!(status.success(), "{status}\n{said}");
    let scenarios: Vec<_> =
        said.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(scenarios, ["lru", "s3-fifo", "lifetime", "group", "single flight"], "{said}");
    assert_eq!(said.lines().last(), Some("ok"), "{said}");
}

/// Begins to run the example that speaks HTTP, on a socket.
fn http(line: UnixStream) -> Child {
    let input = line.try_clone().expect("a second handle");
    qemu("http", [input, line].map(|line| OwnedFd::from(line).into()))
}

/// What the example answers.
fn answer(status: &str, state: &str, body: &str) -> String {
    let kind = format!("Content-Type: text/plain\r\nContent-Length: {}\r\n", body.len());
    format!("HTTP/1.1 {status}\r\n{kind}Cache-Status: gocache; {state}\r\n\r\n{body}")
}

#[test]
fn the_firmware_speaks_http() {
    let (mut client, line) = UnixStream::pair().expect("two ends");
    client.set_read_timeout(Some(LONGEST)).expect("it is not zero");
    let firmware = http(line);
    let mut expect = |pieces: &[&str], expected: &str| {
        for piece in pieces {
            client.write_all(piece.as_bytes()).expect("the line stands");
            thread::sleep(Duration::from_millis(if pieces.len() > 1 { 30 } else { 0 }));
        }
        let mut got = vec![0; expected.len()];
        client.read_exact(&mut got).expect("an answer as long as is expected");
        assert_eq!(String::from_utf8_lossy(&got), expected);
    };
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: firmware\r\n\r\n");
    let twelve = get("/_gocache/squares/12");
    let (loaded, cached) = (answer("200 OK", "fwd=miss", "144"), answer("200 OK", "hit", "144"));
    expect(&[&twelve], &loaded);
    expect(&[&twelve], &cached);
    expect(&[&twelve[..9], &twelve[9..30], &twelve[30..]], &cached);
    expect(&[&twelve.repeat(20)], &cached.repeat(20));
    let head = twelve.replace("GET", "HEAD");
    expect(&[&head, &twelve], &[&cached[..cached.len() - 3], &cached].concat());

    let bad = |status: &str| answer(status, "fwd=miss", &status[4..]);
    for target in ["/_gocache/squares/Tom", "/_gocache/cubes/12", "/"] {
        expect(&[&get(target)], &bad("404 Not Found"));
    }
    expect(&[&get("/_gocache/squares/%zz")], &bad("400 Bad Request"));
    expect(&["12?\r\n\r\n"], &bad("400 Bad Request"));
    expect(
        &[&format!("GET /{}", "x".repeat(1 << 10))[..1 << 10]],
        &bad("431 Request Header Fields Too Large"),
    );
    let allow = bad("405 Method Not Allowed").replace("Cache", "Allow: GET, HEAD\r\nCache");
    expect(&[&twelve.replace("GET", "DELETE")], &allow);
    let body = "Content-Length: 3\r\n\r\n144";
    expect(&[&twelve.replace("\r\n\r\n", &format!("\r\n{body}"))], &bad("413 Content Too Large"));
    expect(&[&twelve], &cached);

    drop(client);
    let (status, said) = end(firmware);
    assert!(status.success() && said.is_empty(), "{status}\n{said}");
}

#[test]
fn curl_is_served_by_the_firmware() {
    // Curl does not wait for a build.
    programs();
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("line");
    let listener = UnixListener::bind(&socket).expect("a new name");
    listener.set_nonblocking(true).expect("it can be");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--unix-socket"]).arg(&socket);
    curl.arg("http://firmware/_gocache/squares/[11-13]").stdout(Stdio::piped());
    let Ok(curl) = curl.spawn() else { return println!("skipped: curl is not on the PATH") };
    let mut line = None;
    eventually("curl connects", || {
        line = listener.accept().ok();
        line.is_some()
    });
    let (line, _) = line.expect("it has connected");
    line.set_nonblocking(false).expect("it can be");
    let firmware = http(line);
    let said = curl.wait_with_output().expect("the process is ours");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "121144169", "{said:?}");
    let (status, said) = end(firmware);
    assert!(status.success(), "{status}\n{said}");
}

/// A program as it was linked.
fn program(name: &str) -> Vec<u8> {
    fs::read(programs().join(name)).expect("it was built")
}

/// What is written to flash: code, constants, and the first values of variables.
fn flash(name: &str) -> u64 {
    let program = program(name);
    let program = object::File::parse(&*program).expect("it is ELF");
    program.segments().map(|segment| segment.file_range().1).sum()
}

#[test]
fn the_core_fits_into_flash() {
    let empty = flash("empty");
    println!("flash over the empty program of {empty} bytes:");
    let sizes = LIMITS.map(|(name, limit)| (name, flash(name) - empty, limit));
    for (name, bytes, limit) in sizes {
        println!("{name:>12} {bytes:>6} of {limit} bytes");
    }
    assert!(sizes.iter().all(|(_, bytes, limit)| bytes <= limit), "{sizes:?}");
}

/// The functions of a program that panic.
fn panics(name: &str) -> Vec<String> {
    let program = program(name);
    let program = object::File::parse(&*program).expect("it is ELF");
    let names = program.symbols().filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    let marks = ["panicking", "capacity_overflow", "_failed"];
    names.filter(|name| marks.iter().any(|mark| name.contains(mark))).collect()
}

#[test]
fn no_vector_that_grows_and_no_unwrap_can_panic() {
    assert_ne!(panics("gocache-firmware"), [""; 0], "the example has checks: they are found");
    // What panics in the allocator of the other two is not ours.
    for name in ["lru", "group"] {
        assert_eq!(panics(name), [""; 0], "in {name}");
    }
}
