//! `Loader`: a group and the closure that loads its keys, for those who embed the cache in a
//! program of their own. It drives a [`Group`] the way any frontend does; only that a waiter
//! waits here, in a spin loop, for there is nothing else that a crate without threads could do.

use core::{hint, mem};

use allocator_api2::{alloc::Global, vec::Vec};
use lock_api::{RawRwLock, RwLock};

use crate::{
    entry::{Memory, Value},
    error::{Error, LoadError},
    flight::{Asker, FlightId, Source, Waiter},
    group::{Group, Load},
    landing::Landed,
    lock::SpinLock,
    room,
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

/// The place of a waiter, and what landed for it.
enum Answer<A: Memory> {
    /// Nobody's place.
    Free,
    Awaited,
    Here(Result<Value<A>, Error>),
}

/// A group that loads what it lacks: see [`Group::with_getter`].
pub struct Loader<G, R: RawRwLock = SpinLock, A: Memory = Global> {
    pub(crate) group: Group<R, A>,
    getter: G,
    /// A place for each waiter, by its number, made before it waits: so a landing finds it there and
    /// needs no memory. There are as many as threads that ever waited at once.
    answers: RwLock<R, Vec<Answer<A>, A>>,
}

impl<R: RawRwLock, A: Memory> Group<R, A> {
    /// The group with a getter, to be asked synchronously.
    pub fn with_getter<G: Getter<A>>(self, getter: G) -> Loader<G, R, A> {
        let answers = RwLock::new(Vec::new_in(self.allocator.clone()));
        Loader { group: self, getter, answers }
    }
}

impl<G: Getter<A>, R: RawRwLock, A: Memory> Loader<G, R, A> {
    /// The value of a key: from memory, or from the getter, which is called once however many
    /// threads ask at the same time. The others spin until it is back; a getter that takes long
    /// under many threads is better driven through a [`Node`](crate::Node). When to give up is for the
    /// getter to say: the group's [`load_deadline`](crate::Limits::load_deadline) is not looked at. One
    /// that asks for its own key again waits for itself.
    ///
    /// A group without a lifetime may be given [`Instant::ZERO`] each time.
    ///
    /// # Errors
    /// What the getter says, to everyone who waited for it; [`Error::KeyTooLong`] and
    /// [`Error::Busy`] as the group's limits have it; [`Error::OutOfMemory`].
    pub fn get(&self, key: &[u8], now: Instant) -> Result<Value<A>, Error> {
        if let Some((value, _)) = self.group.hit(key, now) {
            return Ok(value);
        }
        let place = Place::new(self)?;
        match self.group.get(key, Asker::Client, Waiter(place.at as u64), now, || Source::Origin)? {
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
    at: usize,
}

impl<'a, G, R: RawRwLock, A: Memory> Place<'a, G, R, A> {
    fn new(loader: &'a Loader<G, R, A>) -> Result<Self, Error> {
        let mut answers = loader.answers.write();
        let free = answers.iter().position(|answer| matches!(answer, Answer::Free));
        let at = free.unwrap_or(answers.len());
        match answers.get_mut(at) {
            Some(place) => *place = Answer::Awaited,
            None => room::push(&mut answers, Answer::Awaited)?,
        }
        Ok(Self { loader, at })
    }

    fn wait(&self) -> Result<Value<A>, Error> {
        loop {
            if let Some(Answer::Here(answer)) = self.loader.answers.read().get(self.at) {
                return answer.clone();
            }
            // Who looks all the time keeps the one out who brings the answer.
            (0..LOOK_EVERY).for_each(|_| hint::spin_loop());
        }
    }
}

impl<G, R: RawRwLock, A: Memory> Drop for Place<'_, G, R, A> {
    fn drop(&mut self) {
        let mut answers = self.loader.answers.write();
        // The flight that named this place has landed: so the next one may have it.
        let left = answers.get_mut(self.at).map(|place| mem::replace(place, Answer::Free));
        // What may be the last handle of a value is not dropped under the lock.
        drop(answers);
        drop(left);
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
        for Waiter(waiter) in waiters {
            if let Some(place) = answers.get_mut(waiter as usize) {
                *place = Answer::Here(answer.clone());
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
