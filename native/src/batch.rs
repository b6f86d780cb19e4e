//! `Batch`: requests for values that are asked together, each the only one of its connection, and what
//! their answers need.

use gocache_core::{Error, Fetch, Get, GroupId, OutOfMemory, http::CacheStatus};

use crate::{
    answer::{Answer, Pending},
    asks::{Ask, Asks},
    http1::Wanted,
    memory::copied,
    meter::Outcome,
    plane::Reply,
    turn::Turn,
};

#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) asks: Asks,
    /// At the same places as the asks.
    asked: Vec<Asked>,
}

/// What a request has beside what is asked for it.
struct Asked {
    slot: usize,
    serial: u32,
    tags: Option<Box<[u8]>>,
    wanted: Option<Wanted>,
}

/// A request for a value, as far as its answer goes by it.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) serial: u32,
    pub(crate) group: GroupId,
    pub(crate) key: &'a [u8],
    /// Those of If-None-Match.
    pub(crate) tags: Option<&'a [u8]>,
    pub(crate) wanted: Option<&'a Wanted>,
}

impl Batch {
    /// # Errors
    /// If there is no memory for what the client has sent.
    pub(crate) fn push(
        &mut self,
        slot: usize,
        wish: Wish<'_>,
        ask: Ask<'_>,
    ) -> Result<(), OutOfMemory> {
        let Wish { serial, tags, wanted, .. } = wish;
        let tags = tags.map(copied).transpose()?.map(Into::into);
        self.asks.make_room(ask.key.len())?;
        self.asked.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.asks.push(ask);
        self.asked.push(Asked { slot, serial, tags, wanted: wanted.copied() });
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.asked.len()
    }

    /// The connections that have asked.
    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        self.asked.iter().map(|asked| asked.slot)
    }

    /// The request at this place, and whose it is.
    pub(crate) fn at(&self, at: usize) -> (usize, Wish<'_>) {
        let (Ask { group, key, .. }, asked) = (self.asks.at(at), &self.asked[at]);
        let (tags, wanted) = (asked.tags.as_deref(), asked.wanted.as_ref());
        (asked.slot, Wish { serial: asked.serial, group, key, tags, wanted })
    }

    pub(crate) fn clear(&mut self) {
        self.asks.clear();
        self.asked.clear();
    }
}

impl Wish<'_> {
    /// What comes of what the engine says. A load that is to be begun is put to `fetches`.
    #[inline(always)]
    pub(crate) fn reply(
        self,
        got: Result<Get, Error>,
        fetches: &mut Vec<Fetch>,
        turn: &Turn<'_>,
    ) -> Reply {
        let Self { serial, group, key, tags, wanted } = self;
        let cache = match got {
            Ok(Get::Hit(found)) => {
                turn.tally.hit(group);
                return Reply::Now(Answer::value(found, group, CacheStatus::Hit, tags, wanted));
            }
            Ok(Get::Wait) => CacheStatus::Collapsed,
            Ok(Get::Fetch(fetch)) => {
                fetches.push(fetch);
                CacheStatus::Miss
            }
            Err(error) => {
                turn.tally.answered(group, Outcome::Error, turn.clock.turn());
                return Reply::Now(Answer::error(error, key, CacheStatus::Miss));
            }
        };
        let copies = copied(key).and_then(|key| Ok((key, tags.map(copied).transpose()?)));
        let (key, tags) = match copies {
            Ok(copies) => copies,
            Err(error) => {
                // The load goes on, and nobody waits for it here.
                turn.tally.answered(group, Outcome::Error, turn.clock.turn());
                return Reply::Now(Answer::failed(error.into()));
            }
        };
        Reply::Later(Pending {
            serial,
            began: turn.clock.turn(),
            group,
            key: key.into(),
            if_none_match: tags.map(Into::into),
            wanted: wanted.copied(),
            cache,
        })
    }
}
