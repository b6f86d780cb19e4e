//! What the cache core costs, beside a floor and the best known caches.
//!
//! ```text
//! cargo run --release --manifest-path core/benches/Cargo.toml -- <table> [options] [trace files]
//! ```
//!
//! | table | the question |
//! | --- | --- |
//! | `hit` | nanoseconds of a hit in one thread |
//! | `insert` | nanoseconds of an insert that evicts |
//! | `threads` | what a second thread costs the first, and what happens with more threads than cores |
//! | `memory` | bytes an entry takes beyond its key and value; whether `stats().bytes` is true |
//! | `longest` | the longest single operation from empty to full and on |
//! | `ratio FILE...` | hit ratios over recorded traces (format GCT1) |
//! | `all FILE...` | all of them |
//!
//! The last three columns of a table are the bar, and whether it is met. Options: see `args.rs`.

mod alloc;
mod args;
mod contender;
mod data;
mod ratio;
mod report;
mod table;

use std::process::ExitCode;

use args::{Options, Table};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}\n\n{}", args::USAGE);
            return ExitCode::FAILURE;
        }
    };
    type Run = fn(&Options);
    let tables: [(Table, Run); 6] = [
        (Table::Hit, table::hit::run),
        (Table::Insert, table::insert::run),
        (Table::Threads, table::threads::run),
        (Table::Memory, table::memory::run),
        (Table::Longest, table::longest::run),
        (Table::Ratio, ratio::run),
    ];
    for (table, run) in tables {
        if options.table == table || options.table == Table::All {
            run(&options);
        }
    }
    ExitCode::SUCCESS
}
