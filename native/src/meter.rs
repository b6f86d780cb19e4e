//! What is counted beside the core: connections, answers and how long they took. Each loop counts for
//! itself, so that no two of them write to one cache line; the operations plane adds up.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gocache_core::{Error, Found, GroupId, Source, Status, http::CacheStatus};

use crate::config::Config;

/// A count to which one thread adds: with no other there, a load and a store do.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Classes of status codes.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Who ended a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Closed {
    Client,
    /// After an answer that said so.
    Server,
    Deadline,
    /// It broke.
    Error,
}

impl Closed {
    pub(crate) const NAMES: [&str; 4] = ["client", "server", "deadline", "error"];
}

/// How a handshake of TLS ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handshake {
    Done,
    /// One side did not trust or understand the other, or fell silent.
    Failed,
}

impl Handshake {
    pub(crate) const NAMES: [&str; 2] = ["ok", "failed"];
}

/// The counts of one loop, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Meter {
    /// By class of status.
    pub(crate) answers: [Count; CLASSES.len()],
    pub(crate) received_bytes: Count,
    pub(crate) sent_bytes: Count,
    pub(crate) accepted: Count,
    /// Turned away at the limit.
    pub(crate) refused: Count,
    /// By who ended it.
    pub(crate) closed: [Count; Closed::NAMES.len()],
    /// By how it ended.
    pub(crate) handshakes: [Count; Handshake::NAMES.len()],
}

impl Meter {
    pub(crate) fn answer(&self, status: Status) {
        let class = usize::from(status.code() / 100);
        self.answers[class.clamp(1, CLASSES.len()) - 1].add(1);
    }

    pub(crate) fn close(&self, by: Closed) {
        self.closed[by as usize].add(1);
    }

    pub(crate) fn handshake(&self, end: Handshake) {
        self.handshakes[end as usize].add(1);
    }
}

/// What became of a request for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Hit,
    /// It was the first to ask, and a load brought the value.
    Miss,
    /// The load of another one did.
    Wait,
    NotFound,
    Error,
}

impl Outcome {
    pub(crate) const NAMES: [&str; 5] = ["hit", "miss", "wait", "not_found", "error"];

    pub(crate) const fn of(result: &Result<Found, Error>, cache: CacheStatus) -> Self {
        match (result, cache) {
            (Ok(_), CacheStatus::Hit) => Self::Hit,
            (Ok(_), CacheStatus::Miss) => Self::Miss,
            (Ok(_), CacheStatus::Collapsed) => Self::Wait,
            (Err(Error::NotFound), _) => Self::NotFound,
            (Err(_), _) => Self::Error,
        }
    }
}

/// Upper bounds of the buckets of durations, in microseconds.
const BOUNDS: [u64; 19] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Durations, in buckets.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Durations {
    /// Notes that something took so long, so many times.
    pub(crate) fn record(&self, took: Duration, times: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| bound * 1_000 < nanos);
        self.buckets[bucket].fetch_add(times, Ordering::Relaxed);
        self.nanos.fetch_add(nanos.wrapping_mul(times), Ordering::Relaxed);
    }
}

/// Durations of all loops, added up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    nanos: u64,
}

impl Histogram {
    fn sum<'a>(all: impl Iterator<Item = &'a Durations>) -> Self {
        all.fold(Self::default(), |mut sum, durations| {
            for (sum, bucket) in sum.counts.iter_mut().zip(&durations.buckets) {
                *sum += bucket.load(Ordering::Relaxed);
            }
            sum.nanos = sum.nanos.wrapping_add(durations.nanos.load(Ordering::Relaxed));
            sum
        })
    }

    /// Upper bounds in seconds, the last one infinite, and how many lie between one and the next.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().map(|&micros| micros as f64 / 1e6).chain([f64::INFINITY]);
        bounds.zip(self.counts).collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }
}

/// Where a load went, as the name of a label.
pub(crate) const SOURCES: [&str; 2] = ["origin", "peer"];

/// How long the requests of one group and one loop took, by outcome: on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Requests([Durations; Outcome::NAMES.len()]);

/// How long the requests and loads of one group took.
#[derive(Debug)]
pub(crate) struct GroupMeter {
    /// By loop.
    requests: Box<[Requests]>,
    /// By source.
    loads: [Durations; SOURCES.len()],
}

impl GroupMeter {
    fn new(lanes: usize) -> Self {
        Self {
            requests: (0..lanes).map(|_| Requests::default()).collect(),
            loads: Default::default(),
        }
    }

    pub(crate) fn load(&self, source: Source, took: Duration) {
        let source = usize::from(source != Source::Origin);
        self.loads[source].record(took, 1);
    }

    pub(crate) fn requests(&self) -> [Histogram; Outcome::NAMES.len()] {
        std::array::from_fn(|at| Histogram::sum(self.requests.iter().map(|lane| &lane.0[at])))
    }

    pub(crate) fn loads(&self) -> [Histogram; SOURCES.len()] {
        std::array::from_fn(|at| Histogram::sum([&self.loads[at]].into_iter()))
    }
}

/// The counts of a server.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(crate) lanes: Arc<[Arc<Meter>]>,
    /// By number; of those that are in the file.
    groups: Vec<Option<Arc<GroupMeter>>>,
}

impl Meters {
    pub(crate) fn new(lanes: usize, config: &Config) -> Self {
        let before =
            Self { lanes: (0..lanes).map(|_| Arc::default()).collect(), groups: Vec::new() };
        before.follow(config)
    }

    /// The same for another configuration: groups that stay count on.
    pub(crate) fn follow(&self, config: &Config) -> Self {
        let lanes = Arc::clone(&self.lanes);
        let meter = |id: GroupId| {
            config.listed(id)?;
            let known = self.group(id).map(Arc::clone);
            Some(known.unwrap_or_else(|| Arc::new(GroupMeter::new(lanes.len()))))
        };
        Self { groups: config.ids().map(meter).collect(), lanes }
    }

    pub(crate) fn group(&self, GroupId(id): GroupId) -> Option<&Arc<GroupMeter>> {
        self.groups.get(usize::from(id))?.as_ref()
    }
}

/// What happened in one turn of a loop. How long it took is known at the end of the turn: then all of
/// it is recorded, with one look at the clock for however many requests there were.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) meter: Arc<Meter>,
    /// Hits by the number of the group, and of which groups there are some.
    hits: Vec<Cell<u32>>,
    hit: RefCell<Vec<GroupId>>,
    /// Requests that waited for a load, and since when.
    landed: RefCell<Vec<(GroupId, Outcome, Duration)>>,
}

impl Tally {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, ..Self::default() }
    }

    /// Makes room for groups with numbers below this one.
    pub(crate) fn resize(&mut self, groups: usize) {
        self.hits.resize(groups, Cell::new(0));
        self.hit.get_mut().reserve(groups);
    }

    /// Notes a hit.
    pub(crate) fn hit(&self, group: GroupId) {
        let Some(hits) = self.hits.get(usize::from(group.0)) else { return };
        if hits.get() == 0 {
            self.hit.borrow_mut().push(group);
        }
        hits.set(hits.get() + 1);
    }

    /// Notes the answer to a request that was taken up at `began`, if there is memory for the note.
    pub(crate) fn answered(&self, group: GroupId, outcome: Outcome, began: Duration) {
        let mut landed = self.landed.borrow_mut();
        if landed.try_reserve(1).is_ok() {
            landed.push((group, outcome, began));
        }
    }

    /// Records the turn that began at `began`. A hit took from then to now: at most that long.
    pub(crate) fn record(
        &self,
        meters: &Meters,
        lane: usize,
        began: Duration,
        now: impl FnOnce() -> Duration,
    ) {
        let (mut hit, mut landed) = (self.hit.borrow_mut(), self.landed.borrow_mut());
        if hit.is_empty() && landed.is_empty() {
            return;
        }
        let now = now();
        let record = |group, outcome: Outcome, began, times| {
            let lane = meters.group(group).and_then(|group| group.requests.get(lane));
            let took = now.saturating_sub(began);
            lane.into_iter().for_each(|lane| lane.0[outcome as usize].record(took, times));
        };
        for group in hit.drain(..) {
            let hits = self.hits.get(usize::from(group.0)).map_or(0, |hits| hits.replace(0));
            record(group, Outcome::Hit, began, hits.into());
        }
        for (group, outcome, began) in landed.drain(..) {
            record(group, outcome, began, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_bucket_that_ends_with_it() {
        let durations = Durations::default();
        for (nanos, times) in [(0, 1), (10_000, 2), (10_001, 3), (10_000_000_000, 4)] {
            durations.record(Duration::from_nanos(nanos), times);
        }
        durations.record(Duration::from_secs(11), 5);
        let sum = Histogram::sum([&durations, &durations].into_iter());
        let filled: Vec<_> = sum.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(1e-5, 6), (2.5e-5, 6), (10.0, 8), (f64::INFINITY, 10)]);
        assert_eq!((sum.count(), sum.seconds().round()), (30, 190.0));
    }
}
