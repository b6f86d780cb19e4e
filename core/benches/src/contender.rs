//! The caches under test, behind one face, and the loops that drive them.

mod concurrent;
mod floor;
mod lists;
pub mod ours;

use std::{hint::black_box, sync::Mutex, time::Instant};

use gocache_core::SpinLock;
use lock_api::RawRwLock;

use crate::{
    args::Options,
    data::{Key, VALUE},
};

/// The one hasher of all.
pub type Hash = foldhash::fast::FixedState;

/// How much a cache shall hold.
#[derive(Clone, Copy)]
pub enum Room {
    /// That many entries, and then it evicts.
    Full(usize),
    /// That many without eviction: a cache of several shards gets an eighth more, for one of them
    /// always gets more than its share of the keys.
    Ample(usize),
}

impl Room {
    /// What to tell a cache that is one list.
    fn whole(self) -> usize {
        match self {
            Self::Full(entries) | Self::Ample(entries) => entries,
        }
    }

    /// What to tell a cache of shards.
    fn sharded(self) -> usize {
        match self {
            Self::Full(entries) => entries,
            Self::Ample(entries) => entries + entries / 8,
        }
    }
}

/// A cache for one thread. Keys and values come in as slices and are copied; a hit hands out a
/// counted handle, as to a server that goes on to write it into a socket.
pub trait Contender: Send + Sized {
    /// Its name in the tables.
    const NAME: &'static str;
    /// What a hit hands out.
    type Handle: AsRef<[u8]>;

    fn new(room: Room) -> Self;
    fn get(&mut self, key: &[u8]) -> Option<Self::Handle>;
    fn insert(&mut self, key: &[u8], value: &[u8]);
    /// Does what it put off.
    fn settle(&mut self) {}
    /// Bytes of memory that it says it holds.
    fn claimed(&self) -> Option<u64> {
        None
    }
}

/// A cache for several threads.
pub trait Shared: Send + Sync + Sized {
    /// As [`Contender::NAME`].
    const NAME: &'static str;
    /// As [`Contender::Handle`].
    type Handle: AsRef<[u8]>;

    fn new(room: Room) -> Self;
    fn get(&self, key: &[u8]) -> Option<Self::Handle>;
    fn insert(&self, key: &[u8], value: &[u8]);
    /// As [`Contender::settle`].
    fn settle(&self) {}
    /// As [`Contender::claimed`].
    fn claimed(&self) -> Option<u64> {
        None
    }
}

impl<S: Shared> Contender for S {
    const NAME: &'static str = S::NAME;
    type Handle = S::Handle;

    fn new(room: Room) -> Self {
        S::new(room)
    }

    fn get(&mut self, key: &[u8]) -> Option<Self::Handle> {
        S::get(self, key)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        S::insert(self, key, value);
    }

    fn settle(&mut self) {
        S::settle(self);
    }

    fn claimed(&self) -> Option<u64> {
        S::claimed(self)
    }
}

/// How anyone would share a cache that is not made for it. The handle is dropped outside the lock.
impl<C: Contender> Shared for Mutex<C> {
    const NAME: &'static str = C::NAME;
    type Handle = C::Handle;

    fn new(room: Room) -> Self {
        Self::new(C::new(room))
    }

    fn get(&self, key: &[u8]) -> Option<Self::Handle> {
        self.lock().expect("no contender panics").get(key)
    }

    fn insert(&self, key: &[u8], value: &[u8]) {
        self.lock().expect("no contender panics").insert(key, value);
    }
}

/// Reads the first byte of a value: a hit that nobody reads would spare a cache miss.
fn read(hit: &impl AsRef<[u8]>) -> bool {
    black_box(hit.as_ref()[0]) == VALUE[0]
}

/// What is left of some keys in a cache.
pub struct Present {
    pub entries: usize,
    /// Bytes of their keys and values.
    pub payload: usize,
}

/// The loops over a cache in one thread, each compiled for its contender.
pub trait Alone {
    /// Inserts these keys.
    fn fill(&mut self, keys: &[Key]);
    /// The same, noting the nanoseconds of each insert.
    fn fill_timed(&mut self, keys: &[Key], nanos: &mut Vec<u32>);
    /// Asks for these keys; says how many were there.
    fn hit(&mut self, keys: &[Key]) -> usize;
    /// The same of the keys with these indices.
    fn hit_boxed(&mut self, keys: &[Box<[u8]>], order: &[u32]) -> usize;
    /// Which of these keys are there.
    fn present(&mut self, keys: &[Key]) -> Present;
    /// See [`Contender::settle`].
    fn settle(&mut self);
    /// See [`Contender::claimed`].
    fn claimed(&self) -> Option<u64>;
}

impl<C: Contender> Alone for C {
    fn fill(&mut self, keys: &[Key]) {
        for key in keys {
            self.insert(key, &VALUE);
        }
    }

    fn fill_timed(&mut self, keys: &[Key], nanos: &mut Vec<u32>) {
        for key in keys {
            let start = Instant::now();
            self.insert(key, &VALUE);
            nanos.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }

    fn hit(&mut self, keys: &[Key]) -> usize {
        keys.iter().filter_map(|key| self.get(key)).filter(read).count()
    }

    fn hit_boxed(&mut self, keys: &[Box<[u8]>], order: &[u32]) -> usize {
        order.iter().filter_map(|&at| self.get(&keys[at as usize])).filter(read).count()
    }

    fn present(&mut self, keys: &[Key]) -> Present {
        let held = keys.iter().filter_map(|key| Some(key.len() + self.get(key)?.as_ref().len()));
        let (entries, payload) = held.fold((0, 0), |(n, sum), bytes| (n + 1, sum + bytes));
        Present { entries, payload }
    }

    fn settle(&mut self) {
        Contender::settle(self);
    }

    fn claimed(&self) -> Option<u64> {
        Contender::claimed(self)
    }
}

/// The loops over a cache that several threads share.
pub trait Crowd: Sync {
    fn fill(&self, keys: &[Key]);
    /// Asks for these keys; says how many were there.
    fn hit(&self, keys: &[Key]) -> usize;
    /// The same, noting the nanoseconds of every `step`th get.
    fn hit_sampled(&self, keys: &[Key], step: usize, nanos: &mut Vec<u32>) -> usize;
}

impl<S: Shared> Crowd for S {
    fn fill(&self, keys: &[Key]) {
        for key in keys {
            self.insert(key, &VALUE);
        }
        self.settle();
    }

    fn hit(&self, keys: &[Key]) -> usize {
        keys.iter().filter_map(|key| self.get(key)).filter(read).count()
    }

    fn hit_sampled(&self, keys: &[Key], step: usize, nanos: &mut Vec<u32>) -> usize {
        let mut hits = 0;
        for some in keys.chunks(step) {
            let Some((first, rest)) = some.split_first() else { continue };
            let start = Instant::now();
            hits += Crowd::hit(self, std::slice::from_ref(first));
            nanos.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
            hits += Crowd::hit(self, rest);
        }
        hits
    }
}

/// A contender before it is built.
pub struct Case {
    pub name: &'static str,
    pub alone: fn(Room) -> Box<dyn Alone>,
    pub crowd: fn(Room) -> Box<dyn Crowd>,
}

impl Case {
    fn single<C: Contender + 'static>() -> Self {
        Self {
            name: C::NAME,
            alone: |room| Box::new(C::new(room)),
            crowd: |room| Box::new(<Mutex<C> as Shared>::new(room)),
        }
    }

    /// Ours: a cache of one owner, and a group with locks of this kind.
    fn ours<N: ours::Named + 'static, R: RawRwLock + Send + Sync + 'static>(
        name: &'static str,
    ) -> Self {
        Self {
            name,
            alone: |room| Box::new(<ours::Alone<N> as Contender>::new(room)),
            crowd: |room| Box::new(<ours::Crowd<N, R> as Shared>::new(room)),
        }
    }

    fn shared<S: Shared + 'static>() -> Self {
        Self {
            name: <S as Shared>::NAME,
            alone: |room| Box::new(<S as Shared>::new(room)),
            crowd: |room| Box::new(<S as Shared>::new(room)),
        }
    }
}

/// The contenders in one thread: the kind of lock makes no difference there.
pub fn single_cases(options: &Options) -> Vec<Case> {
    let mut cases = cases(options);
    cases.retain(|case| !case.name.ends_with("parking"));
    cases
}

/// The contenders that the options ask for. The floor comes first, always.
pub fn cases(options: &Options) -> Vec<Case> {
    let mut cases = vec![
        Case::single::<floor::Floor>(),
        Case::ours::<ours::ByUse, SpinLock>("gocache"),
        Case::ours::<ours::ByQueues, SpinLock>("gocache s3"),
        Case::ours::<ours::BySize, SpinLock>("gocache s3 sized"),
        Case::ours::<ours::ByUse, parking_lot::RawRwLock>("gocache parking"),
        Case::ours::<ours::ByQueues, parking_lot::RawRwLock>("gocache s3 parking"),
        Case::single::<lists::Lru>(),
        Case::single::<lists::Hashlink>(),
        Case::single::<lists::Schnellru>(),
        Case::shared::<concurrent::Quick>(),
        Case::shared::<concurrent::Moka>(),
        Case::shared::<concurrent::Foyer>(),
    ];
    let mut first = true;
    cases.retain(|case| std::mem::take(&mut first) || options.wants(case.name));
    cases
}
