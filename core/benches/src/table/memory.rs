//! `memory`: bytes that an entry takes beyond those of its key and value, and whether gocache
//! knows what it holds and stays within its budget.

use crate::{
    alloc,
    args::Options,
    contender::{
        Contender, Room,
        ours::{Alone, ByUse, in_region},
        single_cases,
    },
    data::{self, Key, VALUE},
    report::{Report, verdict},
};

const BAR: f64 = 44.0;
const REGION_BAR: f64 = 28.0;

pub fn run(options: &Options) {
    let entries = options.entries();
    let stored = data::shuffled(entries);
    let columns = ["", "entries", "overhead B", "x floor", "bar", "", "in malloc's chunks B"];
    let mut report = Report::new("memory: bytes an entry beyond its key and value", &columns);
    report.note(
        "live in the allocator, all included, after filling; keys of 16-24 and values of 100",
    );
    report.note("bytes; the last column counts as malloc rounds: blocks of 16, 8 bytes of header");
    let mut floor = None;
    let mut claim = None;
    for case in single_cases(options) {
        alloc::start();
        let mut cache = (case.alone)(Room::Ample(entries));
        cache.fill(&stored);
        cache.settle();
        let live = alloc::live();
        alloc::stop();
        let claimed = cache.claimed();
        let present = cache.present(&stored);
        let beyond = |live: i64| (live - present.payload as i64) as f64 / present.entries as f64;
        let overhead = beyond(live.asked);
        let floor = *floor.get_or_insert(overhead);
        let mut cells = vec![case.name.into(), present.entries.to_string()];
        cells.extend([format!("{overhead:.1}"), format!("{:.2}", overhead / floor)]);
        cells.extend(if case.name == "floor" { <_>::default() } else { verdict(overhead, BAR) });
        cells.push(format!("{:.1}", beyond(live.chunks)));
        report.row(cells);
        // The cache itself stands in a box of these benches.
        let boxed = size_of_val(&*cache) as i64;
        claim = claim.or(claimed.map(|claimed| (claimed as i64, live.asked - boxed)));
    }
    report.print();
    if let Some((claimed, live)) = claim {
        println!("gocache says it holds {claimed} bytes, the allocator {live}:");
        println!("  {} off; bar: equal to the byte: {}", live - claimed, met(live == claimed));
        budget(&stored);
        region(&stored);
    }
}

/// What an entry takes in a fixed region, where there is no malloc: with a reference to the region in
/// each entry, so that its value can outlive the cache.
fn region(stored: &[Key]) {
    let payload: usize = stored.iter().map(|key| key.len() + VALUE.len()).sum();
    let overhead = (in_region(stored) - payload) as f64 / stored.len() as f64;
    println!("in a fixed region: {overhead:.1} bytes an entry beyond its key and value,");
    println!(
        "  {} of them the reference; bar: {REGION_BAR}: {}",
        size_of::<usize>(),
        met(overhead <= REGION_BAR)
    );
}

/// The most that was ever live while a cache filled up to its budget and churned.
fn budget(stored: &[Key]) {
    let bytes = stored.len() * 150;
    alloc::start();
    let mut cache = Alone::<ByUse>::with_budget(bytes);
    stored.iter().for_each(|key| Contender::insert(&mut cache, key, &VALUE));
    let over = (alloc::live().peak - bytes as i64).max(0);
    alloc::stop();
    println!("at a budget of {bytes} bytes, the most that was ever live:");
    println!(
        "  {over} over (the node and one load in the air included); bar: 0: {}",
        met(over == 0)
    );
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}
