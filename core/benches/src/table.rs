//! The tables of speed and memory, one file each, and what they share.

pub mod hit;
pub mod insert;
pub mod longest;
pub mod memory;
pub mod threads;

use std::time::Instant;

use crate::{
    contender::{Alone, Case},
    report::{Report, median, verdict},
};

/// A contender in play, and what each round showed.
struct Player {
    name: &'static str,
    cache: Box<dyn Alone>,
    nanos: Vec<f64>,
}

impl Player {
    fn new(case: &Case, cache: Box<dyn Alone>) -> Self {
        Self { name: case.name, cache, nanos: vec![] }
    }

    /// Times one round of that many operations.
    fn time(&mut self, operations: usize, round: impl FnOnce(&mut dyn Alone)) {
        let start = Instant::now();
        round(&mut *self.cache);
        self.nanos.push(start.elapsed().as_nanos() as f64 / operations as f64);
    }
}

/// The indices of the players, another one first in each round: who comes first finds other caches
/// than who comes last.
fn turns(players: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..players).map(move |turn| (turn + round) % players)
}

/// Prints the median of each player, and the median of the ratios to the floor of the same round,
/// which suffer less than the figures when the machine is busy for a while.
///
/// Empties their rounds for the next table.
fn print_against_floor(mut report: Report, players: &mut [Player], bar: impl Fn(&str) -> f64) {
    let floor = players[0].nanos.clone();
    for player in players {
        let ratio =
            median(player.nanos.iter().zip(&floor).map(|(own, floor)| own / floor).collect());
        let mut cells = vec![
            player.name.into(),
            format!("{:.1}", median(std::mem::take(&mut player.nanos))),
            format!("{ratio:.2}"),
        ];
        if player.name != "floor" {
            cells.extend(verdict(ratio, bar(player.name)));
        }
        report.row(cells);
    }
    report.print();
}
