//! gocache in a replay. Its budget counts memory, tables and headers included, where the others
//! count objects or the bytes of values. It gets the budget with which it holds, at the end of the
//! replay, as much as the others may hold; a few replays before the one that counts find it.
//!
//! It really holds the bytes. Where that would be too much memory, all sizes are divided.

use super::{Policy, Trace};
use crate::contender::{
    Contender,
    ours::{Alone, Named},
};

/// Bytes of values to hold at most.
const MOST: u64 = 128 << 20;

/// A first guess of the memory of an object without a size.
const OBJECT: f64 = 128.0;
/// Replays to find a budget with, at most.
const PILOTS: usize = 8;
/// Close enough to what the others hold.
const CLOSE: f64 = 0.002;

/// The cache, and what its sizes are divided by.
struct Replayed<N: Named> {
    cache: Alone<N>,
    divisor: u64,
    /// Somewhere to take values from.
    zeros: Vec<u8>,
}

/// The cache for so many bytes, or objects, of a trace.
pub fn build<N: Named + 'static>(trace: &Trace, room: u64) -> Box<dyn Policy> {
    let divisor = room.div_ceil(MOST);
    let room = (room / divisor) as f64;
    let largest = trace.sizes.iter().max().copied().unwrap_or(0);
    let zeros = vec![0; largest.div_ceil(divisor) as usize];
    let mut replayed = Replayed::<N> { cache: Alone::with_budget(0), divisor, zeros };
    let budget = replayed.find_budget(trace, room);
    replayed.cache = Alone::with_budget(budget as usize);
    Box::new(replayed)
}

impl<N: Named> Replayed<N> {
    /// Closes in on the budget that holds so much from both sides, and reports where it cannot:
    /// a table that doubles makes for a step.
    fn find_budget(&mut self, trace: &Trace, room: f64) -> f64 {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut budget = room * if trace.sized { 1.0 } else { OBJECT };
        let (mut best, mut off) = (budget, f64::INFINITY);
        for _ in 0..PILOTS {
            self.cache = Alone::with_budget(budget as usize);
            let filled = self.held_after(trace) as f64 / room;
            if (filled - 1.0).abs() < off {
                (best, off) = (budget, (filled - 1.0).abs());
            }
            if off < CLOSE {
                return best;
            }
            *if filled < 1.0 { &mut low } else { &mut high } = budget;
            budget /= filled.max(0.1);
            if budget <= low || budget >= high {
                budget = f64::midpoint(low, high);
            }
        }
        println!("   {}: {:.1} % off from what the others hold", N::NAME, off * 100.0);
        best
    }

    /// Bytes of values in the cache after a replay.
    fn held_after(&mut self, trace: &Trace) -> usize {
        for &id in &trace.ids {
            self.access(id, trace.sizes[id as usize]);
        }
        let held = (0..trace.objects() as u32).filter_map(|id| self.cache.get(&id.to_le_bytes()));
        held.map(|value| value.len()).sum()
    }
}

impl<N: Named> Policy for Replayed<N> {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let len = size.div_ceil(self.divisor) as usize;
        self.cache.get_or_insert(&id.to_le_bytes(), &self.zeros[..len.min(self.zeros.len())])
    }
}
