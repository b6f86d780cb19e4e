//! What a second loop brings, on work that the core bounds: no sockets, in one process.
//!
//! `cargo bench -p gocache --bench loops [-- [--quick] [FILTER]]`
//!
//! One thread, then two over the same groups, then two of which each has its own, in turn. The last
//! shows what the machine gives where nothing is shared. Everything asked for is cached.
//!
//! | row | what a thread does |
//! | --- | --- |
//! | `answer` | heads in, answers out, as a loop does with 32 connections that have asked |
//! | `get` | `Node::get` and no more |
//!
//! | file | its one job |
//! | --- | --- |
//! | `keys.rs` | keys and values, and who asks for what |
//! | `race.rs` | threads on cores of their own, and how fast they were |

mod keys;
mod race;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use gocache::Config;
use gocache::in_process::Shared;
use gocache_core::GroupId;

use keys::{Draws, Skew};
use race::{Rate, Work};

/// Two loops do so many times what one does.
const BAR: f64 = 1.8;

const GROUP: GroupId = GroupId(0);

/// How much, and for how long.
struct Plan {
    entries: u32,
    rounds: usize,
    length: Duration,
}

impl Plan {
    const FULL: Self = Self { entries: 1_000_000, rounds: 7, length: Duration::from_millis(400) };
    const QUICK: Self = Self { entries: 100_000, rounds: 3, length: Duration::from_millis(150) };
}

/// What is measured.
struct Case {
    policy: &'static str,
    skew: Skew,
    work: Work,
}

impl Case {
    fn name(&self) -> String {
        let Self { policy, skew, work } = self;
        format!("{} {policy} {}", work.name(), skew.name())
    }
}

/// Of one thread, of two, and of two apart.
struct Round {
    one: Rate,
    two: Rate,
    apart: Rate,
}

fn main() -> ExitCode {
    match bench(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loops: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: impl Iterator<Item = String>) -> io::Result<()> {
    // `cargo test --benches` runs this too; a figure of an unoptimised build would only mislead.
    if cfg!(debug_assertions) {
        println!("loops: measures optimised builds only; run it with `cargo bench`");
        return Ok(());
    }
    let (plan, filter) = arrange(arguments)?;
    let cores = race::cores()?;
    println!("{} entries of a 16-byte key and a 100-byte value, all hits\n", plan.entries);
    let head = "| what                   | one k/s | two k/s | two : one | bar           | apart \
                | two, by processor | apart |";
    println!("{head}");
    let rule: String = head.chars().map(|it| if it == '|' { '|' } else { '-' }).collect();
    println!("{rule}");
    for policy in ["lru", "s3-fifo"] {
        let skews = [Skew::Zipf, Skew::Uniform];
        let cases = skews
            .into_iter()
            .flat_map(|skew| [Work::Answer, Work::Get].map(|work| Case { policy, skew, work }));
        let cases: Vec<Case> = cases.filter(|case| case.name().contains(&filter)).collect();
        if cases.is_empty() {
            continue;
        }
        progress(&format!("{policy} is filled"));
        let shared = [filled(policy, plan.entries)?, filled(policy, plan.entries)?];
        for case in &cases {
            let draws = [1, 2].map(|seed| Draws::new(case.skew, plan.entries, seed));
            let mut rounds = Vec::new();
            for round in 1..=plan.rounds {
                progress(&format!("{}: round {round} of {}", case.name(), plan.rounds));
                let [ours, other] = &shared;
                let race = |threads: &[(&Shared, &Draws)]| {
                    race::run(case.work, threads, cores, plan.length)
                };
                rounds.push(Round {
                    one: race(&[(ours, &draws[0])])?,
                    two: race(&[(ours, &draws[0]), (ours, &draws[1])])?,
                    apart: race(&[(ours, &draws[0]), (other, &draws[1])])?,
                });
            }
            progress("");
            print_row(case, &rounds);
        }
    }
    println!(
        "\nMedians of {} rounds. `apart`: two threads with nothing in common : one. By \
         processor:\nwithout the time that others had it, or that a thread slept for a lock.",
        plan.rounds
    );
    Ok(())
}

/// Reads the command line; `--bench` comes from cargo and says nothing.
fn arrange(arguments: impl Iterator<Item = String>) -> io::Result<(Plan, String)> {
    let (mut plan, mut filter) = (Plan::FULL, String::new());
    for argument in arguments {
        match argument.as_str() {
            "--bench" => {}
            "--quick" => plan = Plan::QUICK,
            option if option.starts_with('-') => {
                let usage = format!("unknown option {option}; usage: loops [--quick] [FILTER]");
                return Err(io::Error::other(usage));
            }
            _ => filter = argument,
        }
    }
    Ok((plan, filter))
}

/// A group of this policy with everything in it, as a server with two loops has it.
fn filled(policy: &str, entries: u32) -> io::Result<Shared> {
    let text = format!(
        r#"loops = 2
[origins.none]
kind = "http"
url = "http://127.0.0.1:1/"
[groups.bench]
origin = "none"
policy = "{policy}"
budget = "1 GiB""#
    );
    let config = Config::from_toml(&text).map_err(io::Error::other)?;
    let shared = Shared::new(config).map_err(io::Error::other)?;
    for number in keys::shuffled(entries) {
        shared.put(GROUP, &keys::key(number), &keys::VALUE).map_err(io::Error::other)?;
    }
    Ok(shared)
}

fn print_row(case: &Case, rounds: &[Round]) {
    let of = |figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let ratio = of(|round| round.two.by_clock / round.one.by_clock);
    let two = of(|round| round.two.by_processor / round.one.by_processor);
    let apart = of(|round| round.apart.by_processor / round.one.by_processor);
    let verdict = if ratio >= BAR { "met" } else { "missed" };
    println!(
        "| {:22} | {:>7.0} | {:>7.0} | {ratio:>9.2} | >= {BAR:.1} {verdict:6} | {:>5.2} \
         | {two:>17.2} | {apart:>5.2} |",
        case.name(),
        of(|round| round.one.by_clock),
        of(|round| round.two.by_clock),
        of(|round| round.apart.by_clock / round.one.by_clock),
    );
}

/// One line that overwrites itself, for people only.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:60}\r");
    }
}
