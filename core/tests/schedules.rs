//! A node under threads, in one after another of many orders: every lock is a place where another
//! thread may go on. Nothing that was removed comes back, nobody waits for ever, and of all who
//! want a key one loads it.

#[path = "script/turns.rs"]
mod turns;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use gocache_core::{
    Asker, Done, Error, Eviction, Fetch, Get, Global, Group, GroupId, Instant, Landing, Limits,
    LoadError, Loader, Node, PeerId, Ring, Seed, Settings, Value, Waiter,
};
use shuttle::{
    check_pct, check_random,
    rand::{Rng, thread_rng},
    thread,
};
use turns::Turns;

const GROUP: GroupId = GroupId(0);
const KEYS: usize = 3;
const NOW: Instant = Instant::from_millis(1_000);
const LATE: Instant = Instant::from_millis(60_000);

/// Who asked for what, and how old an answer may be.
struct Asked {
    key: usize,
    floor: u32,
    answers: usize,
    /// Whether the node keeps the waiter. Known once `get` has returned.
    waits: bool,
}

/// A load between `get` and `land`, and how many removals had ended when it was asked for.
struct Loading {
    fetch: Fetch,
    key: usize,
    asker: Asker,
    removals: usize,
}

/// What is known of the outside world. Never locked across a step of the schedule.
#[derive(Default)]
struct Books {
    /// The version of each key at the origin, and the oldest that may still be a hit.
    version: [u32; KEYS],
    floor: [u32; KEYS],
    /// Removals that were begun and ended: after one, a second load of the key may begin.
    begun: [usize; KEYS],
    ended: [usize; KEYS],
    asked: HashMap<Waiter, Asked>,
    loads: Vec<Loading>,
}

struct World {
    node: Node<Turns>,
    books: Mutex<Books>,
    /// One change of the origin at a time, with what follows from it.
    writing: shuttle::sync::Mutex<()>,
}

fn bytes(key: usize, version: u32) -> Vec<u8> {
    let mut bytes = vec![key as u8; 20 + version as usize % 7 * 40];
    bytes[1..5].copy_from_slice(&version.to_le_bytes());
    bytes
}

fn version(key: usize, value: &[u8]) -> u32 {
    let version = value[1..].first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let version = version.expect("a value has a version");
    assert_eq!(value, bytes(key, version), "the bytes of another key or version");
    version
}

fn group(settings: Settings) -> Group<Turns> {
    Group::new_in("scores", settings, Seed::new(7), Global).expect("memory")
}

impl World {
    fn new(eviction: Eviction, shards: u16) -> Self {
        let limits = Limits { flights: 4, waiters: 3, ..Limits::default() };
        let settings = Settings { budget: BUDGET, eviction, shards, limits, ..Settings::default() };
        let mut node = Node::new_in(Global);
        node.add(group(settings)).expect("the first one");
        node.join(Ring::new(&["one", "two"]).expect("two names"), PeerId(0));
        let (books, writing) = (Mutex::default(), shuttle::sync::Mutex::new(()));
        Self { node, books, writing }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panicked")
    }

    fn group(&self) -> &Group<Turns> {
        self.node.group(GROUP).expect("the only group")
    }

    /// Asks for a key, and holds what is there.
    fn get(&self, key: usize, asker: Asker) -> Option<(u32, Value)> {
        let (waiter, floor, removals) = {
            let mut books = self.books();
            let waiter = Waiter(books.asked.len() as u64);
            let floor = books.floor[key];
            books.asked.insert(waiter, Asked { key, floor, answers: 0, waits: false });
            (waiter, floor, books.ended[key])
        };
        let got = self.node.get(GROUP, &[key as u8], asker, waiter, NOW);
        let mut books = self.books();
        let asked = books.asked.get_mut(&waiter).expect("asked above");
        asked.waits = matches!(got, Ok(Get::Wait | Get::Fetch(_)));
        match got {
            Ok(Get::Hit(found)) => {
                let version = version(key, &found.value);
                assert!(version >= floor, "key {key}: version {version} was removed");
                Some((version, found.value))
            }
            Ok(Get::Wait) => None,
            Ok(Get::Fetch(fetch)) => {
                let unremoved = books.begun[key];
                let is_second = |load: &Loading| {
                    (load.key, load.asker, load.removals) == (key, Asker::Client, unremoved)
                };
                let is_second = asker == Asker::Client && books.loads.iter().any(is_second);
                assert!(!is_second, "two loads of key {key} at a time");
                books.loads.push(Loading { fetch, key, asker, removals });
                None
            }
            Err(error) => {
                assert_eq!(error, Error::Busy);
                None
            }
        }
    }

    /// Does one of the loads that are to be done. Says whether there was one.
    fn load(&self) -> bool {
        let (load, read) = {
            let mut books = self.books();
            let Some(last) = books.loads.len().checked_sub(1) else { return false };
            let load = books.loads.swap_remove(thread_rng().gen_range(0..=last));
            let read = books.version[load.key];
            (load, read)
        };
        thread::yield_now();
        let Loading { fetch, key, asker, removals } = load;
        let brought = match thread_rng().gen_range(0..6) {
            0 => Err(LoadError::PeerDown),
            1 => Err(LoadError::NotFound),
            _ => Ok(Value::new(&bytes(key, read)).expect("memory").into()),
        };
        let failed = brought.as_ref().err().copied();
        match self.node.land(fetch, brought, NOW) {
            Landing::Refetch(fetch) => {
                self.books().loads.push(Loading { fetch, key, asker, removals });
            }
            Landing::Done(done) => {
                match &done.result {
                    Ok(found) => assert_eq!(version(key, &found.value), read),
                    Err(error) => assert_eq!(Some(*error), failed.map(Error::from)),
                }
                self.answer(&done);
            }
        }
        true
    }

    /// Everyone who waited is told, once, and nothing that is older than what he asked for.
    fn answer(&self, done: &Done) {
        let mut books = self.books();
        for waiter in &done.waiters {
            let asked = books.asked.get_mut(waiter).expect("nobody else waits");
            asked.answers += 1;
            if let Ok(found) = &done.result {
                assert!(version(asked.key, &found.value) >= asked.floor, "an outdated answer");
            }
        }
    }

    /// Changes a key at the origin, and then puts it here or removes it.
    fn write(&self, key: usize, puts: bool) {
        let writing = self.writing.lock().expect("nobody panicked");
        let version = {
            let mut books = self.books();
            books.version[key] += 1;
            books.begun[key] += 1;
            books.version[key]
        };
        if puts {
            let stored = self.group().insert(&[key as u8], &bytes(key, version), None, NOW);
            assert!(stored.is_ok(), "there is room, once others make it");
        } else {
            self.node.remove(GROUP, &[key as u8], NOW);
        }
        let mut books = self.books();
        books.floor[key] = version;
        books.ended[key] += 1;
        drop(books);
        drop(writing);
    }

    fn flush(&self) {
        let writing = self.writing.lock().expect("nobody panicked");
        let versions = {
            let mut books = self.books();
            books.version.iter_mut().for_each(|version| *version += 1);
            books.begun.iter_mut().for_each(|removals| *removals += 1);
            books.version
        };
        self.group().flush();
        let mut books = self.books();
        books.floor = versions;
        books.ended.iter_mut().for_each(|removals| *removals += 1);
        drop(books);
        drop(writing);
    }

    /// Gives up a load, as if its deadline had passed.
    fn give_up(&self) -> bool {
        self.books().begun.iter_mut().for_each(|removals| *removals += 1);
        let done = self.node.overdue(LATE);
        self.books().ended.iter_mut().for_each(|removals| *removals += 1);
        done.iter().for_each(|done| self.answer(done));
        done.is_some()
    }

    /// What one thread does.
    fn run(&self, steps: usize) {
        let mut held = None;
        for _ in 0..steps {
            let key = thread_rng().gen_range(0..KEYS);
            match thread_rng().gen_range(0..16) {
                0..=5 => held = self.get(key, Asker::Client).map(|found| (key, found)).or(held),
                6 => held = self.get(key, Asker::Peer).map(|found| (key, found)).or(held),
                7..=11 => drop(self.load()),
                12 => self.write(key, false),
                13 => self.write(key, true),
                14 => self.flush(),
                _ => drop(self.give_up()),
            }
        }
        if let Some((key, (read, value))) = held {
            assert_eq!(version(key, &value), read, "what is held does not change");
        }
    }

    /// After all threads: nothing is left over.
    fn finish(&self) {
        self.group().check();
        while self.load() {}
        while self.give_up() {}
        for (waiter, asked) in &self.books().asked {
            assert_eq!(asked.answers, usize::from(asked.waits), "{waiter:?} of key {}", asked.key);
        }
        // Each look collects some of what was lent.
        (0..20).for_each(|_| assert!(!self.give_up()));
        let stats = self.group().stats();
        assert_eq!((stats.lent_bytes, stats.flights), (0, 0));
        self.group().check();
    }
}

/// Room for two or three of the larger values beside the tables.
const BUDGET: usize = 2_300;

fn threads(eviction: Eviction, shards: u16) -> impl Fn() + Send + Sync + 'static {
    move || {
        let world = Arc::new(World::new(eviction, shards));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || world.run(6))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        world.finish();
    }
}

const ORDERS: usize = 4_000;

#[test]
fn a_node_keeps_its_promises_in_random_orders() {
    for (eviction, shards) in [(Eviction::Lru, 1), (Eviction::Lru, 2), (Eviction::S3Fifo, 1)] {
        check_random(threads(eviction, shards), ORDERS);
    }
}

#[test]
fn a_node_keeps_its_promises_where_few_threads_are_held_up_for_long() {
    for (eviction, shards) in [(Eviction::Lru, 1), (Eviction::S3Fifo, 2), (Eviction::SizeAware, 1)]
    {
        check_pct(threads(eviction, shards), ORDERS, 4);
    }
}

/// Threads that ask for one key at a time call the getter once, unless it went meanwhile.
#[test]
fn a_getter_is_called_once_for_all_who_wait() {
    let run = || {
        let group = group(Settings { budget: BUDGET, ..Settings::default() });
        let calls = Arc::new(Mutex::new(0));
        let count = calls.clone();
        let loader: Arc<Loader<_, Turns>> = Arc::new(group.with_getter(move |key: &[u8]| {
            *count.lock().expect("nobody panicked") += 1;
            thread::yield_now();
            Ok(Value::new(key)?)
        }));
        let threads = [0, 1].map(|_| {
            let loader = loader.clone();
            thread::spawn(move || loader.get(b"Tom", NOW).map(|value| value.to_vec()))
        });
        assert_eq!(loader.get(b"Tom", NOW).as_deref(), Ok(&b"Tom"[..]));
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), Ok(b"Tom".to_vec()));
        }
        assert_eq!(*calls.lock().expect("nobody panicked"), 1);
        assert_eq!(loader.group().stats().flights, 0);
        loader.group().check();
    };
    check_random(run, ORDERS);
}

/// More flushes at once than an entry can tell generations apart: what they forget is given back, and
/// nobody holds it.
#[test]
fn many_flushes_at_once_lend_nothing() {
    let run = || {
        let group = Arc::new(group(Settings { budget: 64 << 10, ..Settings::default() }));
        let put = |key: u8| group.insert(&[key], &[7; 50], None, NOW).expect("it fits");
        (0..200).for_each(put);
        let together = Arc::new(shuttle::sync::Barrier::new(60));
        let flush = |_| {
            let (group, together) = (group.clone(), together.clone());
            thread::spawn(move || {
                together.wait();
                group.flush();
                assert_eq!(group.stats().lent_bytes, 0);
            })
        };
        let threads: Vec<_> = (0..60).map(flush).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert!(!(0..200_u8).any(|key| group.remove(&[key], NOW)));
        (0..200).for_each(put);
        group.check();
    };
    check_random(run, 20);
}
