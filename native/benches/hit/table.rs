//! Medians of the rounds, as one table.

use std::fmt;

use crate::cases::Case;
use crate::server::Server;

/// The rounds of one case.
pub(crate) struct Row {
    case: String,
    bar: Option<f64>,
    floor: Vec<f64>,
    /// For each server: its rates, and its share of the floor's rate in the same round.
    servers: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Row {
    pub(crate) fn new(case: &Case, servers: usize) -> Self {
        Self {
            case: case.name(),
            bar: case.bar,
            floor: Vec::new(),
            servers: vec![(Vec::new(), Vec::new()); servers],
        }
    }

    /// Adds a round: requests per second of the floor and of each server.
    pub(crate) fn push(&mut self, floor: f64, rates: &[f64]) {
        self.floor.push(floor);
        for ((all, ratios), rate) in self.servers.iter_mut().zip(rates) {
            all.push(*rate);
            ratios.push(rate / floor);
        }
    }
}

/// All rows under one heading.
pub(crate) struct Table {
    names: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(servers: &[Server]) -> Self {
        Self { names: servers.iter().map(|server| server.name).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| {:12} | {:>14} |", "case", "floor req/s")?;
        for name in &self.names {
            write!(out, " {:>14} | {:>5} |", format!("{name} req/s"), "ratio")?;
        }
        writeln!(out, " {:14} |", "bar")?;
        write!(out, "| {:-<12} | {:->13}: |", "", "")?;
        for _ in &self.names {
            write!(out, " {:->13}: | {:->4}: |", "", "")?;
        }
        writeln!(out, " {:-<14} |", "")?;
        for row in &self.rows {
            write!(out, "| {:12} | {:>14.0} |", row.case, median(&row.floor))?;
            for (rates, ratios) in &row.servers {
                write!(out, " {:>14.0} | {:>5.3} |", median(rates), median(ratios))?;
            }
            writeln!(out, " {:14} |", bar(row))?;
        }
        Ok(())
    }
}

/// The bar is for gocache, the first server.
fn bar(row: &Row) -> String {
    let Some(bar) = row.bar else {
        return String::new();
    };
    let met = row.servers.first().is_some_and(|(_, ratios)| median(ratios) >= bar);
    let verdict = if met { "met" } else { "missed" };
    format!(">= {bar:.2} {verdict}")
}

/// The middle one; rounds are odd in number.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
