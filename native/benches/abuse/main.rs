//! What a normal client suffers, and what the server holds, while others abuse it.
//!
//! `cargo bench -p gocache --bench abuse [-- [--quick] [--tls] [FILTER]]`
//!
//! For each fault a gocache of its own on one core, as a process; those who abuse it, and a probe,
//! on another. The probe's latencies under the fault are put beside those of the quiet server, and
//! beside those of a second server, on the same core, that nobody abuses. Memory, descriptors and
//! threads are the system's figures of the process. With `--tls` all of them speak TLS, and who stops
//! in a handshake is there too; what is done below TLS is left out.
//!
//! | file | its one job |
//! | --- | --- |
//! | `fault.rs` | the faults, how much of each, and what is told of one |
//! | `idle.rs`, `slow.rs`, `churn.rs`, `flood.rs`, `starve.rs`, `held.rs` | what is done to the server |
//! | `probe.rs` | the normal client, and its latencies |
//! | `peer.rs` | one connection, used well or badly |
//! | `site.rs` | a gocache as a child process, looked at from outside |
//! | `table.rs` | the table and what is missed |
//! | `../common/program.rs` | the gocache program, over a database |
//! | `../common/secure.rs` | TLS: a certificate, and the client's side |
//! | `../common/process.rs` | a child process, started and killed |
//! | `../common/cores.rs` | which core runs what |

mod churn;
#[path = "../common/cores.rs"]
mod cores;
mod fault;
mod flood;
mod held;
mod idle;
mod peer;
mod probe;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/secure.rs"]
mod secure;
mod site;
mod slow;
mod starve;
mod table;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Resource, Rlimit, getpriority_process, getrlimit, setpriority_process, setrlimit,
};

use cores::Cores;
use fault::{Fault, Plan, Told};
use probe::{Probe, Samples};
use site::Site;
use table::{Round, Row, Table};

/// A fault is done to the same server again and again: what memory grows by after the first time is
/// growth. The latencies are those of the middle round, for a machine has its moments.
const ROUNDS: usize = 3;
/// When all clients have gone, their descriptors are free within this.
const GONE_WITHIN: Duration = Duration::from_secs(1);
/// Descriptors that a worker of the database takes when it has its first load, which may be late.
const LATECOMERS: u64 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Who abuses gives way to the probe: they share a core, the server and its clients do not.
const NICE: i32 = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some(process::LEASH) => process::leash(&arguments[1..]),
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("abuse: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> io::Result<()> {
    // `cargo test --benches` runs this too; a figure of an unoptimised build would only mislead.
    if cfg!(debug_assertions) {
        println!("abuse: measures optimised builds only; run it with `cargo bench`");
        return Ok(());
    }
    let (plan, faults) = arrange(arguments)?;
    let cores = Cores::choose()?;
    // Children inherit it, and each of our clients takes one.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let mut table = Table::default();
    for fault in &faults {
        let fails = |error| io::Error::other(format!("{}: {error}", fault.name));
        table.push(measure(fault, &plan, &cores).map_err(fails)?);
    }
    progress("");
    print!("{table}");
    println!("{cores}");
    Ok(())
}

/// Reads the command line; `--bench` comes from cargo and says nothing.
fn arrange(arguments: &[String]) -> io::Result<(Plan, Vec<Fault>)> {
    let is_secure = arguments.iter().any(|argument| argument == "--tls");
    let mut plan = Plan { is_secure, ..Plan::FULL };
    let mut faults = fault::all(is_secure);
    for argument in arguments {
        match argument.as_str() {
            "--bench" | "--tls" => {}
            "--quick" => plan = Plan { is_secure, ..Plan::QUICK },
            option if option.starts_with('-') => {
                let usage = "usage: abuse [--quick] [--tls] [FILTER]";
                return Err(io::Error::other(format!("unknown option {option}; {usage}")));
            }
            filter => faults.retain(|fault| fault.name.contains(filter)),
        }
    }
    if faults.is_empty() {
        let names: Vec<&str> = fault::all(is_secure).iter().map(|fault| fault.name).collect();
        let known = format!("no such fault; there are {}", names.join(", "));
        return Err(io::Error::other(known));
    }
    Ok((plan, faults))
}

/// A quiet while and the fault, in turn.
fn measure(fault: &Fault, plan: &Plan, cores: &Cores) -> io::Result<Row> {
    let control = Site::start(cores, "", plan.is_secure)?;
    let site = Site::start(cores, fault.tables, plan.is_secure)?;
    let _pinned = cores.pin_client()?;
    let mut probe = Probe::connect(&site, &control)?;
    let before = site.figures()?;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        progress(&format!("{}: round {round} of {ROUNDS}", fault.name));
        let (mut quiet, mut under) = (Samples::default(), Samples::default());
        probe.run_for(&mut quiet, plan.quiet)?;
        let mut told = abuse(fault, plan, &site, &mut probe, &mut under)?;
        let gone = wait_until_gone(&site, before.descriptors)?;
        let what = format!("descriptors free after {:.1} s", gone.as_secs_f64());
        told.judge(gone <= GONE_WITHIN, what, format!("within {GONE_WITHIN:?}"));
        rounds.push(Round { quiet, under, after: site.figures()?, told });
    }
    Ok(Row::new(fault, before, site.peak(), rounds))
}

/// Does it, and asks as a normal client meanwhile.
fn abuse(
    fault: &Fault,
    plan: &Plan,
    site: &Site,
    probe: &mut Probe,
    under: &mut Samples,
) -> io::Result<Told> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let abuser = scope.spawn(|| {
            let told = getpriority_process(None)
                .and_then(|nice| setpriority_process(None, nice + NICE))
                .map_err(io::Error::from)
                .and_then(|()| (fault.run)(site, plan));
            is_over.store(true, Ordering::Release);
            told
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                // Where the process has ended, the probe says so.
                drop(site.look());
                thread::sleep(LOOK_EVERY);
            }
        });
        let probed = probe.run(under, || abuser.is_finished(), || site.counts());
        let told = abuser.join().map_err(|_| io::Error::other("who abuses panicked"))?;
        // If the server failed, the normal client knows best.
        probed.and(told)
    })
}

/// Waits until all connections have gone but those that there were before; how long that took.
fn wait_until_gone(site: &Site, descriptors: u64) -> io::Result<Duration> {
    let begin = Instant::now();
    let most = descriptors + LATECOMERS;
    while site.figures()?.descriptors > most && begin.elapsed() < 10 * GONE_WITHIN {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(begin.elapsed())
}

/// One line that overwrites itself, for people only.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:40}\r");
    }
}
