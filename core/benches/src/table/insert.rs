//! `insert`: what storing a key costs that puts another one out.

use super::{Player, print_against_floor, turns};
use crate::{
    args::Options,
    contender::{Room, single_cases},
    data,
    report::Report,
};

const BAR: f64 = 0.85;

pub fn run(options: &Options) {
    let entries = options.entries();
    let stored = data::shuffled(entries);
    let mut players: Vec<Player> = Vec::new();
    for case in single_cases(options) {
        let mut player = Player::new(&case, (case.alone)(Room::Full(entries)));
        player.cache.fill(&stored);
        player.cache.settle();
        players.push(player);
    }
    let columns = ["", "ns/insert", "x floor", "bar", ""];
    let report = Report::new("insert: one thread, fresh keys into a full cache", &columns);
    let batch = entries / 5;
    report.note(format_args!(
        "{entries} entries, {} rounds of {batch} inserts, interleaved; medians",
        options.rounds
    ));
    report.note(
        "floor: as for hit, and a VecDeque of copied keys (25 bytes, in place), oldest first:",
    );
    report.note("each insert removes the key at its front from the map (FIFO)");
    report.note("all copy key and value from slices");
    // Until every entry has been replaced once, memory is freed for the first time and tables still
    // grow: these rounds are not counted.
    let turnover = entries / batch;
    for round in 0..turnover + options.rounds {
        let fresh = data::fresh(entries + round * batch, batch);
        for turn in turns(players.len(), round) {
            players[turn].time(batch, |cache| {
                cache.fill(&fresh);
                cache.settle();
            });
        }
    }
    for player in &mut players {
        player.nanos.drain(..turnover);
    }
    print_against_floor(report, &mut players, |_| BAR);
}
