//! The pool of workers of one origin.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use gocache_core::{Fetch, Load, LoadError, Value};

use super::{Failure, Origin};

/// Brings the outcome of a load back to the core.
pub(crate) type Land = Arc<dyn Fn(Fetch, Result<Load, LoadError>) + Send + Sync>;

/// Threads that load, and the queue before them. They end when the pool is dropped and the loads
/// they are at come back.
#[derive(Debug)]
pub(crate) struct Pool(SyncSender<Fetch>);

/// What the log says about the loads of an origin.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) origin: String,
    /// By the number of the group.
    pub(crate) groups: Arc<[String]>,
}

impl Pool {
    /// Starts so many workers, each with an origin of its own.
    pub(crate) fn start<O: Origin>(
        workers: usize,
        queue: usize,
        names: &Names,
        origin: impl Fn() -> O + Clone + Send + 'static,
        land: &Land,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..workers {
            let (receiver, land) = (Arc::clone(&receiver), Arc::clone(land));
            let (names, origin) = (names.clone(), origin.clone());
            let name = format!("{}-{number}", names.origin);
            thread::Builder::new()
                .name(name)
                .spawn(move || work(&receiver, &names, &origin, &land))?;
        }
        Ok(Self(sender))
    }

    /// Queues a load; gives it back if the queue is full.
    pub(crate) fn submit(&self, fetch: Fetch) -> Result<(), Fetch> {
        self.0.try_send(fetch).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(fetch)
            | std::sync::mpsc::TrySendError::Disconnected(fetch) => fetch,
        })
    }
}

fn work<O: Origin>(
    receiver: &Mutex<Receiver<Fetch>>,
    names: &Names,
    origin: &impl Fn() -> O,
    land: &Land,
) {
    let mut source = origin();
    loop {
        // A poisoned lock would mean that `recv` panicked; the receiver would be as good as before.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(fetch) = next else { return };
        let began = Instant::now();
        let result = match catch_unwind(AssertUnwindSafe(|| source.load(fetch.key()))) {
            Ok(result) => result,
            Err(_) => {
                // What it had in hands may be half done: the next load begins with a new one.
                source = origin();
                log(names, &fetch, "panicked", "the origin's code panicked", began);
                land(fetch, Err(LoadError::Panicked));
                continue;
            }
        };
        match result {
            Ok(Some(bytes)) => {
                log(names, &fetch, "found", "", began);
                land(fetch, Ok(Value::from(bytes.as_slice()).into()));
            }
            Ok(None) => {
                log(names, &fetch, "not found", "", began);
                land(fetch, Err(LoadError::NotFound));
            }
            Err(Failure(cause)) => {
                log(names, &fetch, "failed", &cause, began);
                land(fetch, Err(LoadError::Failed));
            }
        }
    }
}

fn log(names: &Names, fetch: &Fetch, outcome: &str, cause: &str, began: Instant) {
    let group = &names.groups[usize::from(fetch.group().0)];
    crate::log::load(&names.origin, group, fetch.key(), outcome, cause, began.elapsed());
}
