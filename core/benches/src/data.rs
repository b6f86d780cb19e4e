//! The work: keys of 16 to 24 bytes, values of 100, and who asks for what.

use std::ops::Deref;

use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use rand_distr::{Distribution, Zipf};

/// Every value.
pub const VALUE: [u8; 100] = *b"0123456789 a value of one hundred bytes, as a small JSON \
    document may be that a server hands out ...";

/// The skew of YCSB and of most published figures.
const SKEW: f64 = 0.99;

/// A key in place, so that a sequence of keys is read from memory in a row, and reading it costs
/// no cache miss that would be counted as the cache's.
#[derive(Clone, Copy)]
pub struct Key {
    len: u8,
    bytes: [u8; 24],
}

impl Key {
    /// The key of a number. Different numbers have different keys.
    pub fn of(number: u64) -> Self {
        let words = [mix(number), mix(number ^ (1 << 62)), mix(number ^ (1 << 63))];
        let mut bytes = [0; 24];
        for (eight, word) in bytes.chunks_exact_mut(8).zip(words) {
            eight.copy_from_slice(&word.to_le_bytes());
        }
        Self { len: 16 + (words[0] % 9) as u8, bytes }
    }

    /// A key of these bytes, of which there are not too many.
    pub fn copied(key: &[u8]) -> Self {
        let mut bytes = [0; 24];
        bytes[..key.len()].copy_from_slice(key);
        Self { len: key.len() as u8, bytes }
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// The finaliser of SplitMix64: a bijection that looks random.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The numbers `0..count` in a random order.
pub fn shuffled_ranks(count: usize) -> Vec<u32> {
    let mut ranks: Vec<u32> = (0..count as u32).collect();
    ranks.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(1));
    ranks
}

/// Their keys in that order: were they stored by rank, the hottest would be neighbours in memory.
pub fn shuffled(count: usize) -> Vec<Key> {
    shuffled_ranks(count).into_iter().map(|rank| Key::of(rank.into())).collect()
}

/// Keys that nobody has asked for before.
pub fn fresh(first: usize, count: usize) -> Vec<Key> {
    (first as u64..(first + count) as u64).map(Key::of).collect()
}

/// Who is asked for: `len` draws of the ranks `0..count`.
pub fn zipf_ranks(count: usize, len: usize) -> Vec<u32> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
    let ranks = Zipf::new(count as f64, SKEW).expect("a positive count and skew");
    (0..len).map(|_| ranks.sample(&mut random) as u32 - 1).collect()
}

/// Their keys.
pub fn zipf(count: usize, len: usize) -> Vec<Key> {
    zipf_ranks(count, len).into_iter().map(|rank| Key::of(rank.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_differ_and_have_their_length() {
        let keys = shuffled(10_000);
        let distinct: HashSet<&[u8]> = keys.iter().map(|key| &**key).collect();
        assert_eq!(distinct.len(), keys.len());
        assert!(keys.iter().all(|key| (16..=24).contains(&key.len())));
    }

    #[test]
    fn the_first_rank_has_its_share() {
        let harmonic: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-SKEW)).sum();
        let draws = zipf(1000, 100_000);
        for rank in [1_u32, 2, 10] {
            let key = Key::of(u64::from(rank) - 1);
            let share = draws.iter().filter(|draw| ***draw == *key).count() as f64 / 1e5;
            let due = f64::from(rank).powf(-SKEW) / harmonic;
            assert!((share / due - 1.0).abs() < 0.1, "rank {rank}: {share} for {due}");
        }
    }
}
