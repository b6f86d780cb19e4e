//! `hit`: what finding a key costs. Twice: with the key at hand, as a server has it that has just
//! read a request, and with keys that are themselves fetched from all over the memory, as a
//! program has them that asks for what its own objects name. The second adds the same cache misses
//! to everyone, so that the ratios lie closer together.

use super::{Player, print_against_floor, turns};
use crate::{
    args::Options,
    contender::{Alone, Room, single_cases},
    data,
    report::Report,
};

pub fn run(options: &Options) {
    let entries = options.entries();
    let stored = data::shuffled(entries);
    let mut players: Vec<Player> = Vec::new();
    for case in single_cases(options) {
        let mut player = Player::new(&case, (case.alone)(Room::Ample(entries)));
        player.cache.fill(&stored);
        player.cache.settle();
        players.push(player);
    }
    let ranks = data::zipf_ranks(entries, entries);
    let at_hand: Vec<data::Key> = ranks.iter().map(|&rank| data::Key::of(rank.into())).collect();
    table(options, "keys at hand", &mut players, entries, &|cache, part| {
        cache.hit(&at_hand[..at_hand.len() / part])
    });
    let mut boxes: Vec<Box<[u8]>> = vec![Box::default(); entries];
    for rank in data::shuffled_ranks(entries) {
        boxes[rank as usize] = (*data::Key::of(rank.into())).into();
    }
    table(options, "keys in boxes of their own", &mut players, entries, &|cache, part| {
        cache.hit_boxed(&boxes, &ranks[..ranks.len() / part])
    });
}

/// Does a part of the gets, a `1 / part`, and says how many were hits.
type Gets<'a> = &'a dyn Fn(&mut dyn Alone, usize) -> usize;

fn table(options: &Options, keys: &str, players: &mut [Player], gets: usize, hit: Gets<'_>) {
    let title = format!("hit: one thread, Zipf 0.99, all hits, {keys}");
    let report = Report::new(title, &["", "ns/get", "x floor", "bar", ""]);
    report.note(format_args!(
        "{gets} entries, {} rounds of {gets} gets, interleaved; medians",
        options.rounds
    ));
    report.note("floor: hashbrown map of Box<[u8]> to Arc<[u8]>; a hit clones the Arc");
    for round in 0..options.rounds {
        for turn in turns(players.len(), round) {
            let player = &mut players[turn];
            // The others have been at the processor's caches since.
            hit(&mut *player.cache, 4);
            let mut hits = 0;
            player.time(gets, |cache| hits = hit(cache, 1));
            assert_eq!(hits, gets, "{} lost a key", player.name);
        }
    }
    // The bar of an exact LRU; whoever keeps no order on a hit has no excuse for 5 % more.
    print_against_floor(report, players, |name| if name.contains("s3") { 1.0 } else { 1.05 });
}
