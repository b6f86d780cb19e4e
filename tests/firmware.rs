//! The core in a microcontroller: the example firmware runs in QEMU, and what a cache costs in
//! flash stays under its limits. `cargo test --workspace --test suite firmware -- --nocapture` prints
//! both.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use object::{Object, ObjectSegment, ObjectSymbol};

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

/// Runs the example to its end. Says how it ended and what it printed.
fn run() -> (ExitStatus, String) {
    programs();
    let found = Command::new("qemu-system-arm").arg("--version").output();
    assert!(found.is_ok(), "the firmware runs in QEMU: apt-get install qemu-system-arm");
    // Cargo becomes QEMU, so that this is the process to end.
    let mut cargo = cargo("run");
    let process = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut qemu = process.spawn().expect("cargo runs");
    let begin = Instant::now();
    while qemu.try_wait().expect("the process is ours").is_none() {
        if begin.elapsed() > LONGEST {
            qemu.kill().expect("the process is ours");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let mut said = String::new();
    let pipes: [&mut dyn Read; 2] =
        [&mut qemu.stdout.take().expect("it is piped"), &mut qemu.stderr.take().expect("as well")];
    pipes.into_iter().for_each(|pipe| drop(pipe.read_to_string(&mut said)));
    (qemu.wait().expect("it has ended"), said)
}

#[test]
fn the_firmware_runs() {
    let (status, said) = run();
    println!("{said}");
    assert!(status.success(), "{status}\n{said}");
    let scenarios: Vec<_> =
        said.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(scenarios, ["lru", "s3-fifo", "lifetime", "group", "single flight"], "{said}");
    assert_eq!(said.lines().last(), Some("ok"), "{said}");
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
