//! `State`: the node of this instance and its verbs, each one the core's method of that name; and
//! what the last answer points to.

use alloc::{
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::mem;

use gocache_core::{
    AddError, Asker, Error, Get, Global, GroupId, Instant, Landing, LoadError, PeerId, Ring, Seed,
    SpinLock, Value, Waiter,
};
use spin::Mutex;

use crate::{
    abi::{self, GroupSettings, List, Maybe, Misuse, Outcome, Wrong},
    convert::{self, Brought, Ticket},
};

type Group = gocache_core::Group<SpinLock>;
type Node = gocache_core::Node<SpinLock, Global, Arc<Group>>;

/// That of this instance. Its one thread never waits for it.
pub(crate) static STATE: Mutex<State> = Mutex::new(State {
    node: None,
    value: None,
    kept: Kept::Nothing,
    hits: Vec::new(),
    values: Vec::new(),
    answers: Vec::new(),
    others: Vec::new(),
});

pub(crate) struct State {
    node: Option<Node>,
    /// What the last hit points to.
    value: Option<Value>,
    /// What the last answer of another kind points to.
    kept: Kept,
    /// What the last list of hits consists of, and points to.
    hits: Vec<Maybe<abi::Found>>,
    values: Vec<Value>,
    /// The same of the last list of answers.
    answers: Vec<Verdict>,
    others: Vec<Kept>,
}

/// Requests of one call, as most hosts have them.
const USUAL: usize = 1_024;

/// The answer to a `get`.
type Verdict = Outcome<abi::Answer, abi::Error>;

/// What an answer points to, until the next call.
enum Kept {
    Nothing,
    Value { _value: Value },
    Fetch { _fetch: gocache_core::Fetch },
    Done { _done: gocache_core::Done },
    Counters { _counters: Vec<Maybe<abi::Counters>> },
    Text { _text: String },
}

/// What `configure` is told. `text` reads a list among it.
pub(crate) struct Configuration<'a> {
    pub(crate) groups: &'a [Maybe<GroupSettings>],
    pub(crate) ring: Option<(&'a [List<u8>], PeerId)>,
    pub(crate) seed: u64,
    pub(crate) text: &'a dyn Fn(&List<u8>) -> &'a [u8],
}

impl State {
    /// Lets go of what the last answer pointed to.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.value = None;
        let keeps_one = !matches!(self.kept, Kept::Nothing);
        if keeps_one || !self.hits.is_empty() || !self.answers.is_empty() {
            self.forget_more();
        }
    }

    #[inline(never)]
    fn forget_more(&mut self) {
        self.kept = Kept::Nothing;
        self.hits.clear();
        self.values.clear();
        self.answers.clear();
        self.others.clear();
        // Room for the usual batch stays; it counts towards no budget.
        if self.hits.capacity().max(self.answers.capacity()) > USUAL {
            (self.hits, self.values) = Default::default();
            (self.answers, self.others) = Default::default();
        }
    }

    /// Keeps what an answer points to. There is nothing by then, which need not be let go.
    #[inline]
    fn keep(&mut self, kept: Kept) {
        debug_assert!(matches!(self.kept, Kept::Nothing), "it would never be let go");
        mem::forget(mem::replace(&mut self.kept, kept));
    }

    pub(crate) fn misuse(&mut self, wrong: Wrong) -> Misuse {
        match wrong {
            Wrong::Unconfigured => Misuse::Unconfigured,
            Wrong::Configuration(text) => {
                let misuse = Misuse::Configuration(List::of(text.as_bytes()));
                self.keep(Kept::Text { _text: text });
                misuse
            }
        }
    }

    pub(crate) fn configure(&mut self, told: &Configuration<'_>) -> Result<(), Wrong> {
        let node = follow(self.node.as_ref(), told)?;
        // From here on nothing fails: the groups are those that are being served.
        for (id, known) in node.groups() {
            match told.group(id) {
                // They have been checked by then.
                Some(group) => {
                    convert::settings(group).iter().for_each(|settings| known.adjust(settings));
                }
                None => known.set_budget(0),
            }
        }
        self.node = Some(node);
        Ok(())
    }

    pub(crate) fn get(
        &mut self,
        ask: &abi::Ask,
        key: &[u8],
        now: Instant,
    ) -> Result<Verdict, Wrong> {
        let asker = if ask.asker == 0 { Asker::Client } else { Asker::Peer };
        let got = self.node()?.get(GroupId(ask.group), key, asker, Waiter(ask.waiter), now);
        Ok(match got {
            Ok(Get::Hit(found)) => {
                let hit = convert::found(&found);
                self.keep(Kept::Value { _value: found.value });
                Outcome::Ok(abi::Answer::Hit(hit))
            }
            Ok(Get::Wait) => Outcome::Ok(abi::Answer::Wait),
            Ok(Get::Fetch(fetch)) => Outcome::Ok(abi::Answer::Fetch(self.fetch(fetch))),
            Err(error) => Outcome::Err(error.into()),
        })
    }

    pub(crate) fn hit(&mut self, group: GroupId, key: &[u8], now: Instant) -> Maybe<abi::Found> {
        let found = self.node.as_ref().and_then(|node| node.hit(group, key, now));
        let told = found.as_ref().map(convert::found).into();
        self.value = found.map(|found| found.value);
        told
    }

    pub(crate) fn hits(
        &mut self,
        groups: &[u16],
        key_bytes: &[u32],
        keys: &[u8],
        now: Instant,
    ) -> List<Maybe<abi::Found>> {
        let Self { node: Some(node), hits, values, .. } = self else { return List::of(&[]) };
        let asked = groups.len().min(key_bytes.len());
        if hits.try_reserve(asked).is_ok() && values.try_reserve(asked).is_ok() {
            for (&group, key) in groups.iter().zip(split(keys, key_bytes.iter().copied())) {
                let found = node.hit(GroupId(group), key, now);
                hits.push(found.as_ref().map(convert::found).into());
                values.extend(found.map(|found| found.value));
            }
        }
        List::of(hits)
    }

    pub(crate) fn get_batch(
        &mut self,
        asks: &[abi::Ask],
        keys: &[u8],
        now: Instant,
    ) -> Result<List<Verdict>, Wrong> {
        self.node()?;
        for (ask, key) in asks.iter().zip(split(keys, asks.iter().map(|ask| ask.key_bytes))) {
            if self.answers.try_reserve(1).is_err() || self.others.try_reserve(1).is_err() {
                break;
            }
            let verdict = self.get(ask, key, now)?;
            self.answers.push(verdict);
            self.others.push(mem::replace(&mut self.kept, Kept::Nothing));
        }
        Ok(List::of(&self.answers))
    }

    pub(crate) fn land(
        &mut self,
        ticket: &Ticket<'_>,
        outcome: Result<Brought<'_>, LoadError>,
        now: Instant,
    ) -> Result<abi::Landing, Wrong> {
        let node = self.node()?;
        // The key goes first: it finds room where the value does not, and those who wait are told.
        let landed = ticket.fetch().map(|fetch| {
            let load = outcome.and_then(|brought| Ok(brought.load()?));
            node.land(fetch, load, now)
        });
        Ok(match landed {
            Ok(Landing::Done(done)) => abi::Landing::Done(self.done(done)),
            Ok(Landing::Refetch(fetch)) => abi::Landing::Refetch(self.fetch(fetch)),
            // The load stays in the air, and ends through `overdue`.
            Err(error) => abi::Landing::Done(abi::Done {
                group: ticket.group.0,
                outcome: Outcome::Err(Error::from(error).into()),
                waiters: List::of(&[]),
            }),
        })
    }

    pub(crate) fn overdue(&mut self, now: Instant) -> Result<Maybe<abi::Done>, Wrong> {
        let done = self.node()?.overdue(now);
        Ok(done.map(|done| self.done(done)).into())
    }

    pub(crate) fn put(
        &mut self,
        group: GroupId,
        key: &[u8],
        value: &[u8],
        now: Instant,
    ) -> Result<Outcome<(), abi::Error>, Wrong> {
        let put = self.node()?.put(group, key, value, now);
        Ok(put.map_err(abi::Error::from).into())
    }

    pub(crate) fn remove(
        &mut self,
        group: GroupId,
        key: &[u8],
        now: Instant,
    ) -> Result<bool, Wrong> {
        Ok(self.node()?.remove(group, key, now))
    }

    pub(crate) fn stats(&mut self) -> Result<List<Maybe<abi::Counters>>, Wrong> {
        let node = self.node()?;
        let mut counters = Vec::new();
        let places = node.groups().last().map_or(0, |(id, _)| usize::from(id.0) + 1);
        // Without memory for them nothing is told.
        if counters.try_reserve_exact(places).is_ok() {
            let stats = |id| node.group(GroupId(id)).map(|group| group.stats());
            counters.extend((0..).take(places).map(|id| Maybe::from(stats(id))));
        }
        let list = List::of(&counters);
        self.keep(Kept::Counters { _counters: counters });
        Ok(list)
    }

    pub(crate) const fn is_set_up(&self) -> bool {
        self.node.is_some()
    }

    fn node(&self) -> Result<&Node, Wrong> {
        self.node.as_ref().ok_or(Wrong::Unconfigured)
    }

    fn fetch(&mut self, fetch: gocache_core::Fetch) -> abi::Fetch {
        let told = convert::fetch(&fetch);
        self.keep(Kept::Fetch { _fetch: fetch });
        told
    }

    fn done(&mut self, done: gocache_core::Done) -> abi::Done {
        let told = convert::done(&done);
        self.keep(Kept::Done { _done: done });
        told
    }
}

impl Configuration<'_> {
    fn group(&self, GroupId(id): GroupId) -> Option<&GroupSettings> {
        match self.groups.get(usize::from(id))? {
            Maybe::Some(group) => Some(group),
            Maybe::None => None,
        }
    }

    fn name(&self, group: &GroupSettings) -> &[u8] {
        (self.text)(&group.name)
    }
}

/// Keys of these lengths that stand one behind the other. One that ends behind the end of all ends
/// there.
fn split(mut keys: &[u8], lens: impl Iterator<Item = u32>) -> impl Iterator<Item = &[u8]> {
    lens.map(move |len| {
        let (key, rest) = keys.split_at(keys.len().min(len as usize));
        keys = rest;
        key
    })
}

fn refuse(why: impl ToString) -> Wrong {
    Wrong::Configuration(why.to_string())
}

/// The node that is told of, with the groups of the one before that stay.
fn follow(before: Option<&Node>, told: &Configuration<'_>) -> Result<Node, Wrong> {
    let mut node = Node::new_in(Global);
    for id in (0..told.groups.len()).map_while(|id| u16::try_from(id).ok()).map(GroupId) {
        let Some(group) = told.group(id) else { continue };
        let name = told.name(group);
        if node.group_named(name).is_some() {
            return Err(refuse(AddError::Taken));
        }
        let settings = convert::settings(group)
            .ok_or_else(|| refuse("a budget or a limit exceeds what 32 bits can address"))?;
        let group = match before.and_then(|before| before.handle(id)) {
            Some(known) => Arc::clone(known),
            None => {
                let new = Group::new_in(name, settings, Seed::new(told.seed), Global);
                Arc::new(new.map_err(refuse)?)
            }
        };
        node.adopt(id, group).map_err(refuse)?;
    }
    for (id, gone) in before.into_iter().flat_map(Node::groups) {
        // What is in the air still lands.
        let stays = told.group(id).is_none() && gone.stats().flights > 0;
        let handle = before.and_then(|before| before.handle(id)).filter(|_| stays);
        handle.map_or(Ok(()), |group| node.adopt(id, Arc::clone(group))).map_err(refuse)?;
    }
    if let Some((names, place)) = told.ring {
        let names = names.iter().map(|name| str::from_utf8((told.text)(name)));
        let names: Vec<&str> = names.collect::<Result<_, _>>().map_err(refuse)?;
        let ring = Ring::new(&names).map_err(refuse)?;
        if usize::from(place.0) >= names.len() {
            return Err(refuse("the node's own place lies outside the ring"));
        }
        node.join(ring, place);
    }
    Ok(node)
}
