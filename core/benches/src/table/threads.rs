//! `threads`: what a second thread costs the first, and whether more threads than cores bring the
//! cache to a halt because the holder of a lock is not running.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Instant,
};

use crate::{
    args::Options,
    contender::{Crowd, Room, cases},
    data::{self, Key},
    report::{Report, median, verdict},
};

/// Of this many gets one is timed where latencies are asked for.
const STEP: usize = 16;

const BAR: f64 = 1.3;
/// Less than this share of the throughput of two threads is a collapse.
const COLLAPSE: f64 = 0.8;

/// What a contender showed, a figure a round.
#[derive(Default)]
struct Shown {
    one_ns: Vec<f64>,
    two_ns: Vec<f64>,
    four_mops: Vec<f64>,
    samples: Vec<u32>,
}

pub fn run(options: &Options) {
    let entries = options.entries();
    let stored = data::shuffled(entries);
    let asked = data::zipf(entries, 2 * entries);
    let columns = [
        "",
        "1: ns",
        "2: ns each",
        "x one",
        "bar",
        "",
        "best",
        "4: M/s",
        "x two",
        "",
        "p99.9 us",
        "max us",
    ];
    let mut report =
        Report::new("threads: hits, Zipf 0.99, of one, two and four threads", &columns);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    report.note(format_args!(
        "{entries} entries, {cores} cores, {} rounds; medians of wall-clock time",
        options.rounds
    ));
    report.note("floor, lru, hashlink, schnellru: in a std Mutex; the others share by themselves");
    report.note(
        "best: the fastest round of two by the fastest of one, for a machine in use by others",
    );
    report.note("p99.9 and max: of every 16th get with four threads");
    for case in cases(options) {
        let crowd = (case.crowd)(Room::Ample(entries));
        crowd.fill(&stored);
        let mut shown = Shown::default();
        (0..options.rounds).for_each(|_| round(&*crowd, &asked, &mut shown));
        report.row(row(case.name, shown));
    }
    report.print();
}

fn round(crowd: &dyn Crowd, asked: &[Key], shown: &mut Shown) {
    let (half, quarter) = (asked.len() / 2, asked.len() / 4);
    let each = |parts: &[&[Key]]| {
        let times = race(parts, |keys| crowd.hit(keys));
        times.iter().map(|(nanos, _)| nanos).sum::<f64>() / (parts.len() * parts[0].len()) as f64
    };
    shown.one_ns.push(each(&[&asked[..half]]));
    shown.two_ns.push(each(&[&asked[..half], &asked[half..2 * half]]));
    let parts: Vec<&[Key]> = asked.chunks_exact(quarter).collect();
    let times = race(&parts, |keys| {
        let mut samples = Vec::with_capacity(keys.len() / STEP + 1);
        assert_eq!(crowd.hit_sampled(keys, STEP, &mut samples), keys.len(), "all are hits");
        samples
    });
    let slowest = times.iter().map(|(nanos, _)| *nanos).fold(0.0, f64::max);
    shown.four_mops.push((parts.len() * quarter) as f64 * 1e3 / slowest);
    shown.samples.extend(times.into_iter().flat_map(|(_, samples)| samples));
}

/// One thread for each part, all let go at once; the nanoseconds of each and what it made.
fn race<T: Send>(parts: &[&[Key]], run: impl Fn(&[Key]) -> T + Sync) -> Vec<(f64, T)> {
    let (start, run) = (Arc::new(Barrier::new(parts.len())), &run);
    thread::scope(|scope| {
        let threads = parts.iter().map(|&part| {
            let start = Arc::clone(&start);
            scope.spawn(move || {
                start.wait();
                let from = Instant::now();
                let made = run(part);
                (from.elapsed().as_nanos() as f64, made)
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn row(name: &str, mut shown: Shown) -> Vec<String> {
    let pairs = |a: &[f64], b: &[f64]| median(a.iter().zip(b).map(|(a, b)| a / b).collect());
    let two = pairs(&shown.two_ns, &shown.one_ns);
    let two_mops: Vec<f64> = shown.two_ns.iter().map(|nanos| 2e3 / nanos).collect();
    let four = pairs(&shown.four_mops, &two_mops);
    shown.samples.sort_unstable();
    let at = |share: f64| {
        let last = shown.samples.len() - 1;
        f64::from(shown.samples[(last as f64 * share) as usize]) / 1e3
    };
    let least = |nanos: &[f64]| nanos.iter().copied().fold(f64::INFINITY, f64::min);
    let best = least(&shown.two_ns) / least(&shown.one_ns);
    let mut cells = vec![name.into(), format!("{:.1}", median(shown.one_ns))];
    cells.extend([format!("{:.1}", median(shown.two_ns)), format!("{two:.2}")]);
    cells.extend(verdict(two, BAR));
    cells.push(format!("{best:.2}"));
    cells.extend([format!("{:.1}", median(shown.four_mops)), format!("{four:.2}")]);
    cells.push(if four >= COLLAPSE { "stands".into() } else { "collapses".into() });
    cells.extend([format!("{:.1}", at(0.999)), format!("{:.0}", at(1.0))]);
    cells
}
