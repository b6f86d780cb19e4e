//! What a run knows of its loads, and of who waits for them.

use gocache_core::{Asker, Fetch, Memory, Source, Waiter};

/// Loads that a run knows of at most.
pub(crate) const LOADS: usize = 16;
const WAITING: usize = 256;

/// A load in the air, or one that was given up.
pub(crate) struct Loading<A: Memory> {
    /// What the run holds of it, unless it was lost.
    pub(crate) fetch: Option<Fetch<A>>,
    pub(crate) key: usize,
    pub(crate) source: Source,
    began: u64,
    /// Whether the key was removed or stored meanwhile.
    pub(crate) is_outdated: bool,
    pub(crate) is_given_up: bool,
}

pub(crate) struct Loads<A: Memory> {
    all: Vec<Loading<A>>,
    waiting: Vec<Waiter>,
    asked: u64,
}

impl<A: Memory> Loads<A> {
    pub(crate) fn new() -> Self {
        Self { all: Vec::with_capacity(LOADS), waiting: Vec::with_capacity(WAITING), asked: 0 }
    }

    /// Another waiter, unless there are too many.
    pub(crate) fn next_waiter(&mut self) -> Option<Waiter> {
        self.asked += 1;
        let has_room = self.all.len() < LOADS && self.waiting.len() < WAITING;
        has_room.then_some(Waiter(self.asked))
    }

    /// Whether who asks for a key finds a load to wait for.
    pub(crate) fn is_loading(&self, key: usize, asker: Asker) -> bool {
        let joins = |load: &&Loading<A>| {
            let is_current = !load.is_outdated && !load.is_given_up;
            is_current && (asker == Asker::Client || load.source == Source::Origin)
        };
        self.all.iter().filter(joins).any(|load| load.key == key)
    }

    pub(crate) fn wait(&mut self, waiter: Waiter) {
        self.waiting.push(waiter);
    }

    pub(crate) fn open(&mut self, fetch: Fetch<A>, key: usize, began: u64) {
        let (is_outdated, is_given_up) = (false, false);
        let source = fetch.source();
        self.all.push(Loading { fetch: Some(fetch), key, source, began, is_outdated, is_given_up });
    }

    pub(crate) fn answered(&mut self, waiters: &[Waiter]) {
        for waiter in waiters {
            let at = self.waiting.iter().position(|other| other == waiter);
            self.waiting.swap_remove(at.expect("who is answered waits, and is answered once"));
        }
    }

    pub(crate) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// One of them, and its fetch.
    pub(crate) fn take(&mut self, which: usize) -> Option<(usize, Fetch<A>)> {
        let at = which.checked_rem(self.all.len())?;
        Some((at, self.all[at].fetch.take()?))
    }

    pub(crate) fn at(&mut self, at: usize) -> &mut Loading<A> {
        &mut self.all[at]
    }

    pub(crate) fn end(&mut self, at: usize) -> Loading<A> {
        self.all.swap_remove(at)
    }

    /// What is loaded for a key, or for any, may be older than what it is now.
    pub(crate) fn outdate(&mut self, key: Option<usize>) {
        let loads = self.all.iter_mut().filter(|load| key.is_none_or(|key| load.key == key));
        loads.for_each(|load| load.is_outdated = true);
    }

    /// A load that nobody will land.
    pub(crate) fn lose(&mut self, which: usize) {
        let Some((at, _)) = self.take(which) else { return };
        if self.all[at].is_given_up {
            self.all.swap_remove(at);
        }
    }

    /// Those that began so early were given up.
    pub(crate) fn give_up(&mut self, latest: u64) {
        for load in &mut self.all {
            load.is_given_up |= load.began <= latest;
        }
        self.all.retain(|load| !load.is_given_up || load.fetch.is_some());
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    /// Bytes of keys that the run alone holds, with so many for the head of each.
    pub(crate) fn own(&self, head: usize) -> usize {
        let given_up = self.all.iter().filter(|load| load.is_given_up);
        let keys = given_up.filter_map(|load| load.fetch.as_ref()).map(|fetch| fetch.key().len());
        keys.map(|len| head + len).sum()
    }
}
