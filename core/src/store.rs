//! `Store`: table and policy of the entries behind one lock, under a budget that other stores
//! may share.
//!
//! An entry is linked in only where the tables have room for it, and the tables grow only by what
//! the budget has reserved before. What is taken out leaves through [`Evicted`], so that its memory
//! is given back when the lock is no longer held.
//!
//! An entry that someone still holds when it is taken out becomes *lent*: it keeps its slot, hidden
//! from lookups and out of the policy's lists, and its bytes count as lent until it has come back.

use crate::{
    budget::Budget,
    entry::{Memory, OutOfMemory, Value},
    evicted::Evicted,
    list::List,
    policy::{GENERATIONS, Policy},
    seed::Seed,
    table::Table,
    time::Now,
};

/// Slots that an operation sweeps beside its own work.
pub(crate) const SWEEP: u32 = 2;
/// Lent entries that an eviction looks at.
const LOOKS: usize = 16;

/// A value, and how many ticks ago it was loaded where that is known.
pub(crate) type Hit<A> = (Value<A>, Option<u32>);

/// Why an entry cannot be linked in.
#[derive(Debug)]
pub(crate) enum Lack {
    /// So many bytes of the budget are needed for the tables.
    Budget(usize),
    /// The allocator has not so many in one piece.
    Memory(usize),
    /// It is not wanted any more.
    Outdated,
}

/// What has left the store, and why, since the counts were last taken. Where nobody takes them they
/// come round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Departed {
    pub(crate) evicted: usize,
    pub(crate) evicted_unused: usize,
    pub(crate) expired: usize,
}

impl Departed {
    fn evict(&mut self, is_unused: bool) {
        self.evicted = self.evicted.wrapping_add(1);
        self.evicted_unused = self.evicted_unused.wrapping_add(is_unused.into());
    }

    fn expire(&mut self) {
        self.expired = self.expired.wrapping_add(1);
    }
}

pub(crate) struct Store<P, A: Memory> {
    table: Table<A>,
    policy: P,
    pub(crate) departed: Departed,
    lent: List,
    seed: Seed,
    /// Whether any entry can expire.
    is_timed: bool,
    /// Where the next sweep goes on.
    hand: u32,
    generation: u32,
    /// No entry is of an older generation than the first; than the second, none that the present
    /// round of the hand has passed.
    oldest: [u32; 2],
}

impl<P: Policy<A>, A: Memory> Store<P, A> {
    /// A store for about `share` bytes of the budget, which is charged with what the store begins
    /// with.
    pub(crate) fn new(
        share: usize,
        seed: Seed,
        budget: &Budget,
        policy: impl FnOnce(usize) -> Result<P, OutOfMemory>,
        allocator: A,
    ) -> Result<Self, OutOfMemory> {
        let table = Table::new(share, allocator)?;
        let policy = policy(table.segments())?;
        budget.charge(table.memory() + policy.memory());
        let (lent, departed) = (List::new(), Departed::default());
        Ok(Self {
            table,
            policy,
            lent,
            seed,
            departed,
            is_timed: false,
            hand: 0,
            generation: 0,
            oldest: [0; 2],
        })
    }

    /// Bytes that the tables of an empty store grow by for a first entry, at most: what any entry
    /// has to leave free.
    pub(crate) fn least(&self) -> usize {
        self.table.growth(0) + self.policy.growth(0, self.table.next_capacity(0))
    }

    pub(crate) const fn len(&self) -> usize {
        self.table.len() - self.lent.len()
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<(u32, &Value<A>)> {
        self.table.find(hash, |entry| entry.has_key(key))
    }

    /// Looks up an entry that is no older than it may be.
    #[inline]
    fn fresh(&self, hash: u64, key: &[u8], now: &Now) -> Option<(u32, &Value<A>, Option<u32>)> {
        let (slot, entry) = self.find(hash, key).filter(|_| self.generation == now.generation)?;
        Some((slot, entry, now.age(entry, hash).ok()?))
    }

    /// Looks a key up without exclusive access. What this does not find, [`Store::hit`] may.
    // As in `Shard::peek`.
    #[inline(always)]
    pub(crate) fn peek(&self, hash: u64, key: &[u8], now: &Now) -> Option<Hit<A>> {
        let (slot, entry, age) = self.fresh(hash, key, now)?;
        self.policy.foresee_touch(&self.table, slot);
        if !self.policy.note(slot) {
            return None;
        }
        entry.count_use();
        Some((entry.clone(), age))
    }

    /// Looks a key up and notes its use. What is stale stays: see [`Store::expire`].
    pub(crate) fn hit(&mut self, hash: u64, key: &[u8], now: &Now) -> Option<Hit<A>> {
        let (slot, entry, age) = self.fresh(hash, key, now)?;
        self.policy.foresee_touch(&self.table, slot);
        entry.count_use();
        let value = entry.clone();
        self.policy.touch(&mut self.table, slot);
        Some((value, age))
    }

    /// Takes out the entry of a key that was no hit, if there is one: then it is stale.
    #[cold]
    pub(crate) fn expire(&mut self, hash: u64, key: &[u8], now: &Now, out: &mut Evicted<'_, A>) {
        self.catch_up(now.generation);
        let stale = self.find(hash, key).filter(|(_, entry)| now.age(entry, hash).is_err());
        if let Some((slot, _)) = stale {
            self.departed.expire();
            self.policy.remove(&mut self.table, slot);
            self.take(slot, out);
        }
    }

    /// Has at hand what storing an entry of this hash, with room made for it, will look at.
    pub(crate) fn foresee(&self, hash: u64) {
        self.table.prefetch_home(hash);
        self.policy.foresee(&self.table, hash);
    }

    /// Forgets a key. Says whether it was there, and not stale.
    pub(crate) fn remove(
        &mut self,
        hash: u64,
        key: &[u8],
        now: &Now,
        out: &mut Evicted<'_, A>,
    ) -> bool {
        self.catch_up(now.generation);
        let Some((slot, entry)) = self.find(hash, key) else { return false };
        let is_fresh = now.age(entry, hash).is_ok();
        self.policy.remove(&mut self.table, slot);
        self.take(slot, out);
        is_fresh
    }

    /// Evicts entries until they are worth so many bytes, none are left, or `out` is full. Says
    /// whether any went.
    pub(crate) fn evict(&mut self, bytes: usize, out: &mut Evicted<'_, A>) -> bool {
        self.policy.settle(&mut self.table);
        self.collect(LOOKS, out);
        while out.bytes + out.lent < bytes && !out.is_full() {
            let Some(slot) = self.policy.evict(&mut self.table, &self.seed) else {
                break;
            };
            let is_unused = self.table.entry(slot).is_some_and(Value::is_unused);
            self.departed.evict(is_unused);
            self.take(slot, out);
        }
        !out.is_empty()
    }

    /// Links an entry in whose memory is reserved already. The key must not be there.
    ///
    /// # Errors
    /// The entry comes back if the tables cannot take it.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        entry: Value<A>,
        budget: &Budget,
    ) -> Result<(), (Value<A>, Lack)> {
        self.policy.settle(&mut self.table);
        if let Err(lack) = self.grow(hash, budget) {
            return Err((entry, lack));
        }
        self.is_timed |= entry.is_timed();
        let slot = self.table.insert(hash, entry).map_err(|entry| (entry, Lack::Memory(0)))?;
        self.policy.admit(&mut self.table, slot, hash);
        Ok(())
    }

    /// Makes room for one entry more in the tables.
    fn grow(&mut self, hash: u64, budget: &Budget) -> Result<(), Lack> {
        if self.table.has_room(hash) {
            return Ok(());
        }
        let Self { table, policy, lent, seed, hand, .. } = self;
        let (segment, capacity) = (table.segment_of(hash), table.next_capacity(hash));
        let need = policy.growth(segment, capacity);
        reserved(budget, need, || policy.grow(segment, capacity))?;
        let hash_of = |entry: &Value<A>| seed.hash(entry.key());
        reserved(budget, table.growth(hash), || {
            table.grow(hash, hash_of, |renumber| {
                let mut list = |list: &mut List| list.ends().into_iter().for_each(&mut *renumber);
                policy.lists(&mut list);
                list(lent);
            })
        })?;
        // What has moved from behind the hand to before it would be passed by.
        if table.segment(*hand) == segment {
            *hand = table.number(segment, 0);
        }
        Ok(())
    }

    /// Takes an entry out of the table that its policy has let go of.
    fn take(&mut self, slot: u32, out: &mut Evicted<'_, A>) {
        let Some(entry) = self.table.entry(slot) else { return };
        if entry.is_unique() && !out.is_full() {
            out.bytes += entry.memory();
            self.drop_slot(slot, out);
        } else {
            out.lend(entry.memory());
            self.table.hide(slot);
            self.lent.push(&mut self.table, slot);
        }
    }

    fn drop_slot(&mut self, slot: u32, out: &mut Evicted<'_, A>) {
        let Some(entry) = self.table.entry(slot) else { return };
        let hash = self.seed.hash(entry.key());
        if let Some((entry, freed)) = self.table.remove(hash, slot) {
            out.push(entry);
            out.budget.release(freed);
            if freed > 0 {
                out.budget.release(self.policy.shrink(self.table.segment(slot)));
            }
        }
    }

    /// Looks after a few entries: lent ones that have come back, and stale ones, so that those too
    /// go that nobody asks for.
    pub(crate) fn sweep(&mut self, looks: u32, now: &Now, out: &mut Evicted<'_, A>) {
        self.catch_up(now.generation);
        self.collect(looks as usize, out);
        if !self.is_timed && self.oldest[0] == self.generation {
            return;
        }
        for _ in 0..looks {
            // The hand passes nothing by: see `oldest`.
            if out.is_full() {
                return;
            }
            let slot = self.hand;
            self.hand = self.table.after(slot);
            if self.hand == 0 {
                self.oldest = [self.oldest[1], self.generation];
            }
            let Some(entry) = self.table.entry(slot).filter(|_| !self.table.is_hidden(slot)) else {
                continue;
            };
            if now.age(entry, self.seed.hash(entry.key())).is_err() {
                self.departed.expire();
                self.policy.remove(&mut self.table, slot);
                self.take(slot, out);
            }
        }
    }

    /// Whether so many generations may be left that it is time to sweep them out.
    pub(crate) const fn is_behind(&self, generation: u32) -> bool {
        generation.wrapping_sub(self.oldest[0]) >= GENERATIONS / 2
    }

    /// Gives back the lent entries that nobody holds any more, after a look at so many of those
    /// that were lent first.
    fn collect(&mut self, looks: usize, out: &mut Evicted<'_, A>) {
        for _ in 0..looks.min(self.lent.len()) {
            let Some(slot) = self.lent.oldest().filter(|_| !out.is_full()) else { return };
            let Some(entry) = self.table.entry(slot) else { return };
            if entry.is_unique() {
                out.returned += entry.memory();
                self.lent.unlink(&mut self.table, slot);
                self.drop_slot(slot, out);
            } else {
                self.lent.renew(&mut self.table, slot);
            }
        }
    }

    /// Does what hits put off, and follows the group to its generation. The meter of an entry tells
    /// few of them apart: who raises generations sweeps first (see [`Store::is_behind`]), so that
    /// nothing is left of a number when it comes round again.
    fn catch_up(&mut self, generation: u32) {
        self.policy.settle(&mut self.table);
        self.generation = generation;
        let behind = generation.wrapping_sub(self.oldest[0]);
        debug_assert!(behind < GENERATIONS, "generation {generation}, {behind} after the oldest");
    }
}

/// Reserves bytes, does what needs them, and releases what it says was too much.
fn reserved(
    budget: &Budget,
    bytes: usize,
    grow: impl FnOnce() -> Result<usize, OutOfMemory>,
) -> Result<(), Lack> {
    if !budget.reserve(bytes) {
        return Err(Lack::Budget(bytes));
    }
    let grown = grow();
    budget.release(grown.unwrap_or(bytes));
    grown.map(drop).map_err(|OutOfMemory| Lack::Memory(bytes))
}

#[cfg(any(test, feature = "check"))]
impl<P: Policy<A>, A: Memory> Store<P, A> {
    /// Recounts everything from scratch and panics where two views of it differ. Says how many
    /// bytes are used and how many lent.
    pub(crate) fn check(&self) -> (usize, usize) {
        let (held, lent) = (self.policy.check(&self.table), self.lent.walk(&self.table));
        let mut listed: alloc::vec::Vec<u32> = held.iter().chain(&lent).copied().collect();
        listed.sort_unstable();
        let mut used = self.table.check();
        used.sort_unstable();
        assert_eq!(listed, used, "each entry stands in one list");
        let memory = |slots: &[u32]| {
            let entries = slots.iter().map(|&slot| self.table.entry(slot).map(Value::memory));
            entries.map(|memory| memory.expect("used slots have entries")).sum::<usize>()
        };
        for &slot in &held {
            let entry = self.table.entry(slot).expect("used slots have entries");
            let found = self.find(self.seed.hash(entry.key()), entry.key());
            assert_eq!(found.map(|(slot, _)| slot), Some(slot), "each entry is found");
        }
        assert!(lent.iter().all(|&slot| self.table.is_hidden(slot)));
        (memory(&held) + self.table.memory() + self.policy.memory(), memory(&lent))
    }
}
