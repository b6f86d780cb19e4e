//! `Policy`: which entry goes when room is needed. One file for each; a new one implements one
//! trait and gets a variant of [`Eviction`].
//!
//! A policy keeps its order as lists through the slots of the [`Table`], and what it wants to know
//! of an entry in the eight bits of its meter.
#![expect(private_interfaces, reason = "a trait of this crate's own: its arguments seal it")]

mod lru;
mod s3fifo;
#[cfg(feature = "size-aware")]
mod size_aware;

mod queues;

mod ghosts;

use core::sync::atomic::Ordering;

pub use lru::Lru;
pub use s3fifo::S3Fifo;
#[cfg(feature = "size-aware")]
pub use size_aware::SizeAware;

use crate::{
    entry::{Memory, OutOfMemory, Value},
    list::List,
    seed::Seed,
    table::Table,
};

/// What a policy is to a cache. Every method takes a bounded number of steps.
pub trait Policy<A: Memory>: Sized {
    /// The policy of an empty cache of a table with so many segments.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[doc(hidden)]
    fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory>;

    /// Has at hand what [`Policy::touch`] of a slot will change.
    #[doc(hidden)]
    fn foresee_touch(&self, _: &Table<A>, _: u32) {}

    /// Notes a hit where it can do so without exclusive access. Says whether it could.
    #[doc(hidden)]
    fn note(&self, slot: u32) -> bool;

    /// Notes a hit.
    #[doc(hidden)]
    fn touch(&mut self, table: &mut Table<A>, slot: u32);

    /// Does what its notes put off. The methods that follow are called only after it.
    #[doc(hidden)]
    fn settle(&mut self, table: &mut Table<A>);

    /// Takes in a new entry.
    #[doc(hidden)]
    fn admit(&mut self, table: &mut Table<A>, slot: u32, hash: u64);

    /// Lets go of an entry that is removed or has expired.
    #[doc(hidden)]
    fn remove(&mut self, table: &mut Table<A>, slot: u32);

    /// Lets go of the entry that makes room.
    #[doc(hidden)]
    fn evict(&mut self, table: &mut Table<A>, seed: &Seed) -> Option<u32>;

    /// Has at hand what admitting an entry of this hash, and evicting another one, will look at.
    #[doc(hidden)]
    fn foresee(&self, table: &Table<A>, hash: u64);

    /// Bytes to have at hand for [`Policy::grow`].
    #[doc(hidden)]
    fn growth(&self, segment: usize, capacity: usize) -> usize;

    /// Gets ready for a segment of so many entries. Says how many bytes of [`Policy::growth`] it
    /// did not keep, or gave back from before.
    ///
    /// # Errors
    /// If there is no memory for it.
    #[doc(hidden)]
    fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory>;

    /// Gives back what [`Policy::grow`] took for a segment that is empty now. Says how many bytes.
    #[doc(hidden)]
    fn shrink(&mut self, segment: usize) -> usize;

    /// Bytes of memory held.
    #[doc(hidden)]
    fn memory(&self) -> usize;

    /// Shows each of its lists, whose slots may have got other numbers.
    #[doc(hidden)]
    fn lists(&mut self, show: &mut dyn FnMut(&mut List));

    /// The slots in order of eviction, after a recount.
    #[cfg(any(test, feature = "check"))]
    #[doc(hidden)]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32>;
}

/// Bits of the meter: two count uses, one says whether the entry is promoted to where those stand that
/// were asked for again, five are the generation (see `store`).
const USES: u8 = 0b011;
const PROMOTED: u8 = 0b100;
const GENERATION_SHIFT: u8 = 3;

/// Generations that the meter tells apart.
pub(crate) const GENERATIONS: u32 = 32;

/// The meter of a new entry.
pub(crate) const fn meter(generation: u32) -> u8 {
    ((generation % GENERATIONS) as u8) << GENERATION_SHIFT
}

impl<A: Memory> Value<A> {
    /// Uses since it was stored, or promoted, up to three.
    pub(crate) fn uses(&self) -> u8 {
        self.meter().load(Ordering::Relaxed) & USES
    }

    /// Two hits at once may count as one: the count is an estimate, and the other bits change only
    /// where no hit can be under way.
    pub(crate) fn count_use(&self) {
        let meter = self.meter().load(Ordering::Relaxed);
        // No branch: which way it goes is hard to foretell, and known only when the entry has come.
        self.meter().store(meter + u8::from(meter & USES < USES), Ordering::Relaxed);
    }

    fn is_promoted(&self) -> bool {
        self.meter().load(Ordering::Relaxed) & PROMOTED != 0
    }

    /// Promotes it, with so many uses left to count on from.
    fn promote(&self, uses: u8) {
        let meter = self.meter().load(Ordering::Relaxed);
        self.meter().store(meter & !USES | PROMOTED | uses, Ordering::Relaxed);
    }

    /// Whether it was never asked for again, neither here nor when it was promoted.
    pub(crate) fn is_unused(&self) -> bool {
        self.meter().load(Ordering::Relaxed) & (USES | PROMOTED) == 0
    }

    pub(crate) fn is_of(&self, generation: u32) -> bool {
        self.meter().load(Ordering::Relaxed) & !(USES | PROMOTED) == meter(generation)
    }
}

/// Which policy a group evicts by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Eviction {
    /// Exact least recently used: what a cache is expected to do.
    #[default]
    Lru,
    /// S3-FIFO: keys that are asked for once do not push out those that are asked for often. Hits
    /// of different threads do not wait for each other.
    S3Fifo,
    /// S3-FIFO where entries are of many sizes: small ones stay longer. More hits, of about as many
    /// bytes.
    #[cfg(feature = "size-aware")]
    SizeAware,
}

/// The policy of a group, as its settings choose it.
pub(crate) enum Chosen<A: Memory> {
    Lru(Lru),
    S3Fifo(S3Fifo<A>),
    #[cfg(feature = "size-aware")]
    SizeAware(SizeAware<A>),
}

/// Calls the same method of whichever policy it is.
macro_rules! each {
    ($chosen:expr, $policy:ident => $call:expr) => {
        match $chosen {
            Self::Lru($policy) => $call,
            Self::S3Fifo($policy) => $call,
            #[cfg(feature = "size-aware")]
            Self::SizeAware($policy) => $call,
        }
    };
}

impl<A: Memory> Chosen<A> {
    pub(crate) fn by(
        eviction: Eviction,
        segments: usize,
        allocator: A,
    ) -> Result<Self, OutOfMemory> {
        Ok(match eviction {
            Eviction::Lru => Self::Lru(Policy::new(segments, allocator)?),
            Eviction::S3Fifo => Self::S3Fifo(Policy::new(segments, allocator)?),
            #[cfg(feature = "size-aware")]
            Eviction::SizeAware => Self::SizeAware(Policy::new(segments, allocator)?),
        })
    }
}

impl<A: Memory> Policy<A> for Chosen<A> {
    fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory> {
        Self::by(Eviction::default(), segments, allocator)
    }

    fn foresee_touch(&self, table: &Table<A>, slot: u32) {
        each!(self, policy => policy.foresee_touch(table, slot));
    }

    fn note(&self, slot: u32) -> bool {
        each!(self, policy => Policy::<A>::note(policy, slot))
    }

    fn touch(&mut self, table: &mut Table<A>, slot: u32) {
        each!(self, policy => policy.touch(table, slot));
    }

    fn settle(&mut self, table: &mut Table<A>) {
        each!(self, policy => policy.settle(table));
    }

    fn admit(&mut self, table: &mut Table<A>, slot: u32, hash: u64) {
        each!(self, policy => policy.admit(table, slot, hash));
    }

    fn remove(&mut self, table: &mut Table<A>, slot: u32) {
        each!(self, policy => policy.remove(table, slot));
    }

    fn evict(&mut self, table: &mut Table<A>, seed: &Seed) -> Option<u32> {
        each!(self, policy => policy.evict(table, seed))
    }

    fn foresee(&self, table: &Table<A>, hash: u64) {
        each!(self, policy => policy.foresee(table, hash));
    }

    fn growth(&self, segment: usize, capacity: usize) -> usize {
        each!(self, policy => Policy::<A>::growth(policy, segment, capacity))
    }

    fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory> {
        each!(self, policy => Policy::<A>::grow(policy, segment, capacity))
    }

    fn shrink(&mut self, segment: usize) -> usize {
        each!(self, policy => Policy::<A>::shrink(policy, segment))
    }

    fn memory(&self) -> usize {
        each!(self, policy => Policy::<A>::memory(policy))
    }

    fn lists(&mut self, show: &mut dyn FnMut(&mut List)) {
        each!(self, policy => Policy::<A>::lists(policy, show));
    }

    #[cfg(any(test, feature = "check"))]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        each!(self, policy => policy.check(table))
    }
}
