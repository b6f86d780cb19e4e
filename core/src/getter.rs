//! `Loader`: a group and the closure that loads its keys, for those who embed the cache in a
//! program of their own. It drives a [`Group`] the way any frontend does; only that a waiter
//! waits here, in a spin loop, for there is nothing else that a crate without threads could do.

use core::{
    hint,
    sync::atomic::{AtomicUsize, Ordering},
};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use spin::Mutex;

use crate::{
    error::{Error, LoadError},
    flight::{Asker, FlightId, Source, Waiter},
    group::Group,
    key::Key,
    shard::{Got, Landed},
    time::Instant,
    value::Value,
};

/// Loads the value of a key from the source of truth. Any closure of this shape is one.
pub trait Getter {
    /// The value of a key.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] if there is no such key; else what kept the source from answering.
    fn get(&self, key: &[u8]) -> Result<Value, LoadError>;
}

impl<F: Fn(&[u8]) -> Result<Value, LoadError>> Getter for F {
    fn get(&self, key: &[u8]) -> Result<Value, LoadError> {
        self(key)
    }
}

/// A group that loads what it lacks: see [`Group::with_getter`].
pub struct Loader<G> {
    group: Group,
    getter: G,
    asked: AtomicUsize,
    /// What landed for waiters that have yet to notice.
    answers: Mutex<HashMap<Waiter, Result<Value, Error>, FixedState>>,
}

impl Group {
    /// The group with a getter, to be asked synchronously.
    pub fn with_getter<G: Getter>(self, getter: G) -> Loader<G> {
        Loader { group: self, getter, asked: AtomicUsize::new(0), answers: Mutex::default() }
    }
}

impl<G: Getter> Loader<G> {
    /// The value of a key: from memory, or from the getter, which is called once however many
    /// threads ask at the same time. The others spin until it is back; a getter that takes long
    /// under many threads is better driven through a [`Node`](crate::Node).
    ///
    /// A group without a lifetime may be given [`Instant::ZERO`] each time.
    ///
    /// # Errors
    /// What the getter says, to everyone who waited for it; [`Error::KeyTooLong`] and
    /// [`Error::Busy`] as the group's limits have it.
    pub fn get(&self, key: &[u8], now: Instant) -> Result<Value, Error> {
        let waiter = Waiter(self.asked.fetch_add(1, Ordering::Relaxed) as u64);
        match self.group.get(key, Asker::Client, waiter, now, || Source::Origin)? {
            Got::Hit(value, _) => Ok(value),
            Got::Wait => self.wait(waiter),
            Got::Lead(flight, key, _) => {
                let call = Call { loader: self, flight, key, waiter, now, landed: false };
                let result = self.getter.get(&call.key);
                call.land(result)
            }
        }
    }

    /// The group behind it, for its counters and to remove keys.
    pub const fn group(&self) -> &Group {
        &self.group
    }

    fn wait(&self, waiter: Waiter) -> Result<Value, Error> {
        loop {
            if let Some(answer) = self.answers.lock().remove(&waiter) {
                return answer;
            }
            hint::spin_loop();
        }
    }
}

/// The leader's call of the getter. However it ends, by a panic too, everyone who waits for it is
/// answered.
struct Call<'a, G> {
    loader: &'a Loader<G>,
    flight: FlightId,
    key: Key,
    waiter: Waiter,
    now: Instant,
    landed: bool,
}

impl<G> Call<'_, G> {
    fn land(mut self, result: Result<Value, LoadError>) -> Result<Value, Error> {
        self.landed = true;
        self.tell(result.as_ref().map_err(|&error| error));
        result.map_err(Error::from)
    }

    fn tell(&self, result: Result<&Value, LoadError>) {
        let Self { loader, flight, ref key, waiter, now, .. } = *self;
        let landed = loader.group.land(key, flight, Source::Origin, result, now);
        if let Landed::Done(waiters) = landed {
            let mut answers = loader.answers.lock();
            for other in waiters.into_iter().filter(|&other| other != waiter) {
                answers.insert(other, result.cloned().map_err(Error::from));
            }
        }
    }
}

impl<G> Drop for Call<'_, G> {
    fn drop(&mut self) {
        if !self.landed {
            self.tell(Err(LoadError::Panicked));
        }
    }
}

#[cfg(test)]
#[path = "getter_tests.rs"]
mod tests;
