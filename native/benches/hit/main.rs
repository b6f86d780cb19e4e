//! Requests per second of a hit, against a floor that only scans and answers.
//!
//! `cargo bench -p gocache --bench hit [-- [--quick] [--alone] [--tls] [FILTER]]`
//!
//! Two processes on one core, in turn: gocache, and a bare epoll loop that answers with the bytes
//! gocache gave to a probe. One closed-loop client on another core. The ratio of the two is what
//! counts: it holds on a machine where the absolute figures do not. Then both with two loops on two
//! cores; where there is no third one, the client shares the second.
//!
//! Beside them nginx, Varnish, memcached and a Go program on net/http, those that are installed;
//! with `--alone` none of them. With `--tls` a second gocache takes part that speaks TLS, as its client
//! then does.
//!
//! | file | its one job |
//! | --- | --- |
//! | `cases.rs` | what is measured, how long, and the bar for it |
//! | `client.rs` | the load: requests out, answers counted by bytes |
//! | `floor.rs` | the floor, a child process |
//! | `gocache.rs` | a gocache with a filled database, a child process |
//! | `others.rs` | the others, child processes |
//! | `payload.rs` | a value that the servers hold |
//! | `server.rs` | any server under test: ready, probed |
//! | `speech.rs` | requests and answers, of HTTP and of memcached |
//! | `table.rs` | medians and the table |
//! | `../common/program.rs` | the gocache program, over a database |
//! | `../common/process.rs` | a child process, started and killed |
//! | `../common/secure.rs` | TLS: a certificate, and the client's side |
//! | `../common/cores.rs` | which core runs what |

mod cases;
mod client;
#[path = "../common/cores.rs"]
mod cores;
mod floor;
mod gocache;
mod others;
mod payload;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/secure.rs"]
mod secure;
mod server;
mod speech;
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
        Some(floor::ROLE) => floor::serve(&arguments[1..]),
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
    let (plan, cases, Company { is_alone, with_tls }) = arrange(arguments)?;
    let mut servers = Vec::new();
    for loops in 1..=cases::LOOPS_MAX {
        if cases.iter().any(|case| case.loops == loops) {
            servers.push((loops, gocache::start(&Cores::choose_for(loops)?, false)?));
        }
    }
    let mut skipped = Vec::new();
    if let Some((1, ours)) = servers.first()
        && !is_alone
    {
        progress("the others start");
        let (others, missing) = others::start(&Cores::choose()?, ours.address)?;
        servers.extend(others.into_iter().map(|other| (1, other)));
        skipped = missing;
    }
    if with_tls {
        servers.push((1, gocache::start(&Cores::choose()?, true)?));
    }
    let mut table = Table::new(servers.iter().map(|(_, server)| server.name));
    for case in &cases {
        let cores = Cores::choose_for(case.loops)?;
        let servers = servers.iter().filter(|(loops, _)| *loops == case.loops);
        let servers: Vec<&Server> = servers.map(|(_, server)| server).collect();
        table.push(measure(case, &servers, &table, &plan, &cores)?);
    }
    print!("{table}");
    skipped.iter().for_each(|skipped| println!("Left out: {skipped}."));
    for loops in 1..=cases::LOOPS_MAX {
        println!("On {loops}: {}", Cores::choose_for(loops)?);
    }
    Ok(())
}

/// Who takes part beside the floor and gocache.
#[derive(Default)]
struct Company {
    is_alone: bool,
    with_tls: bool,
}

/// Reads the command line; `--bench` comes from cargo and says nothing.
fn arrange(arguments: &[String]) -> io::Result<(Plan, Vec<Case>, Company)> {
    let mut plan = Plan::FULL;
    let mut company = Company::default();
    let mut cases = cases::all();
    for argument in arguments {
        match argument.as_str() {
            "--bench" => {}
            "--quick" => plan = Plan::QUICK,
            "--alone" => company.is_alone = true,
            "--tls" => company.with_tls = true,
            option if option.starts_with('-') => {
                let usage = "usage: hit [--quick] [--alone] [--tls] [FILTER]";
                return Err(io::Error::other(format!("unknown option {option}; {usage}")));
            }
            filter => cases.retain(|case| case.name().contains(filter)),
        }
    }
    if cases.is_empty() {
        let names: Vec<String> = cases::all().iter().map(Case::name).collect();
        let known = format!("no such case; there are {}", names.join(", "));
        return Err(io::Error::other(known));
    }
    Ok((plan, cases, company))
}

/// All rounds of one case: in each, the floor and then every server, so that a machine that
/// slows down for a while slows all of them.
fn measure(
    case: &Case,
    servers: &[&Server],
    table: &Table,
    plan: &Plan,
    cores: &Cores,
) -> io::Result<Row> {
    let mut targets = Vec::with_capacity(servers.len());
    for server in servers {
        targets.push(server.target(&case.payload)?);
    }
    let (_floor, floor_target) = floor::start(&targets[0], cores)?;

    let _pinned = cores.pin_client()?;
    let mut row = Row::new(case, table.columns());
    for round in 1..=plan.rounds {
        progress(&format!("{}: round {round} of {}", case.name(), plan.rounds));
        let floor = sample("the floor", &floor_target, case, plan)?;
        let mut rates = Vec::with_capacity(servers.len());
        for (server, target) in servers.iter().zip(&targets) {
            rates.push((table.column(server), sample(server.name, target, case, plan)?));
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
