//! All faults as one table, and under it what each did and where a bar is missed.

use std::fmt;

use crate::LATECOMERS;
use crate::fault::{Fault, Told};
use crate::probe::Samples;
use crate::site::Figures;

/// Memory that grows by more than this in each round grows without bound. (Less, or only at times, is
/// what the allocator keeps.)
const GROWTH_MAX: u64 = 1 << 20;

/// One time that a fault was done.
pub(crate) struct Round {
    pub(crate) quiet: Samples,
    pub(crate) under: Samples,
    pub(crate) after: Figures,
    pub(crate) told: Told,
}

impl Round {
    /// By how much the probe's p99 rose, and that of the server beside.
    fn ratios(&self) -> (f64, f64) {
        let Self { quiet, under, .. } = self;
        let ours = under.ours.per_mille(990) / quiet.ours.per_mille(990);
        (ours, under.control.per_mille(990) / quiet.control.per_mille(990))
    }
}

/// One fault, in all its rounds.
pub(crate) struct Row {
    name: &'static str,
    ratio_max: f64,
    before: Figures,
    peak: Figures,
    /// After the last round.
    after: Figures,
    grows: bool,
    did: String,
    missed: Vec<String>,
    /// The one whose ratio is in the middle; rounds are odd in number.
    middle: Round,
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.0.push(row);
    }
}

impl Row {
    pub(crate) fn new(
        fault: &Fault,
        before: Figures,
        peak: Figures,
        mut rounds: Vec<Round>,
    ) -> Self {
        let after = rounds[rounds.len() - 1].after;
        let grows =
            rounds.windows(2).all(|two| two[1].after.resident > two[0].after.resident + GROWTH_MAX);
        let did = rounds[0].told.did.join("; ");
        let mut missed: Vec<String> =
            rounds.iter().flat_map(|round| round.told.missed.iter().cloned()).collect();
        missed.sort();
        missed.dedup();
        rounds.sort_by(|one, other| one.ratios().0.total_cmp(&other.ratios().0));
        let middle = rounds.swap_remove(rounds.len() / 2);
        let Fault { name, ratio_max, .. } = *fault;
        Self { name, ratio_max, before, peak, after, grows, did, missed, middle }
    }

    fn missed(&self) -> Vec<String> {
        let Self { ratio_max, before, after, .. } = self;
        let mut missed = Vec::new();
        let (ours, control) = self.middle.ratios();
        if ours > *ratio_max {
            let beside = format!("that of the server beside it {control:.1} times");
            missed
                .push(format!("p99 is {ours:.1} times the quiet one, over {ratio_max}; {beside}"));
        }
        if self.grows {
            missed.push("memory grows with each round".to_owned());
        }
        if after.descriptors > before.descriptors + LATECOMERS {
            missed.push("descriptors are left".to_owned());
        }
        if after.threads > before.threads {
            missed.push("threads are left".to_owned());
        }
        missed.extend(self.missed.iter().cloned());
        missed
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = "| fault        | quiet p50/p99 | under p50/p99 | ratio |  bar | beside \
                    | MiB before/peak/after |    descriptors |  threads |";
        writeln!(out, "{head}")?;
        let rule: String = head.chars().map(|it| if it == '|' { '|' } else { '-' }).collect();
        let rule = rule.replace("|-", "| ").replace("-|", " |").replace("- |", ": |");
        writeln!(out, "{}", rule.replacen(": |", "- |", 1))?;
        self.0.iter().try_for_each(|row| write_row(out, row))?;
        writeln!(
            out,
            "\nLatencies in microseconds; `beside`: the ratio of a server nobody abuses.\n"
        )?;
        for row in &self.0 {
            writeln!(out, "{}: {}.", row.name, row.did)?;
            let missed = row.missed();
            missed.iter().try_for_each(|missed| writeln!(out, "  MISSED: {missed}."))?;
        }
        Ok(())
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let Row { name, ratio_max, before, peak, after: last, middle, .. } = row;
    let latency = |samples: &Samples| {
        format!("{:.0}/{:.0}", samples.ours.per_mille(500), samples.ours.per_mille(990))
    };
    let (ours, control) = middle.ratios();
    let mib = |figures: &Figures| figures.resident as f64 / f64::from(1 << 20);
    let memory = format!("{:.1}/{:.1}/{:.1}", mib(before), mib(peak), mib(last));
    let descriptors = format!("{}/{}/{}", before.descriptors, peak.descriptors, last.descriptors);
    let threads = format!("{}/{}/{}", before.threads, peak.threads, last.threads);
    writeln!(
        out,
        "| {name:12} | {:>13} | {:>13} | {ours:>5.1} | {ratio_max:>4.1} | {control:>6.1} \
         | {memory:>21} | {descriptors:>14} | {threads:>8} |",
        latency(&middle.quiet),
        latency(&middle.under),
    )
}
