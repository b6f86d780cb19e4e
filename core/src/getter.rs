//! `Loader`: a group and the closure that loads its keys, for those who embed the cache in a
//! program of their own. It drives a [`Group`] the way any frontend does; only that a waiter
//! waits here, in a spin loop, for there is nothing else that a crate without threads could do.

use core::{
    hint,
    sync::atomic::{AtomicUsize, Ordering},
};

use allocator_api2::alloc::Global;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use lock_api::{RawRwLock, RwLock};

use crate::{
    entry::{Memory, Value},
    error::{Error, LoadError},
    flight::{Asker, FlightId, Source, Waiter},
    group::{Group, Load, SpinLock},
    landing::Landed,
    shard::Got,
    time::Instant,
};

/// Loads the value of a key from the source of truth. Any closure of this shape is one.
pub trait Getter<A: Memory = Global> {
    /// The value of a key.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] if there is no such key; else what kept the source from answering.
    fn get(&self, key: &[u8]) -> Result<Value<A>, LoadError>;
}

impl<A: Memory, F: Fn(&[u8]) -> Result<Value<A>, LoadError>> Getter<A> for F {
    fn get(&self, key: &[u8]) -> Result<Value<A>, LoadError> {
        self(key)
    }
}

/// What landed for a waiter, once it has.
type Answer<A> = Option<Result<Value<A>, Error>>;

/// A group that loads what it lacks: see [`Group::with_getter`].
pub struct Loader<G, R: RawRwLock = SpinLock, A: Memory = Global> {
    group: Group<R, A>,
    getter: G,
    asked: AtomicUsize,
    /// A place for each waiter, made before it waits: so a landing finds it there and needs no
    /// memory.
    answers: RwLock<R, HashMap<Waiter, Answer<A>, FixedState, A>>,
}

impl<R: RawRwLock, A: Memory> Group<R, A> {
    /// The group with a getter, to be asked synchronously.
    pub fn with_getter<G: Getter<A>>(self, getter: G) -> Loader<G, R, A> {
        let allocator = self.allocator.clone();
        let answers = HashMap::with_hasher_in(FixedState::default(), allocator);
        Loader { group: self, getter, asked: AtomicUsize::new(0), answers: RwLock::new(answers) }
    }
}

impl<G: Getter<A>, R: RawRwLock, A: Memory> Loader<G, R, A> {
    /// The value of a key: from memory, or from the getter, which is called once however many
    /// threads ask at the same time. The others spin until it is back; a getter that takes long
    /// under many threads is better driven through a [`Node`](crate::Node). A getter that asks for
    /// its own key again waits for itself.
    ///
    /// A group without a lifetime may be given [`Instant::ZERO`] each time.
    ///
    /// # Errors
    /// What the getter says, to everyone who waited for it; [`Error::KeyTooLong`] and
    /// [`Error::Busy`] as the group's limits have it; [`Error::OutOfMemory`].
    pub fn get(&self, key: &[u8], now: Instant) -> Result<Value<A>, Error> {
        if let Some(value) = self.group.hit(key, now) {
            return Ok(value);
        }
        let waiter = Waiter(self.asked.fetch_add(1, Ordering::Relaxed) as u64);
        let place = Place::new(self, waiter)?;
        match self.group.get(key, Asker::Client, waiter, now, || Source::Origin)? {
            Got::Hit((value, _)) => Ok(value),
            Got::Wait => place.wait(),
            Got::Lead(flight, key, _) => {
                let call = Call { loader: self, flight, key, now, is_landed: false };
                let result = self.getter.get(&call.key);
                call.land(result)
            }
        }
    }

    /// The group behind it, for its counters and to remove keys.
    pub const fn group(&self) -> &Group<R, A> {
        &self.group
    }
}

/// Spins between two looks at an answer.
const LOOK_EVERY: usize = 200;

/// A waiter's place among the answers.
struct Place<'a, G, R: RawRwLock, A: Memory> {
    loader: &'a Loader<G, R, A>,
    waiter: Waiter,
}

impl<'a, G, R: RawRwLock, A: Memory> Place<'a, G, R, A> {
    fn new(loader: &'a Loader<G, R, A>, waiter: Waiter) -> Result<Self, Error> {
        let mut answers = loader.answers.write();
        answers.try_reserve(1).map_err(|_| Error::OutOfMemory)?;
        answers.insert(waiter, None);
        Ok(Self { loader, waiter })
    }

    fn wait(&self) -> Result<Value<A>, Error> {
        loop {
            if let Some(Some(answer)) = self.loader.answers.read().get(&self.waiter) {
                return answer.clone();
            }
            // Who looks all the time keeps the one out who brings the answer.
            (0..LOOK_EVERY).for_each(|_| hint::spin_loop());
        }
    }
}

impl<G, R: RawRwLock, A: Memory> Drop for Place<'_, G, R, A> {
    fn drop(&mut self) {
        self.loader.answers.write().remove(&self.waiter);
    }
}

/// The leader's call of the getter. However it ends, by a panic too, everyone who waits for it is
/// answered.
struct Call<'a, G, R: RawRwLock, A: Memory> {
    loader: &'a Loader<G, R, A>,
    flight: FlightId,
    key: Value<A>,
    now: Instant,
    is_landed: bool,
}

impl<G, R: RawRwLock, A: Memory> Call<'_, G, R, A> {
    fn land(mut self, result: Result<Value<A>, LoadError>) -> Result<Value<A>, Error> {
        self.is_landed = true;
        self.tell(result)
    }

    /// Lands the load, and tells whoever waits what came of it.
    fn tell(&self, result: Result<Value<A>, LoadError>) -> Result<Value<A>, Error> {
        let Self { loader, flight, ref key, now, .. } = *self;
        let result = result.map(Load::from);
        let landed = loader.group.land(key, flight, Source::Origin, result, now);
        let Landed::Done(waiters, result) = landed else { return Err(Error::Failed) };
        let answer = result.map(|found| found.value).map_err(Error::from);
        let mut answers = loader.answers.write();
        for waiter in waiters {
            if let Some(place) = answers.get_mut(&waiter) {
                *place = Some(answer.clone());
            }
        }
        answer
    }
}

impl<G, R: RawRwLock, A: Memory> Drop for Call<'_, G, R, A> {
    fn drop(&mut self) {
        if !self.is_landed {
            // It panicked: who called the getter unwinds, and who waits is told.
            let _unwinds = self.tell(Err(LoadError::Panicked));
        }
    }
}

#[cfg(test)]
#[path = "getter_tests.rs"]
mod tests;
