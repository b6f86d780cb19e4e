//! The pool of workers of one origin.

use std::{
    borrow::Cow,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use gocache_core::{Fetch, Load, LoadError};

use super::{Failure, Origin};
use crate::{locks::assert_none_held, memory::value};

/// Brings home what came of a load of the origin of this name.
pub(crate) type Land = Arc<dyn Fn(&str, Fetch, Ended) + Send + Sync>;

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<Load, LoadError>,
    /// For the log, where it went wrong.
    pub(crate) cause: Cow<'static, str>,
    pub(crate) took: Duration,
}

/// Threads that load, and the queue before them. They end when the pool is dropped and the loads
/// they are at come back.
#[derive(Debug)]
pub(crate) struct Pool(Sender<Job>);

/// A load that waits for a worker, and since when.
#[derive(Debug)]
struct Job {
    fetch: Fetch,
    queued: Instant,
}

/// What a worker has to know about its origin's loads.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) origin: String,
    /// After this long a load is given up, begun or not.
    pub(crate) patience: Duration,
}

impl Pool {
    /// Starts so many workers, each with an origin of its own.
    pub(crate) fn start<O: Origin>(
        workers: usize,
        queue: usize,
        terms: &Terms,
        origin: impl Fn() -> O + Clone + Send + 'static,
        land: &Land,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(queue);
        for number in 0..workers {
            let (receiver, land) = (receiver.clone(), Arc::clone(land));
            let (terms, origin) = (terms.clone(), origin.clone());
            let name = format!("{}-{number}", terms.origin);
            thread::Builder::new()
                .name(name)
                .spawn(move || work(&receiver, &terms, &origin, &land))?;
        }
        Ok(Self(sender))
    }

    /// Queues a load; gives it back if the queue is full.
    pub(crate) fn submit(&self, fetch: Fetch) -> Result<(), Fetch> {
        assert_none_held();
        self.0.try_send(Job { fetch, queued: Instant::now() }).map_err(|error| match error {
            TrySendError::Full(job) | TrySendError::Disconnected(job) => job.fetch,
        })
    }
}

fn work<O: Origin>(receiver: &Receiver<Job>, terms: &Terms, origin: &impl Fn() -> O, land: &Land) {
    let mut source = origin();
    loop {
        assert_none_held();
        let Ok(Job { fetch, queued }) = receiver.recv() else { return };
        // Nobody waits for it any more. To do it all the same would make the next ones late too.
        let waited = queued.elapsed();
        if waited >= terms.patience {
            let (result, cause) = (Err(LoadError::TimedOut), "no worker was free in time".into());
            land(&terms.origin, fetch, Ended { result, cause, took: waited });
            continue;
        }
        let began = Instant::now();
        let loaded = catch_unwind(AssertUnwindSafe(|| source.load(fetch.key())));
        if loaded.is_err() {
            // What it had in hands may be half done: the next load begins with a new one.
            source = origin();
        }
        let (result, cause) = outcome(loaded);
        land(&terms.origin, fetch, Ended { result, cause, took: began.elapsed() });
    }
}

fn outcome(
    loaded: thread::Result<Result<Option<Vec<u8>>, Failure>>,
) -> (Result<Load, LoadError>, Cow<'static, str>) {
    match loaded {
        Ok(Ok(Some(bytes))) => match value(&bytes) {
            Ok(value) => (Ok(value.into()), "".into()),
            Err(error) => (Err(error.into()), "there is no memory for the value".into()),
        },
        Ok(Ok(None)) => (Err(LoadError::NotFound), "".into()),
        Ok(Err(Failure(cause))) => (Err(LoadError::Failed), cause.into()),
        Err(_) => (Err(LoadError::Panicked), "the origin's code panicked".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, engine};
    use gocache_core::{Asker, Error, Get, GroupId, Landing, Source, Waiter};
    use std::sync::mpsc::channel;

    /// An origin that takes its time, and panics for some keys.
    struct Slow(Duration);

    impl Origin for Slow {
        fn load(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
            thread::sleep(self.0);
            assert!(!key.starts_with(b"panic"), "the origin's code has a bug");
            Ok(Some(key.to_vec()))
        }
    }

    /// Loads these keys with one worker; what came of each, in the order in which they landed.
    fn load(
        takes: Duration,
        patience: Duration,
        keys: &[&[u8]],
    ) -> Vec<Result<Vec<u8>, LoadError>> {
        let terms = Terms { origin: "slow".to_owned(), patience };
        let (sender, landed) = channel();
        let land: Land = Arc::new(move |_, _, ended| {
            drop(sender.send(ended.result.map(|load| load.value.to_vec())));
        });
        let pool = Pool::start(1, keys.len(), &terms, move || Slow(takes), &land);
        let pool = pool.expect("a thread more");
        drop(land);
        for (flight, key) in (1..).zip(keys) {
            let fetch = Fetch::from_parts(GroupId(0), flight, key, Source::Origin);
            let fetch = fetch.expect("memory for a key");
            pool.submit(fetch).expect("the queue has room");
        }
        drop(pool);
        landed.into_iter().collect()
    }

    #[test]
    fn a_load_that_nobody_waits_for_any_more_is_not_done() {
        let keys = [b"a".as_slice(), b"b", b"c", b"d", b"e", b"f"];
        let results = load(Duration::from_millis(300), Duration::from_millis(200), &keys);
        assert_eq!(results[0], Ok(b"a".to_vec()));
        assert_eq!(results[1..], [const { Err(LoadError::TimedOut) }; 5]);
    }

    #[test]
    fn panics_again_and_again_leave_nothing_behind() {
        const KEYS: u64 = 1_000;
        let text = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                    [groups.g]\norigin = \"o\"\nbudget = \"1 MiB\"\n";
        let config = Config::from_toml(text).expect("sound");
        let node = Arc::new(engine::node(&config).expect("memory"));
        let terms = Terms { origin: "buggy".to_owned(), patience: Duration::from_secs(60) };
        let (sender, landed) = channel();
        let land: Land = {
            let node = Arc::clone(&node);
            Arc::new(move |_, fetch, ended| {
                let landing = node.land(fetch, ended.result, gocache_core::Instant::ZERO);
                let Landing::Done(done) = landing else { panic!("it came from the origin") };
                drop(sender.send(done));
            })
        };
        let pool = Pool::start(2, KEYS as usize, &terms, || Slow(Duration::ZERO), &land);
        let pool = pool.expect("two threads more");
        drop(land);
        for number in 0..KEYS {
            let bad = number.is_multiple_of(10);
            let key = if bad { format!("panic {number}") } else { number.to_string() };
            let get = |waiter| {
                let (asker, now) = (Asker::Client, gocache_core::Instant::ZERO);
                node.get(GroupId(0), key.as_bytes(), asker, Waiter(waiter), now).expect("room")
            };
            let Get::Fetch(fetch) = get(2 * number) else { panic!("nobody loads it yet") };
            assert!(matches!(get(2 * number + 1), Get::Wait));
            pool.submit(fetch).expect("the queue has room");
        }
        drop(pool);
        let mut told = vec![0; 2 * KEYS as usize];
        for done in landed {
            for Waiter(waiter) in done.waiters {
                told[waiter as usize] += 1;
                let expected = (waiter / 2).is_multiple_of(10).then_some(Error::Panicked);
                assert_eq!(done.result.as_ref().err().copied(), expected);
            }
        }
        assert!(told.iter().all(|&times| times == 1), "everyone is told, once");
        let [stats] = node.groups().map(|(_, group)| group.stats()).collect::<Vec<_>>()[..] else {
            panic!("one group")
        };
        assert_eq!(
            (stats.flights, stats.load_errors, stats.entries),
            (0, KEYS / 10, KEYS * 9 / 10)
        );
    }

    #[test]
    fn a_panic_ends_one_load_and_no_worker() {
        let keys = [b"a".as_slice(), b"panic", b"b"];
        let results = load(Duration::ZERO, Duration::from_secs(60), &keys);
        assert_eq!(results[1], Err(LoadError::Panicked));
        assert_eq!(results[2], Ok(b"b".to_vec()));
    }
}
