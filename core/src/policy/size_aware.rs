//! S3-FIFO in classes of size: what is small stays longer, for it takes little from the others.
//!
//! A class has the two queues of `s3fifo.rs` for the entries of about one size; the ghosts are common
//! to all. An eviction looks at a class as often as its share of the bytes says: of two classes with
//! as many entries, the one of twice the size is looked at twice as often. So an entry stays for its
//! hits by the byte, as in GreedyDual-Size (Cao and Irani, "Cost-aware WWW proxy caching algorithms",
//! USITS'97), without the heap of that.
//!
//! Beyond some times the mean, size makes no more difference: there it would cost more in bytes hit
//! than it brings in hits.

use core::mem::size_of;

use allocator_api2::vec::Vec;

use super::{
    Policy,
    ghosts::Ghosts,
    queues::{Queues, evict},
};
use crate::{
    entry::{Memory, OutOfMemory},
    list::List,
    room,
    seed::Seed,
    table::Table,
};

/// The first one has the entries of less than 64 bytes, each other those of up to four times as many,
/// and the last one all from 4 MiB on.
const CLASSES: usize = 10;
/// From so many times the mean on, all count as of one size.
const LARGE: usize = 4;

/// A class of size.
struct Class {
    queues: Queues,
    /// How much it is behind with being looked at, in bytes.
    due: i64,
}

/// S3-FIFO, but small entries stay longer than large ones: more hits, of about as many bytes.
pub struct SizeAware<A: Memory = allocator_api2::alloc::Global> {
    classes: Vec<Class, A>,
    ghosts: Ghosts<A>,
}

/// The class that is furthest behind.
fn first(classes: &[Class]) -> Option<usize> {
    let used = classes.iter().enumerate().filter(|(_, class)| class.queues.len() > 0);
    used.max_by_key(|(_, class)| class.due).map(|(at, _)| at)
}

/// Whose turn it is to be looked at: smooth weighted round robin, as nginx spreads its requests.
fn next(classes: &mut [Class]) -> Option<&mut Queues> {
    let sums =
        |(len, bytes), class: &Class| (len + class.queues.len(), bytes + class.queues.bytes());
    let (len, bytes) = classes.iter().fold((0, 0), sums);
    let large = bytes.checked_div(len)?.saturating_mul(LARGE);
    let mut all = 0;
    for Class { queues, due } in &mut *classes {
        let weight = queues.bytes().min(queues.len().saturating_mul(large)) as i64;
        *due += weight;
        all += weight;
    }
    let class = classes.get_mut(first(classes)?)?;
    class.due -= all;
    Some(&mut class.queues)
}

impl<A: Memory> SizeAware<A> {
    /// The queues of an entry's class.
    fn queues(&mut self, table: &Table<A>, slot: u32) -> Option<&mut Queues> {
        let bytes = table.entry(slot)?.memory();
        let class = (bytes.max(16).ilog2() as usize - 4) / 2;
        self.classes.get_mut(class.min(CLASSES - 1)).map(|class| &mut class.queues)
    }
}

impl<A: Memory> Policy<A> for SizeAware<A> {
    fn new(segments: usize, allocator: A) -> Result<Self, OutOfMemory> {
        let class = |_| Class { queues: Queues::EMPTY, due: 0 };
        let classes = room::filled(CLASSES, allocator.clone(), class)?;
        Ok(Self { classes, ghosts: Ghosts::new(segments, allocator)? })
    }

    /// The use that the entry itself counts is all there is to note.
    fn note(&self, _: u32) -> bool {
        true
    }

    fn touch(&mut self, _: &mut Table<A>, _: u32) {}

    fn settle(&mut self, _: &mut Table<A>) {}

    fn admit(&mut self, table: &mut Table<A>, slot: u32, hash: u64) {
        let is_known = self.ghosts.recall(hash, table);
        let queues = self.queues(table, slot);
        queues.into_iter().for_each(|queues| queues.admit(table, slot, is_known));
    }

    fn remove(&mut self, table: &mut Table<A>, slot: u32) {
        let queues = self.queues(table, slot);
        queues.into_iter().for_each(|queues| queues.remove(table, slot));
    }

    fn evict(&mut self, table: &mut Table<A>, seed: &Seed) -> Option<u32> {
        let Self { classes, ghosts } = self;
        evict(table, seed, ghosts, |table, is_last| next(classes)?.look(table, is_last))
    }

    fn foresee(&self, table: &Table<A>, hash: u64) {
        self.ghosts.prefetch(hash, table);
        // Most often it is next as well.
        let class = first(&self.classes).and_then(|at| self.classes.get(at));
        class.into_iter().for_each(|class| class.queues.foresee(table));
    }

    fn growth(&self, segment: usize, capacity: usize) -> usize {
        self.ghosts.growth(segment, capacity)
    }

    fn grow(&mut self, segment: usize, capacity: usize) -> Result<usize, OutOfMemory> {
        self.ghosts.grow(segment, capacity)
    }

    fn shrink(&mut self, segment: usize) -> usize {
        self.ghosts.shrink(segment)
    }

    fn memory(&self) -> usize {
        self.ghosts.memory() + self.classes.capacity() * size_of::<Class>()
    }

    fn lists(&mut self, show: &mut dyn FnMut(&mut List)) {
        self.classes.iter_mut().flat_map(|class| class.queues.lists()).for_each(show);
    }

    #[cfg(any(test, feature = "check"))]
    fn check(&self, table: &Table<A>) -> alloc::vec::Vec<u32> {
        self.classes.iter().flat_map(|class| class.queues.check(table)).collect()
    }
}
