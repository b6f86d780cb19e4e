//! Several requests for values that an engine is asked in one call, and what it says of each.

use std::time::Duration;

use gocache_core::{Asker, Error, Found, Get, GroupId, OutOfMemory, Value, Waiter};

use crate::{output::INLINE, reserve::fallibly};

/// A request for the value of a key.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The group.
    pub group: GroupId,
    /// The key in it.
    pub key: &'a [u8],
    /// Who asks.
    pub asker: Asker,
    /// Who waits, if the value is not there.
    pub waiter: Waiter,
}

/// Requests in their order. Emptied, they keep their memory for the next ones.
#[derive(Debug, Default)]
pub struct Asks {
    asks: Vec<Keyless>,
    /// The keys, one behind the other.
    keys: Vec<u8>,
}

/// A request whose key ends there among all keys.
#[derive(Clone, Copy, Debug)]
struct Keyless {
    group: GroupId,
    key_end: usize,
    asker: Asker,
    waiter: Waiter,
}

/// What an engine says of a request.
#[derive(Debug)]
pub enum Said<'a> {
    /// The value is there. The bytes are lent for as long as the engine tells of it.
    Lent(Lent<'a>),
    /// As [`Engine::get`](crate::Engine::get) says it.
    Got(Get),
}

/// A value as it lies in an engine.
#[derive(Clone, Copy, Debug)]
pub struct Lent<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// See [`Value::digest`](gocache_core::Value::digest).
    pub digest: u64,
    /// See [`Found`](gocache_core::Found).
    pub age: Option<Duration>,
}

impl Said<'_> {
    /// The same for as long as it is needed: what is lent is copied.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn kept(self) -> Result<Get, Error> {
        match self {
            Self::Got(got) => Ok(got),
            Self::Lent(Lent { bytes, digest, age }) => {
                let value = Value::with_digest(bytes, digest)?;
                Ok(Get::Hit(Found { value, age }))
            }
        }
    }
}

impl Lent<'_> {
    /// Whether it is copied behind its head in any case.
    pub(crate) fn is_short(&self) -> bool {
        self.bytes.len() <= INLINE
    }
}

impl Asks {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asks.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asks.len()
    }

    /// Makes room for a key of this length.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub(crate) fn make_room(&mut self, key_len: usize) -> Result<(), OutOfMemory> {
        let room = fallibly(|| {
            self.keys.try_reserve(key_len)?;
            self.asks.try_reserve(1)
        });
        room.map_err(|_| OutOfMemory)
    }

    /// As [`Asks::push`], where memory may be short.
    ///
    /// # Errors
    /// If there is none for it.
    pub fn try_push(&mut self, ask: Ask<'_>) -> Result<(), OutOfMemory> {
        self.make_room(ask.key.len())?;
        self.push(ask);
        Ok(())
    }

    /// Puts one behind the others.
    pub fn push(&mut self, ask: Ask<'_>) {
        let Ask { group, key, asker, waiter } = ask;
        self.keys.extend_from_slice(key);
        self.asks.push(Keyless { group, key_end: self.keys.len(), asker, waiter });
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Ask<'_>> + Clone {
        (0..self.asks.len()).map(|at| self.at(at))
    }

    /// The one at this place, of which there is one.
    #[must_use]
    pub fn at(&self, at: usize) -> Ask<'_> {
        let Keyless { group, key_end, asker, waiter } = self.asks[at];
        let start = at.checked_sub(1).map_or(0, |before| self.asks[before].key_end);
        Ask { group, key: &self.keys[start..key_end], asker, waiter }
    }

    /// Those at these places.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn pick(&self, places: impl IntoIterator<Item = usize>) -> Result<Self, OutOfMemory> {
        let mut picked = Self::default();
        places.into_iter().try_for_each(|place| picked.try_push(self.at(place)))?;
        Ok(picked)
    }

    /// All keys, one behind the other.
    #[must_use]
    pub fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// Takes all of them out.
    pub fn clear(&mut self) {
        self.asks.clear();
        self.keys.clear();
    }
}

impl<'a> FromIterator<Ask<'a>> for Asks {
    fn from_iter<I: IntoIterator<Item = Ask<'a>>>(all: I) -> Self {
        let mut asks = Self::default();
        all.into_iter().for_each(|ask| asks.push(ask));
        asks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_comes_out_as_it_went_in() {
        let mut asks = Asks::default();
        for _ in 0..2 {
            let keys: [&[u8]; 4] = [b"Tom", b"", b"a longer one", b"Tom"];
            for (number, key) in (0_u16..).zip(keys) {
                let waiter = Waiter(number.into());
                asks.push(Ask { group: GroupId(number), key, asker: Asker::Peer, waiter });
            }
            let out = asks.iter().map(|it| (it.group.0, it.key, it.waiter.0)).collect::<Vec<_>>();
            assert_eq!(out, [(0, keys[0], 0), (1, keys[1], 1), (2, keys[2], 2), (3, keys[3], 3)]);
            assert_eq!(asks.keys(), b"Toma longer oneTom");
            let picked = asks.pick([3, 2]).expect("memory for two");
            assert_eq!(picked.iter().map(|it| it.waiter.0).collect::<Vec<_>>(), [3, 2]);
            assert_eq!(picked.keys(), b"Toma longer one");
            asks.clear();
            assert!(asks.is_empty() && asks.iter().len() == 0);
        }
    }
}
