//! `ratio`: how many requests of a recorded trace a cache answers, beside exact LRU and S3-FIFO.

mod lru;
mod ours;
mod peers;
mod s3fifo;
mod trace;

use crate::{
    args::Options,
    contender::ours::{ByQueues, BySize, ByUse},
    report::Report,
};
use trace::Trace;

/// Shares of the footprint that the caches get.
const SHARES: [u64; 3] = [1, 5, 20];
/// No cell may lie further under LRU's, in points, of objects or of bytes.
const WORST: f64 = -1.5;

/// A cache as a replay sees it.
pub trait Policy {
    /// Asks for an object, which is stored if it is missing. Says whether it was there.
    fn access(&mut self, id: u32, size: u64) -> bool;
}

/// Hits in percent.
#[derive(Clone, Copy)]
struct Hits {
    objects: f64,
    bytes: f64,
}

/// Builds a policy for so many bytes (objects, where a trace has no sizes) of a trace.
type Build = fn(&Trace, u64) -> Box<dyn Policy>;

/// All that replay; LRU and S3-FIFO come first, for the others are judged by them.
const POLICIES: [(&str, Build); 10] = [
    ("LRU (reference)", |trace, room| Box::new(lru::Lru::new(trace.objects(), room))),
    ("S3-FIFO (reference)", |trace, room| {
        Box::new(s3fifo::S3Fifo::new(trace.objects(), room, s3fifo::Ghost::Entries))
    }),
    ("S3-FIFO, ghost in bytes", |trace, room| {
        Box::new(s3fifo::S3Fifo::new(trace.objects(), room, s3fifo::Ghost::Bytes))
    }),
    ("gocache", ours::build::<ByUse>),
    ("gocache s3", ours::build::<ByQueues>),
    ("gocache s3 sized", ours::build::<BySize>),
    ("quick_cache", |trace, room| Box::new(peers::Quick::new(trace, room))),
    ("moka", |_, room| Box::new(peers::Moka::new(room))),
    ("foyer, LRU", |_, room| Box::new(peers::Foyer::lru(room))),
    ("foyer, S3-FIFO", |_, room| Box::new(peers::Foyer::s3fifo(room))),
];

pub fn run(options: &Options) {
    let wanted = |name: &str| name.contains("reference") || options.wants(name);
    let policies: Vec<_> = POLICIES.iter().filter(|(name, _)| wanted(name)).collect();
    // A column of cells for each policy, a row for each trace and share.
    let mut cells: Vec<Vec<Hits>> = vec![vec![]; policies.len()];
    for path in &options.traces {
        let trace = match Trace::read(path, options.quick) {
            Ok(trace) => trace,
            Err(why) => {
                eprintln!("{}: {why}", path.display());
                continue;
            }
        };
        one(&trace, &policies, &options.sizes, &mut cells);
    }
    if cells[0].is_empty() {
        println!("ratio: no trace given; they are named on the command line");
    } else {
        summary(&policies, &cells);
    }
}

/// One trace at all sizes.
fn one(trace: &Trace, policies: &[&(&str, Build)], sizes: &[u64], cells: &mut [Vec<Hits>]) {
    let footprint: u64 = trace.sizes.iter().sum();
    let unit = if trace.sized { "bytes" } else { "objects" };
    let shares = SHARES.map(|percent| (footprint * percent / 100).max(1));
    let rooms: Vec<u64> = shares.iter().chain(sizes).copied().collect();
    let mut columns = vec![String::new()];
    columns.extend(SHARES.map(|percent| format!("{percent} %")));
    columns.extend(sizes.iter().map(u64::to_string));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let title = format!(
        "ratio: {}, hits in %{}",
        trace.name,
        if trace.sized { ": objects/bytes" } else { "" }
    );
    let mut report = Report::new(title, &columns);
    report.note(format_args!(
        "{} requests for {} objects; caches of so many {unit} of the footprint's {footprint}",
        trace.ids.len(),
        trace.objects()
    ));
    for ((name, build), cells) in policies.iter().zip(cells) {
        let hits: Vec<Hits> =
            rooms.iter().map(|&room| replay(trace, &mut *build(trace, room))).collect();
        cells.extend(&hits[..SHARES.len()]);
        let show = |hits: &Hits| match trace.sized {
            true => format!("{:.2}/{:.2}", hits.objects, hits.bytes),
            false => format!("{:.2}", hits.objects),
        };
        report.row(std::iter::once(name.to_string()).chain(hits.iter().map(show)).collect());
    }
    report.print();
    check(trace);
}

fn replay(trace: &Trace, policy: &mut dyn Policy) -> Hits {
    let (mut hits, mut bytes_hit, mut bytes) = (0_u64, 0, 0);
    for &id in &trace.ids {
        let size = trace.sizes[id as usize];
        bytes += size;
        if policy.access(id, size) {
            hits += 1;
            bytes_hit += size;
        }
    }
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole as f64;
    Hits { objects: percent(hits, trace.ids.len() as u64), bytes: percent(bytes_hit, bytes) }
}

/// The published figures of a known trace, as a check of reader and reference.
fn check(trace: &Trace) {
    if trace.name != "oltp" || trace.cut {
        return;
    }
    for (room, published) in [(1000, 32.83), (5000, 53.65)] {
        let hits = replay(trace, &mut lru::Lru::new(trace.objects(), room)).objects;
        let verdict = if (hits - published).abs() < 0.01 { "right" } else { "WRONG" };
        println!("check: LRU over oltp at {room}: {hits:.2}, published {published}: {verdict}");
    }
}

/// The mean over all traces and shares, and the cells that lie furthest under LRU's.
fn summary(policies: &[&(&str, Build)], cells: &[Vec<Hits>]) {
    let columns =
        ["", "mean", "x LRU", "worst to LRU", "in bytes", "bar mean", "bar worst", "bar bytes", ""];
    let mut report = Report::new("ratio: object hits over all traces, in %", &columns);
    let mean =
        |cells: &[Hits]| cells.iter().map(|cell| cell.objects).sum::<f64>() / cells.len() as f64;
    let (floor, bar) = (mean(&cells[0]), mean(&cells[1]));
    for ((name, _), own) in policies.iter().zip(cells) {
        let worst = |of: fn(&Hits) -> f64| {
            let gaps = own.iter().zip(&cells[0]).map(|(own, lru)| of(own) - of(lru));
            gaps.fold(f64::INFINITY, f64::min)
        };
        let (objects, bytes) = (worst(|hits| hits.objects), worst(|hits| hits.bytes));
        let mean = mean(own);
        let mut row = vec![name.to_string(), format!("{mean:.2}")];
        row.extend([format!("{:.3}", mean / floor), format!("{objects:+.2}")]);
        row.extend([format!("{bytes:+.2}"), format!(">= {bar:.2}")]);
        row.extend([format!(">= {WORST}"), format!(">= {WORST}")]);
        // What the table does not show does not count.
        let met = mean > bar - 0.005 && objects.min(bytes) >= WORST - 0.005;
        row.push(if met { "met".into() } else { "missed".into() });
        report.row(row);
    }
    report.print();
}
