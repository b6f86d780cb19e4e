//! `longest`: the longest time that one insert takes while a cache fills and then churns. Caches
//! that grow by moving everything stop the world now and then.

use crate::{
    args::Options,
    contender::{Alone, Room, single_cases},
    data::{self, Key},
    report::{Report, verdict},
};

/// A machine that others use interrupts some insert of every run, but hardly the same one in all.
const RUNS: usize = 3;

const BAR_MS: f64 = 0.4;

pub fn run(options: &Options) {
    let entries = options.entries();
    let mut keys = data::shuffled(entries);
    keys.extend(data::fresh(entries, entries));
    let columns = ["", "ms", "x floor", "bar ms", "", "p99.99 us", "max of a run, ms"];
    let title = "longest: one insert, while filling from empty and churning once over";
    let mut report = Report::new(title, &columns);
    report.note(format_args!(
        "{entries} entries, {} inserts; the floor starts empty too",
        keys.len()
    ));
    report.note(format_args!(
        "of {RUNS} runs with the same keys, each insert's fastest; the longest of those,"
    ));
    report.note("and their p99.99: moka, which looks at the clock, gets off lightly here;");
    report.note("last column: the least of the runs' maxima, interruptions by others included");
    let mut floor = None;
    for case in single_cases(options) {
        let mut best = vec![u32::MAX; keys.len()];
        let mut least = u32::MAX;
        for _ in 0..RUNS {
            let nanos = churn(&|| (case.alone)(Room::Full(entries)), &keys);
            least = least.min(nanos.iter().copied().max().unwrap_or(0));
            best.iter_mut().zip(&nanos).for_each(|(best, &nanos)| *best = nanos.min(*best));
        }
        best.sort_unstable();
        let ms = |nanos: u32| f64::from(nanos) / 1e6;
        let longest = ms(best[best.len() - 1]);
        let ratio = longest / *floor.get_or_insert(longest);
        let mut cells = vec![case.name.into(), format!("{longest:.3}"), format!("{ratio:.2}")];
        cells.extend(if case.name == "floor" { <_>::default() } else { verdict(longest, BAR_MS) });
        cells.push(format!("{:.1}", ms(best[best.len() - 1 - best.len() / 10_000]) * 1e3));
        cells.push(format!("{:.3}", ms(least)));
        report.row(cells);
    }
    report.print();
}

fn churn(new: &dyn Fn() -> Box<dyn Alone>, keys: &[Key]) -> Vec<u32> {
    let mut cache = new();
    // Written once before, so that no page of it is touched for the first time while timing.
    let mut nanos = vec![1; keys.len()];
    nanos.clear();
    cache.fill_timed(keys, &mut nanos);
    nanos
}
