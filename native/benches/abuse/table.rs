//! All faults as one table, and under it what each did and where a bar is missed.

use std::fmt;

use crate::fault::Told;
use crate::probe::Samples;
use crate::site::Figures;

/// A normal client's p99 under a fault stays under so many times its quiet one.
const RATIO_MAX: f64 = 5.0;
/// What memory may grow by from one round of a fault to the next.
const GROWTH_MAX: u64 = 1 << 20;

/// One fault, in all its rounds.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) quiet: Samples,
    pub(crate) under: Samples,
    pub(crate) before: Figures,
    pub(crate) peak: Figures,
    /// After each round.
    pub(crate) after: Vec<Figures>,
    pub(crate) told: Vec<Told>,
}

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn push(&mut self, row: Row) {
        self.0.push(row);
    }
}

impl Row {
    fn last(&self) -> Figures {
        self.after.last().copied().unwrap_or_default()
    }

    /// By how much the probe's p99 rose, and that of the server beside.
    fn ratios(&self) -> (f64, f64) {
        let Self { quiet, under, .. } = self;
        let ours = under.ours.per_mille(990) / quiet.ours.per_mille(990);
        (ours, under.control.per_mille(990) / quiet.control.per_mille(990))
    }

    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let (ours, control) = self.ratios();
        if ours > RATIO_MAX {
            let aside = format!("the server beside it: {control:.1} times");
            missed
                .push(format!("p99 is {ours:.1} times the quiet one, over {RATIO_MAX} ({aside})"));
        }
        let last = self.last();
        let grown = last.resident.saturating_sub(self.after[0].resident);
        if grown > GROWTH_MAX {
            missed.push(format!("{grown} B more after the second round than after the first"));
        }
        if last.descriptors > self.before.descriptors {
            missed.push("descriptors are left".to_owned());
        }
        if last.threads > self.before.threads {
            missed.push("threads are left".to_owned());
        }
        missed.extend(self.told.iter().flat_map(|told| told.missed.iter().cloned()));
        missed.dedup();
        missed
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "| {:12} | {:>13} | {:>13} | {:>5} | {:>6} | {:>20} | {:>14} | {:>8} |",
            "fault",
            "quiet p50/p99",
            "under p50/p99",
            "ratio",
            "beside",
            "MiB before/peak/after",
            "descriptors",
            "threads"
        )?;
        writeln!(
            out,
            "| {:-<12} | {:->12}: | {:->12}: | {:->4}: | {:->5}: | {:->20}: | {:->13}: | {:->7}: |",
            "", "", "", "", "", "", "", ""
        )?;
        self.0.iter().try_for_each(|row| write_row(out, row))?;
        writeln!(out, "\nLatencies in microseconds.\n")?;
        for row in &self.0 {
            let first = row.told.first().map(|told| told.did.join("; ")).unwrap_or_default();
            writeln!(out, "{}: {first}.", row.name)?;
            let missed = row.missed();
            missed.iter().try_for_each(|missed| writeln!(out, "  MISSED: {missed}."))?;
        }
        Ok(())
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let Row { name, quiet, under, before, peak, .. } = row;
    let last = row.last();
    let latency = |samples: &Samples| {
        format!("{:.0}/{:.0}", samples.ours.per_mille(500), samples.ours.per_mille(990))
    };
    let (ours, control) = row.ratios();
    let mib = |figures: &Figures| figures.resident as f64 / f64::from(1 << 20);
    let memory = format!("{:.1}/{:.1}/{:.1}", mib(before), mib(peak), mib(&last));
    let descriptors = format!("{}/{}/{}", before.descriptors, peak.descriptors, last.descriptors);
    let threads = format!("{}/{}/{}", before.threads, peak.threads, last.threads);
    writeln!(
        out,
        "| {name:12} | {:>13} | {:>13} | {ours:>5.1} | {control:>6.1} | {memory:>21} | \
         {descriptors:>14} | {threads:>8} |",
        latency(quiet),
        latency(under),
    )
}
