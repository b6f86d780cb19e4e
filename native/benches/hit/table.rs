//! Medians of the rounds, as one table.

use std::collections::HashSet;
use std::fmt;

use crate::cases::Case;
use crate::server::Server;

/// The rounds of one case.
pub(crate) struct Row {
    case: String,
    bar: Option<f64>,
    floor: Vec<f64>,
    /// For each column: the rates, and the shares of the floor's rate in the same round. Without any
    /// where a server takes no part.
    columns: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Row {
    pub(crate) fn new(case: &Case, columns: usize) -> Self {
        Self {
            case: case.name(),
            bar: case.bar,
            floor: Vec::new(),
            columns: vec![(Vec::new(), Vec::new()); columns],
        }
    }

    /// Adds a round: requests per second of the floor, and of servers in their columns.
    pub(crate) fn push(&mut self, floor: f64, rates: &[(usize, f64)]) {
        self.floor.push(floor);
        for (column, rate) in rates {
            let (all, ratios) = &mut self.columns[*column];
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
    /// A column for each name that the servers have.
    pub(crate) fn new(servers: impl Iterator<Item = &'static str>) -> Self {
        let mut seen = HashSet::new();
        Self { names: servers.filter(|name| seen.insert(*name)).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(crate) fn columns(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn column(&self, server: &Server) -> usize {
        self.names.iter().position(|name| *name == server.name).unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| {:14} | {:>14} |", "case", "floor req/s")?;
        for name in &self.names {
            write!(out, " {:>15} | {:>5} |", format!("{name} req/s"), "ratio")?;
        }
        writeln!(out, " {:14} |", "bar")?;
        write!(out, "| {:-<14} | {:->13}: |", "", "")?;
        for _ in &self.names {
            write!(out, " {:->14}: | {:->4}: |", "", "")?;
        }
        writeln!(out, " {:-<14} |", "")?;
        for row in &self.rows {
            write!(out, "| {:14} | {:>14.0} |", row.case, median(&row.floor))?;
            for (rates, ratios) in &row.columns {
                if rates.is_empty() {
                    write!(out, " {:>15} | {:>5} |", "", "")?;
                } else {
                    write!(out, " {:>15.0} | {:>5.3} |", median(rates), median(ratios))?;
                }
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
    let met = row.columns.first().is_some_and(|(_, ratios)| median(ratios) >= bar);
    let verdict = if met { "met" } else { "missed" };
    format!(">= {bar:.2} {verdict}")
}

/// The middle one; rounds are odd in number.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
