//! S3-FIFO after Yang et al., "FIFO queues are all you need for cache eviction" (SOSP'23), plain
//! and slow: the measure for any other implementation.
//!
//! New objects enter a *small* queue, a tenth of the cache. At its end, whoever was used more than
//! once since goes on to the *main* queue, where uses are counted anew (section 4.1: "its access
//! bits are cleared during the move"); the others are thrown out and remembered in a *ghost* queue.
//! Who is missed and remembered enters the main queue at once. At the end of the main queue a used
//! object goes round again, with one use taken off; uses are counted up to three.

use std::collections::VecDeque;

use super::Policy;

/// Uses are counted in two bits.
const MOST_USES: u8 = 3;
/// More uses than this lead from the small into the main queue: the paper's default.
const PROMOTE_ABOVE: u8 = 1;

/// How long the ghost queue is. For objects of one size the two are the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ghost {
    /// As many entries as the main queue has, nine in ten of those now cached.
    Entries,
    /// Objects of as many bytes as the main queue has, as libCacheSim does it.
    Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Out,
    Small,
    Main,
    /// Out but remembered, under the number of the eviction; the queue may hold older ones.
    Ghost(u64),
}

#[derive(Clone, Copy)]
struct Object {
    place: Place,
    uses: u8,
    size: u64,
}

/// A queue, first in first out, and the bytes of what is in it.
#[derive(Default)]
struct Queue {
    ids: VecDeque<u32>,
    bytes: u64,
}

pub struct S3Fifo {
    objects: Vec<Object>,
    small: Queue,
    main: Queue,
    ghost: VecDeque<(u32, u64)>,
    /// Those of the ghost queue that are still remembered, and their bytes.
    remembered: (usize, u64),
    evictions: u64,
    rule: Ghost,
    room: u64,
}

impl S3Fifo {
    /// A cache of so many bytes for objects of the ids `0..objects`.
    pub fn new(objects: usize, room: u64, rule: Ghost) -> Self {
        Self {
            objects: vec![Object { place: Place::Out, uses: 0, size: 0 }; objects],
            small: Queue::default(),
            main: Queue::default(),
            ghost: VecDeque::new(),
            remembered: (0, 0),
            evictions: 0,
            rule,
            room,
        }
    }

    fn enter(&mut self, id: u32, place: Place) {
        let queue = if place == Place::Main { &mut self.main } else { &mut self.small };
        queue.ids.push_front(id);
        queue.bytes += self.objects[id as usize].size;
        self.objects[id as usize].place = place;
    }

    fn evict(&mut self) {
        // A tenth, without rounding it to nothing in a small cache. Where objects have sizes, one
        // may be so large that it needs what the small queue holds within its tenth.
        if self.small.bytes * 10 >= self.room || self.main.ids.is_empty() {
            self.evict_small();
        } else {
            self.evict_main();
        }
    }

    fn evict_small(&mut self) {
        while let Some(id) = self.small.ids.pop_back() {
            let Object { uses, size, .. } = self.objects[id as usize];
            self.small.bytes -= size;
            if uses <= PROMOTE_ABOVE {
                return self.remember(id);
            }
            self.objects[id as usize].uses = 0;
            self.enter(id, Place::Main);
            while self.main.bytes > self.main_room() {
                self.evict_main();
            }
        }
    }

    fn evict_main(&mut self) {
        while let Some(id) = self.main.ids.pop_back() {
            let object = &mut self.objects[id as usize];
            if object.uses == 0 {
                object.place = Place::Out;
                self.main.bytes -= object.size;
                return;
            }
            object.uses -= 1;
            self.main.ids.push_front(id);
        }
    }

    fn remember(&mut self, id: u32) {
        self.evictions += 1;
        let object = &mut self.objects[id as usize];
        object.place = Place::Ghost(self.evictions);
        self.ghost.push_front((id, self.evictions));
        self.remembered.0 += 1;
        self.remembered.1 += object.size;
        while self.ghost_is_full() {
            let Some((oldest, eviction)) = self.ghost.pop_back() else { return };
            if self.objects[oldest as usize].place == Place::Ghost(eviction) {
                self.forget(oldest);
            }
        }
    }

    /// Takes an object out of the ghost queue; its place in the queue goes by itself, later.
    fn forget(&mut self, id: u32) {
        let object = &mut self.objects[id as usize];
        object.place = Place::Out;
        self.remembered.0 -= 1;
        self.remembered.1 -= object.size;
    }

    fn ghost_is_full(&self) -> bool {
        match self.rule {
            Ghost::Bytes => self.remembered.1 > self.main_room(),
            Ghost::Entries => {
                let cached = self.small.ids.len() + self.main.ids.len();
                // The one that is just leaving still counts.
                self.remembered.0 * 10 > (cached + 1) * 9
            }
        }
    }

    fn main_room(&self) -> u64 {
        self.room - self.room / 10
    }
}

impl Policy for S3Fifo {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let object = &mut self.objects[id as usize];
        if matches!(object.place, Place::Small | Place::Main) {
            object.uses = MOST_USES.min(object.uses + 1);
            return true;
        }
        if size > self.room {
            return false;
        }
        (object.size, object.uses) = (size, 0);
        while self.small.bytes + self.main.bytes + size > self.room {
            self.evict();
        }
        // Making room may have pushed it out of the ghost queue.
        if matches!(self.objects[id as usize].place, Place::Ghost(_)) {
            self.forget(id);
            self.enter(id, Place::Main);
        } else {
            self.enter(id, Place::Small);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: u32 = 20;

    /// Ten objects of one byte, all of them in the small queue.
    fn full() -> S3Fifo {
        let mut cache = S3Fifo::new(40, 10, Ghost::Entries);
        assert!((0..10).all(|id| !cache.access(id, 1)));
        cache
    }

    fn place(cache: &S3Fifo, id: u32) -> Place {
        cache.objects[id as usize].place
    }

    #[test]
    fn used_twice_goes_on_and_used_once_is_remembered() {
        let mut cache = full();
        assert!(cache.access(0, 1) && cache.access(0, 1) && cache.access(1, 1));
        assert!(!cache.access(NEW, 1));
        assert!(place(&cache, 0) == Place::Main && matches!(place(&cache, 1), Place::Ghost(_)));
        assert!(!cache.access(1, 1), "a ghost has no bytes");
        assert!(place(&cache, 1) == Place::Main, "and comes back into the main queue");
        assert!(place(&cache, NEW) == Place::Small);
    }

    #[test]
    fn a_used_object_of_the_main_queue_goes_round_again() {
        let mut cache = full();
        // All go on; the small queue is empty then, and the main one makes room within nine: for the
        // first one, whose uses are counted anew.
        (0..10).for_each(|id| assert!(cache.access(id, 1) && cache.access(id, 1)));
        assert!(!cache.access(NEW, 1));
        assert_eq!((cache.main.ids.len(), cache.small.ids.len()), (9, 1));
        assert!(place(&cache, 0) == Place::Out && place(&cache, 1) == Place::Main);
        // One that comes back leaves the small queue empty once more.
        assert!(cache.access(1, 1) && !cache.access(NEW + 1, 1) && !cache.access(NEW, 1));
        assert_eq!((cache.main.ids.len(), cache.small.ids.len()), (10, 0));
        assert!(!cache.access(NEW + 2, 1));
        assert!(place(&cache, 1) == Place::Main && place(&cache, 2) == Place::Out);
        assert_eq!(cache.objects[1].uses, 0);
    }

    #[test]
    fn the_ghost_queue_is_as_long_as_the_main_one() {
        for rule in [Ghost::Entries, Ghost::Bytes] {
            let mut cache = S3Fifo::new(40, 10, rule);
            (0..40).for_each(|id| assert!(!cache.access(id, 1)));
            assert_eq!(cache.remembered, (9, 9));
            assert!(place(&cache, 20) == Place::Out && place(&cache, 21) != Place::Out);
        }
    }

    #[test]
    fn what_does_not_fit_flushes_nothing() {
        let mut cache = full();
        assert!(!cache.access(NEW, 11) && !cache.access(NEW, 11));
        assert!((0..10).all(|id| cache.access(id, 1)));
        assert!(!cache.access(NEW, 10) && cache.access(NEW, 10), "it has the cache to itself");
    }
}
