//! What it costs that the core lives in a component: hits beside the native server, a call beside
//! one of the core, and the start.
//!
//! `cargo bench -p gocache-wasi [-- [--quick] [FILTER]]`
//!
//! Where it is built without a compiler (`--no-default-features`), `GOCACHE_COMPONENT` names what one
//! has made.
//!
//! This program becomes each of the servers in turn, so that both are one build. They share a core;
//! the client, that of the native bench, has another, and the floor is that one's too. What counts
//! are the ratios: they hold on a machine where the absolute figures do not.
//!
//! | file | its one job |
//! | --- | --- |
//! | `cases.rs` | what is measured, how long, and the bars |
//! | `ours.rs` | the two servers, child processes |
//! | `calls.rs` | the engines without a server around them |
//! | `start.rs` | from a file to an instance, and from a trap to the next one |
//! | `hanging.rs` | hits while every origin hangs |
//! | `stock.rs` | stock `wasmtime serve`, where there is one |

mod calls;
mod cases;
mod hanging;
mod ours;
mod start;
mod stock;

#[path = "../../tests/engine/guest.rs"]
mod guest;

#[path = "../../../../native/benches/hit/client.rs"]
mod client;
#[path = "../../../../native/benches/common/cores.rs"]
mod cores;
#[path = "../../../../native/benches/hit/floor.rs"]
mod floor;
#[path = "../../../../native/benches/hit/payload.rs"]
mod payload;
#[path = "../../../../native/benches/common/process.rs"]
mod process;
#[expect(dead_code, reason = "nobody here speaks TLS")]
#[path = "../../../../native/benches/common/secure.rs"]
mod secure;
#[path = "../../../../native/benches/hit/server.rs"]
mod server;
#[path = "../../../../native/benches/hit/speech.rs"]
#[expect(dead_code, reason = "nobody here speaks memcached's protocol")]
mod speech;

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};

use gocache_wasi::{Component, ComponentError};

use cases::{Bar, Case, Plan};
use cores::Cores;
use payload::Payload;
use server::{Server, Target};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some(process::LEASH) => process::leash(&arguments[1..]),
        Some(floor::ROLE) => floor::serve(&arguments[1..]),
        Some(ours::NATIVE | ours::WASI) => return ours::serve(&arguments),
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
    let is_whole = cases.len() == cases::all().len();
    let component = component().map_err(io::Error::other)?;
    let cores = Cores::choose()?;
    let files = tempfile::tempdir()?;
    let compiled = files.path().join("component.cwasm");
    std::fs::write(&compiled, component.compiled().map_err(io::Error::other)?)?;
    {
        let _pinned = cores.pin_client()?;
        start::measure(&compiled)?;
        calls::measure(&component)?;
    }
    let origin = hanging::origin()?;
    let mut servers =
        [ours::start(&cores, origin, None)?, ours::start(&cores, origin, Some(&compiled))?];
    println!("Resident when empty: {}", ours::resident(&servers)?);
    for server in &mut servers {
        ours::fill(server)?;
    }
    println!("| case | floor req/s | native | wasi | wasi of native | bar |");
    println!("| --- | --: | --: | --: | --: | --- |");
    for case in &cases {
        println!("{}", measure(case, &servers, &plan, &cores)?);
    }
    println!("Resident when full: {}\n", ours::resident(&servers)?);
    if is_whole {
        let ours = servers[1].target(&Payload::SMALL)?;
        {
            let _pinned = cores.pin_client()?;
            hanging::measure(&ours, ours::BASE, &plan)?;
        }
        stock::measure(&ours, &plan, &cores)?;
    }
    println!("{cores}");
    Ok(())
}

/// The component, which is built here; or, where it cannot be compiled, what somebody has compiled.
fn component() -> Result<Component, ComponentError> {
    let compiled = env::var_os("GOCACHE_COMPONENT").filter(|_| cfg!(not(feature = "compile")));
    Component::from_file(compiled.map_or_else(|| guest::FILE.clone(), PathBuf::from))
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
                let usage = "usage: hit [--quick] [FILTER]";
                return Err(io::Error::other(format!("unknown option {option}; {usage}")));
            }
            filter => cases.retain(|case| case.name().contains(filter)),
        }
    }
    Ok((plan, cases))
}

/// All rounds of one case, as a line of the table: in each, the floor and then both servers, so that a
/// machine that slows down for a while slows all of them.
fn measure(case: &Case, servers: &[Server; 2], plan: &Plan, cores: &Cores) -> io::Result<String> {
    let [native, wasi] = servers;
    let targets = [native.target(&case.payload)?, wasi.target(&case.payload)?];
    let (_floor, floor) = floor::start(&targets[0], cores)?;
    let _pinned = cores.pin_client()?;
    let (mut floors, mut natives, mut wasis, mut ratios) = (vec![], vec![], vec![], vec![]);
    for round in 1..=plan.rounds {
        progress(&format!("{}: round {round} of {}", case.name(), plan.rounds));
        floors.push(sample("the floor", &floor, case, plan)?);
        // Neither of the two is always the first.
        let first = round % 2;
        let mut rates = [0.0; 2];
        for turn in [first, 1 - first] {
            rates[turn] = sample(servers[turn].name, &targets[turn], case, plan)?;
        }
        natives.push(rates[0]);
        wasis.push(rates[1]);
        ratios.push(rates[1] / rates[0]);
    }
    progress("");
    let ratio = median(&ratios);
    let [floor, native, wasi] = [&floors, &natives, &wasis].map(|rates| median(rates));
    let name = case.name();
    let verdict = case.bar.map(|bar| Bar::at_least(bar).of(ratio)).unwrap_or_default();
    Ok(format!("| {name} | {floor:.0} | {native:.0} | {wasi:.0} | {ratio:.3} | {verdict} |"))
}

fn sample(name: &str, target: &Target, case: &Case, plan: &Plan) -> io::Result<f64> {
    client::sample(target, case.connections, case.in_flight, plan.sample)
        .map_err(|error| io::Error::other(format!("{} against {name}: {error}", case.name())))
}

/// The middle one; rounds are odd in number.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// One line that overwrites itself, for people only.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:40}\r");
    }
}
