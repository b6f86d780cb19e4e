//! Requests per second of a hit, against a floor that only scans and answers.
//!
//! `cargo bench -p gocache --bench hit [-- [--quick] [FILTER]]`
//!
//! Two processes on one core, in turn: gocache, and a bare epoll loop that answers with the bytes
//! gocache gave to a probe. One closed-loop client on another core. The ratio of the two is what
//! counts: it holds on a machine where the absolute figures do not.
//!
//! | file | its one job |
//! | --- | --- |
//! | `cases.rs` | what is measured, how long, and the bar for it |
//! | `client.rs` | the load: requests out, answers counted by bytes |
//! | `floor.rs` | the floor, a child process |
//! | `gocache.rs` | a gocache with a filled database, a child process |
//! | `server.rs` | any server under test: ready, probed |
//! | `table.rs` | medians and the table |
//! | `../common/process.rs` | a child process, started and killed |
//! | `../common/cores.rs` | which core runs what |

mod cases;
mod client;
#[path = "../common/cores.rs"]
mod cores;
mod floor;
mod gocache;
#[path = "../common/process.rs"]
mod process;
mod server;
mod table;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use cases::{Case, Plan};
use cores::Cores;
use server::{Server, Target};
use table::{Row, Table};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some(process::LEASH) => process::leash(&arguments[1..]),
        Some(floor::ROLE) => floor::serve(),
        _ => bench(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hit: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> io::Result<()> {
    // `cargo test --benches` runs this too; a figure of an unoptimised build would only mislead.
    if cfg!(debug_assertions) {
        println!("hit: measures optimised builds only; run it with `cargo bench`");
        return Ok(());
    }
    let (plan, cases) = arrange(arguments)?;
    let cores = Cores::choose()?;
    let servers = [gocache::start(&cores)?];
    let mut table = Table::new(&servers);
    for case in &cases {
        table.push(measure(case, &servers, &plan, &cores)?);
    }
    print!("{table}");
    println!("{cores}");
    Ok(())
}

/// Reads the command line; `--bench` comes from cargo and says nothing.
fn arrange(arguments: &[String]) -> io::Result<(Plan, Vec<Case>)> {
    let mut plan = Plan::FULL;
    let mut cases = cases::all();
    for argument in arguments {
        match argument.as_str() {
            "--bench" => {}
            "--quick" => plan = Plan::QUICK,
            option if option.starts_with('-') => {
                let usage = format!("unknown option {option}; usage: hit [--quick] [FILTER]");
                return Err(io::Error::other(usage));
            }
            filter => cases.retain(|case| case.name().contains(filter)),
        }
    }
    if cases.is_empty() {
        let names: Vec<String> = cases::all().iter().map(Case::name).collect();
        let known = format!("no such case; there are {}", names.join(", "));
        return Err(io::Error::other(known));
    }
    Ok((plan, cases))
}

/// All rounds of one case: in each, the floor and then every server, so that a machine that
/// slows down for a while slows all of them.
fn measure(case: &Case, servers: &[Server], plan: &Plan, cores: &Cores) -> io::Result<Row> {
    let mut targets = Vec::with_capacity(servers.len());
    for server in servers {
        targets.push(server.target(&case.payload)?);
    }
    let (_floor, floor_target) = floor::start(&targets[0], cores)?;

    let _pinned = cores.pin_client()?;
    let mut row = Row::new(case, servers.len());
    for round in 1..=plan.rounds {
        progress(&format!("{}: round {round} of {}", case.name(), plan.rounds));
        let floor = sample("the floor", &floor_target, case, plan)?;
        let mut rates = Vec::with_capacity(servers.len());
        for (server, target) in servers.iter().zip(&targets) {
            rates.push(sample(server.name, target, case, plan)?);
        }
        row.push(floor, &rates);
    }
    progress("");
    Ok(row)
}

/// One line that overwrites itself, for people only.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:40}\r");
    }
}

fn sample(name: &str, target: &Target, case: &Case, plan: &Plan) -> io::Result<f64> {
    client::sample(target, case.connections, case.in_flight, plan.sample)
        .map_err(|error| io::Error::other(format!("{} against {name}: {error}", case.name())))
}
