//! The table against a plain map under hashes that an adversary would choose, and against keys that
//! were chosen to collide under a seed that is known.

use super::*;
use crate::{
    entry::Parts,
    list::List,
    seed::Seed,
    segment::{SLOTS, tag},
};
use allocator_api2::alloc::Global;
use core::cell::Cell;
use std::{collections::VecDeque, vec::Vec};

fn entry(key: u32) -> Value {
    let key = key.to_le_bytes();
    Value::allocate(&Parts { key: &key, ..Parts::default() }, Global).expect("memory")
}

fn key_of(entry: &Value) -> u32 {
    u32::from_le_bytes(entry.key().try_into().expect("keys have four bytes"))
}

/// A table with lists through its entries, and the same as plain queues of keys.
struct Run {
    table: Table<Global>,
    lists: [List; 3],
    model: [VecDeque<u32>; 3],
    hash: fn(u32) -> u64,
}

impl Run {
    fn new(budget: usize, hash: fn(u32) -> u64) -> Self {
        let table = Table::new(budget, Global).expect("memory");
        Self { table, lists: [List::new(); 3], model: Default::default(), hash }
    }

    fn find(&self, key: u32) -> Option<u32> {
        let found = self.table.find((self.hash)(key), |entry| key_of(entry) == key);
        found.map(|(slot, _)| slot)
    }

    /// Where the model has a key: in which list, and at which place.
    fn known(&self, key: u32) -> Option<(usize, usize)> {
        let mut queues = (0..).zip(&self.model);
        queues.find_map(|(list, queue)| Some((list, queue.iter().position(|&it| it == key)?)))
    }

    /// Puts a key in as the newest of a list; one that is there already becomes the newest of its
    /// own.
    fn put(&mut self, key: u32, list: usize) {
        if let Some((list, place)) = self.known(key) {
            let slot = self.find(key).expect("what was put in is found");
            self.lists[list].renew(&mut self.table, slot);
            self.model[list].remove(place);
            self.model[list].push_front(key);
            return;
        }
        let (hash, hash_of) = ((self.hash)(key), self.hash);
        if !self.table.has_room(hash) {
            let before = self.table.memory();
            let (growth, lists) = (self.table.growth(hash), &mut self.lists);
            let freed = self.table.grow(
                hash,
                |entry| hash_of(key_of(entry)),
                |renumber| {
                    lists.iter_mut().flat_map(List::ends).for_each(renumber);
                },
            );
            assert_eq!(before + growth - freed.expect("memory"), self.table.memory());
        }
        let slot = self.table.insert(hash, entry(key)).expect("there is room");
        self.lists[list].push(&mut self.table, slot);
        self.model[list].push_front(key);
    }

    fn remove(&mut self, key: u32) {
        let Some((list, place)) = self.known(key) else {
            assert_eq!(self.find(key), None, "nobody put {key} in");
            return;
        };
        let slot = self.find(key).expect("what was put in is found");
        self.lists[list].unlink(&mut self.table, slot);
        let before = self.table.memory();
        let (entry, freed) = self.table.remove((self.hash)(key), slot).expect("an entry");
        assert_eq!((key_of(&entry), before - freed), (key, self.table.memory()));
        self.model[list].remove(place);
    }

    /// The numbers of the slots, as the lists and as the table have them, stand for the keys that
    /// the model has.
    fn check(&self) {
        let mut all = Vec::new();
        for (list, queue) in self.lists.iter().zip(&self.model) {
            let slots = list.walk(&self.table);
            let keys = slots.iter().map(|&slot| self.table.entry(slot).map(key_of));
            assert!(keys.eq(queue.iter().copied().map(Some)), "the order is as it was put in");
            assert_eq!(list.oldest(), slots.last().copied());
            all.extend(slots);
        }
        all.sort_unstable();
        let mut used = self.table.check();
        used.sort_unstable();
        assert_eq!(all, used);
    }
}

/// A number well mixed (SplitMix64).
const fn mixed(key: u32) -> u64 {
    let state = (key as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let once = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

/// From hashes as they should be to the worst there are.
const HASHES: [fn(u32) -> u64; 6] = [
    mixed,
    // All equal.
    |_| 0,
    |_| u64::MAX,
    // One home, seven bits of tag; one segment.
    |key| mixed(key) << 56,
    // One tag, and homes at both ends: from the last chunk it goes on to the first.
    |key| if key % 3 == 0 { 0 } else { 0xffff_ffff },
    // One tag and one home in many segments.
    |key| mixed(key) << 32 & 0x00ff_ffff_0000_0000,
];

#[test]
fn any_run_agrees_with_plain_queues_under_any_hash() {
    let (keys, steps) = if cfg!(miri) { (30, 60) } else { (500, 6_000) };
    for (number, hash) in (0..).zip(HASHES) {
        for budget in [0, 200 << 10, 4 << 20] {
            let mut run = Run::new(budget, hash);
            // Phases of growth and of decline, down to nothing.
            for step in 0..steps {
                let random = mixed(step ^ number << 20);
                let key = (random >> 8) as u32 % keys;
                let puts = if step / (steps / 6) % 2 == 0 { 6 } else { 2 };
                if random % 8 < puts {
                    run.put(key, (random >> 60) as usize % 3);
                } else {
                    run.remove(key);
                }
                if step % 50 == 0 {
                    run.check();
                }
            }
            run.check();
            (0..keys).for_each(|key| run.remove(key));
            run.check();
            let empty = Table::new(budget, Global).expect("memory");
            assert_eq!(run.table.memory(), empty.memory(), "an empty table holds no chunks");
        }
    }
}

/// Where there are as many segments as can be, few bits are left for the places of each.
#[test]
#[cfg_attr(miri, ignore = "safe code, and very many segments")]
fn a_segment_has_an_end_and_says_so() {
    let mut table = Table::new(MAX_SEGMENTS * SEGMENT_BYTES, Global).expect("memory");
    let hash = |key: u32| mixed(key) << 56;
    let grow =
        |table: &mut Table<_>, key| table.grow(hash(key), |entry| hash(key_of(entry)), |_| {});
    let mut stored = 0;
    while table.has_room(hash(stored)) || grow(&mut table, stored).is_ok() {
        table.insert(hash(stored), entry(stored)).expect("there is room");
        stored += 1;
    }
    assert!((2_000..3_100).contains(&stored), "{stored} entries in one segment");
    let memory = table.memory();
    assert_eq!(grow(&mut table, stored), Err(OutOfMemory));
    assert!(table.insert(hash(stored), entry(stored)).is_err());
    assert_eq!((table.memory(), table.check().len()), (memory, stored as usize), "nothing changed");
    for key in 0..stored {
        let found = table.find(hash(key), |entry| key_of(entry) == key);
        let (slot, _) = found.expect("what was put in is found");
        assert_eq!(table.remove(hash(key), slot).map(|(entry, _)| key_of(&entry)), Some(key));
        if key % 1_000 == 0 {
            table.check();
        }
    }
    assert_eq!(table.len(), 0);
}

#[test]
fn a_hidden_entry_is_not_found_whatever_its_tag_is() {
    for top in 0..=u8::MAX {
        let hash = u64::from(top) << 56;
        let mut table = Table::new(0, Global).expect("memory");
        table.grow(hash, |_| hash, |_| ()).expect("memory");
        // Of one tag, side by side in one chunk.
        let slots = [1, 2, 3].map(|key| table.insert(hash, entry(key)).expect("there is room"));
        table.hide(slots[1]);
        let find = |key| table.find(hash, |entry| key_of(entry) == key).map(|(slot, _)| slot);
        assert_eq!([1, 2, 3].map(find), [Some(slots[0]), None, Some(slots[2])], "tag of {top}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and very many steps")]
fn a_chunk_that_very_many_passed_says_so_for_ever() {
    let mut run = Run::new(0, |_| 0);
    let count = 400;
    (0..count).for_each(|key| run.put(key, 0));
    let passed = |run: &Run| run.table.segments[0].chunks[0].tags[SLOTS];
    assert_eq!(passed(&run), u8::MAX, "393 found it full");
    // Those that went past it leave; how many are left, it does not know any more.
    (7..count).rev().for_each(|key| run.remove(key));
    assert_eq!(passed(&run), u8::MAX);
    (0..7).for_each(|key| assert!(run.find(key).is_some()));
    (7..count).for_each(|key| assert_eq!(run.find(key), None));
    run.check();
}

#[test]
fn a_count_below_its_end_goes_down_again() {
    let mut run = Run::new(0, |_| 0);
    (0..100).for_each(|key| run.put(key, 0));
    (7..100).for_each(|key| run.remove(key));
    let chunks = &run.table.segments[0].chunks;
    assert!(chunks.iter().all(|chunk| chunk.tags[SLOTS] == 0), "a removal leaves no trace");
}

/// How many keys a lookup compares on average, and at most.
fn comparisons(keys: &[u32], seed: &Seed) -> (usize, usize) {
    let hash = |key: u32| seed.hash(&key.to_le_bytes());
    let mut table = Table::new(0, Global).expect("memory");
    for &key in keys {
        if !table.has_room(hash(key)) {
            table.grow(hash(key), |entry| hash(key_of(entry)), |_| {}).expect("memory");
        }
        assert!(table.insert(hash(key), entry(key)).is_ok());
    }
    let (mut sum, mut most) = (0_usize, 0);
    for &key in keys {
        let compared = Cell::new(0);
        let found = table.find(hash(key), |entry| {
            compared.set(compared.get() + 1);
            key_of(entry) == key
        });
        assert!(found.is_some());
        sum += compared.get();
        most = most.max(compared.get());
    }
    (sum.div_ceil(keys.len()), most)
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and very many steps")]
fn keys_that_collide_under_a_known_seed_are_harmless_under_another() {
    let (count, known) = (2_000, Seed::new(0));
    // One tag, and homes within a 64th of the table.
    let collides = |key: &u32| {
        let hash = known.hash(&key.to_le_bytes());
        tag(hash) == tag(0) && hash & 0xffff_ffff < 1 << 26
    };
    let keys: Vec<u32> = (0..).filter(collides).take(count).collect();
    let (mean, most) = comparisons(&keys, &known);
    assert!(mean >= count / 3 && most >= count * 2 / 3, "they do collide: {mean}, {most}");
    for seed in 1..20 {
        let (mean, most) = comparisons(&keys, &Seed::new(seed));
        assert!(mean <= 2 && most <= 12, "seed {seed}: {mean} on average, {most} at most");
    }
}
