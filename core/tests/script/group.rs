//! A run on a `Group` behind its `Node`: loads, waiters, peers and all.

use std::time::Duration;

use gocache_core::{
    Asker, Done, Error, Fetch, Found, Get, Group, GroupId, Instant, Landing, Limits, Load,
    LoadError, Memory, Node, OutOfMemory, PeerId, Refusal, Ring, Seed, Settings, Source, SpinLock,
    Stats, Value, Waiter,
};

use super::{
    Draw, Held, Holding, KEYS, Key, Stored, Texts, length,
    loads::{LOADS, Loading, Loads},
    meter::Gauge,
};

const GROUP: GroupId = GroupId(0);
/// Bytes that a list of waiters begins with.
const FIRST_WAITERS: usize = 4 * size_of::<Waiter>();

/// What a run is about.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    /// Whether values are held while others are stored.
    pub(crate) holds: bool,
    /// Whether the node stands in a ring with another one.
    pub(crate) has_peer: bool,
    pub(crate) longest: usize,
    /// Whether the group recounts itself after each step, for which it allocates.
    pub(crate) recounts: bool,
}

/// Limits that a run reaches.
pub(crate) fn tight() -> Limits {
    Limits { flights: 6, waiters: 3, load_deadline: Duration::from_secs(3), ..Limits::default() }
}

pub(crate) struct GroupRun<A: Memory + Gauge> {
    setup: Setup,
    node: Node<SpinLock, A>,
    gauge: A,
    /// Bytes that are not the group's, and those of the head of a value.
    base: usize,
    head: usize,
    texts: Texts,
    now: u64,
    version: usize,
    budget: usize,
    model: [Option<Stored>; KEYS],
    loads: Loads<A>,
    held: Holding<A>,
    /// Bytes that the step under way allocates for itself.
    step: usize,
}

impl<A: Memory + Gauge> GroupRun<A> {
    /// The start of a run, where a value has a head of so many bytes.
    pub(crate) fn new(setup: Setup, head: usize, gauge: A) -> Result<Self, OutOfMemory> {
        let (texts, held, loads) = (Texts::new(), Holding::new(), Loads::new());
        let ring = setup.has_peer.then(|| Ring::new(&["one", "two"]).expect("two names"));
        gauge.mark();
        let before = gauge.live();
        let group = Group::new_in(b"scores", setup.settings.clone(), Seed::new(7), gauge.clone());
        assert!(group.is_ok() || gauge.failed(), "there was memory");
        let group = group?;
        let bytes = group.stats().bytes as usize;
        assert_eq!(gauge.live() - before, bytes, "each byte of an empty group is counted");
        let mut node = Node::new_in(gauge.clone());
        node.add(group).map_err(|_| OutOfMemory)?;
        ring.into_iter().for_each(|ring| node.join(ring, PeerId(0)));
        let base = gauge.live() - bytes;
        let (now, version, step, model) = (1_000, 0, 0, [None; KEYS]);
        let budget = setup.settings.budget;
        let run = Self {
            setup,
            node,
            gauge,
            base,
            head,
            texts,
            now,
            version,
            budget,
            model,
            loads,
            held,
            step,
        };
        run.check();
        Ok(run)
    }

    fn group(&self) -> &Group<SpinLock, A> {
        self.node.group(GROUP).expect("the only group")
    }

    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// Does one thing, and checks all that is known of what comes of it.
    pub(crate) fn step(&mut self, draw: Draw<'_>) {
        self.gauge.mark();
        self.step = 0;
        let (before, budget, outside) = (self.group().stats(), self.budget, self.outside());
        let key = draw(KEYS as u32) as usize;
        match draw(40) {
            0..=14 => self.get(key, draw),
            15..=22 => self.land(draw),
            23..=27 => self.insert(key, draw),
            28..=29 => self.remove(key),
            30..=31 => self.held.drop_some(draw(64) as usize),
            32..=34 => self.now += u64::from(draw(2_000)),
            35..=36 => self.give_up(),
            37 => self.loads.lose(draw(LOADS as u32) as usize),
            38 if draw(4) == 0 => self.flush(),
            39 if draw(4) == 0 && self.held.len() == 0 => self.set_budget(draw),
            _ => self.now += u64::from(draw(30)),
        }
        self.check_peak(&before, budget.max(self.budget), outside + self.step);
        self.check();
    }

    /// Ends all that was begun: everyone is answered, and every byte comes back.
    pub(crate) fn finish(mut self) {
        self.now += 3_600_000;
        self.give_up();
        assert!(self.loads.nobody_waits(), "everyone who waits is answered");
        self.loads.clear();
        self.held.drop_some(usize::MAX);
        // Each call looks at 64 entries of one shard.
        for _ in 0..4 * usize::from(self.setup.settings.shards.max(1)) {
            assert!(self.node.overdue(self.at()).is_none());
        }
        let stats = self.group().stats();
        assert_eq!((stats.lent_bytes, stats.flights), (0, 0), "all of it came back");
        self.check();
    }

    fn get(&mut self, number: usize, draw: Draw<'_>) {
        let asker = if draw(4) == 0 { Asker::Peer } else { Asker::Client };
        let Some(waiter) = self.loads.next_waiter() else { return self.land(draw) };
        let is_loading = self.loads.is_loading(number, asker);
        // A load that is refused in the end has had its key, and room for its first waiters.
        self.step = self.head + Key::new(number).bytes().len() + FIRST_WAITERS;
        match self.node.get(GROUP, Key::new(number).bytes(), asker, waiter, self.at()) {
            Ok(Get::Hit(Found { value, .. })) => {
                let stored = self.model[number].expect("a hit was stored");
                assert!(*value == *self.texts.value(stored.version, stored.len), "key {number}");
                assert!(self.now < stored.dies, "key {number} has expired");
                if self.setup.holds && draw(3) == 0 {
                    self.held.keep(Held { value, stored, own: 0 });
                }
            }
            Ok(Get::Wait) => {
                assert!(is_loading, "nobody loads key {number}");
                self.loads.wait(waiter);
            }
            Ok(Get::Fetch(fetch)) => {
                assert!(!is_loading, "one load of key {number} at a time");
                self.loads.wait(waiter);
                self.loads.open(fetch, number, self.now);
            }
            Err(Error::OutOfMemory) => assert!(self.gauge.failed(), "there was memory"),
            Err(error) => assert_eq!(error, Error::Busy, "key {number}"),
        }
    }

    fn drawn_lifetime(draw: Draw<'_>) -> Option<Duration> {
        (draw(4) == 0).then(|| Duration::from_millis(u64::from(draw(5_000))))
    }

    /// Lands one of the loads, which brings a value or fails.
    fn land(&mut self, draw: Draw<'_>) {
        let Some((at, fetch)) = self.loads.take(draw(LOADS as u32) as usize) else { return };
        self.version += 1;
        let len = length(draw, self.setup.longest);
        let lifetime = Self::drawn_lifetime(draw);
        let value = match draw(8) {
            0 => Err(LoadError::NotFound),
            1 => Err(LoadError::PeerDown),
            _ => Value::new_in(self.texts.value(self.version, len), self.gauge.clone())
                .map_err(LoadError::from),
        };
        let own = value.as_ref().map_or(0, |value| self.head + value.len());
        self.step = own + self.head + fetch.key().len();
        let address = value.as_ref().map_or(0, |value| value.as_ptr() as usize);
        let failed = value.as_ref().err().copied();
        let load = value.map(|value| Load { value, age: Duration::ZERO, lifetime });
        match self.node.land(fetch, load, self.at()) {
            Landing::Refetch(fetch) => self.redirected(at, fetch, failed),
            Landing::Done(Done { result, waiters, .. }) => {
                let load = self.loads.end(at);
                assert_eq!(waiters.is_empty(), load.is_given_up, "the leader waits too");
                self.loads.answered(&waiters);
                let stored = Stored { version: self.version, len, dies: self.dies(lifetime) };
                match result {
                    Ok(found) => {
                        assert_eq!(failed, None);
                        self.landed(&load, found.value, stored, (address, own), draw);
                    }
                    Err(error) => assert_eq!(Some(error), failed.map(Error::from)),
                }
            }
        }
    }

    fn redirected(&mut self, at: usize, fetch: Fetch<A>, failed: Option<LoadError>) {
        let load = self.loads.at(at);
        assert!(matches!(load.source, Source::Peer(_)) && failed == Some(LoadError::PeerDown));
        assert!(!load.is_given_up && fetch.source() == Source::Origin, "it is still in the air");
        (load.source, load.fetch) = (Source::Origin, Some(fetch));
    }

    /// Whoever waited has the value of a load, whether it was stored (so that the value is another
    /// one than what was loaded) or not.
    fn landed(
        &mut self,
        load: &Loading<A>,
        value: Value<A>,
        stored: Stored,
        (address, own): (usize, usize),
        draw: Draw<'_>,
    ) {
        assert!(*value == *self.texts.value(stored.version, stored.len), "what the load brought");
        let is_stored = value.as_ptr() as usize != address;
        if is_stored {
            assert!(!load.is_outdated && !load.is_given_up && load.source == Source::Origin);
            self.model[load.key] = Some(stored);
        }
        if self.setup.holds && draw(3) == 0 {
            self.held.keep(Held { value, stored, own: if is_stored { 0 } else { own } });
        }
    }

    /// From when on a value that is stored now must no longer be there.
    fn dies(&self, lifetime: Option<Duration>) -> u64 {
        let lifetime = lifetime.or(self.setup.settings.lifetime);
        // A tick of 20 milliseconds may have just begun, and no lifetime is shorter than one.
        self.now + lifetime.map_or(u64::MAX / 2, |lifetime| lifetime.as_millis() as u64 + 40)
    }

    fn insert(&mut self, number: usize, draw: Draw<'_>) {
        self.version += 1;
        let (len, lifetime) = (length(draw, self.setup.longest), Self::drawn_lifetime(draw));
        self.loads.outdate(Some(number));
        let value = self.texts.value(self.version, len);
        let done = self.group().insert(Key::new(number).bytes(), value, lifetime, self.at());
        let stored = Stored { version: self.version, len, dies: self.dies(lifetime) };
        self.model[number] = done.is_ok().then_some(stored);
        assert!(done != Err(Refusal::OutOfMemory) || self.gauge.failed(), "there was memory");
    }

    fn remove(&mut self, number: usize) {
        self.loads.outdate(Some(number));
        let removed = self.node.remove(GROUP, Key::new(number).bytes(), self.at());
        assert!(!removed || self.model[number].is_some(), "key {number} was not there");
        self.model[number] = None;
    }

    fn flush(&mut self) {
        self.group().flush();
        self.loads.outdate(None);
        self.model = [None; KEYS];
    }

    fn set_budget(&mut self, draw: Draw<'_>) {
        self.budget = draw(2 * self.setup.settings.budget as u32 + 1) as usize;
        self.group().set_budget(self.budget);
    }

    fn give_up(&mut self) {
        while let Some(done) = self.node.overdue(self.at()) {
            assert!(done.result == Err(Error::TimedOut));
            self.loads.answered(&done.waiters);
        }
        let deadline = self.setup.settings.limits.load_deadline.as_millis() as u64;
        self.loads.give_up(self.now.saturating_sub(deadline));
    }

    /// Bytes that the run holds and the group does not count.
    fn outside(&self) -> usize {
        self.loads.own(self.head) + self.held.own()
    }

    /// Within one operation too there is never more than the budget, what is lent, what keeps track
    /// of loads (old and new, where it grows), and what the run itself holds.
    fn check_peak(&self, before: &Stats, budget: usize, outside: usize) {
        let after = self.group().stats();
        let lent = before.lent_bytes + after.lent_bytes;
        let flights = before.flight_bytes + after.flight_bytes;
        let most = before.bytes.max(budget as u64) + lent + flights + outside as u64;
        let peak = self.gauge.peak() - self.base;
        assert!(peak as u64 <= most, "{peak} bytes where {most} are allowed");
    }

    fn check(&self) {
        let stats = self.group().stats();
        let counted = (stats.bytes + stats.lent_bytes + stats.flight_bytes) as usize;
        let live = self.gauge.live() - self.base - self.outside();
        assert_eq!(live, counted, "each byte is counted");
        assert!(self.setup.holds || stats.lent_bytes == 0, "nobody holds what is lent");
        self.held.check(&self.texts);
        if self.setup.recounts {
            self.group().check();
        }
    }
}
