//! Threads on cores of their own, and how fast they were.

use std::fs;
use std::hint::black_box;
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use gocache::in_process::Shared;
use gocache_core::{Asker, Get, Instant as CoreInstant, Waiter};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::GROUP;
use crate::keys::Draws;

/// Connections of a loop, each of which has asked when it turns.
const CONNECTIONS: usize = 32;

const HEAD: &[u8] = b"GET /_gocache/bench/0123456789abcdef HTTP/1.1\r\nHost: bench\r\n\r\n";
const KEY_AT: usize = b"GET /_gocache/bench/".len();
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n";

#[derive(Clone, Copy)]
pub(crate) enum Work {
    Answer,
    Get,
}

impl Work {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Get => "get",
        }
    }
}

/// The first two cores that this process may use.
pub(crate) fn cores() -> io::Result<[usize; 2]> {
    let allowed = sched_getaffinity(None)?;
    let mut usable = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (usable.next(), usable.next()) {
        (Some(one), Some(other)) => Ok([one, other]),
        _ => Err(io::Error::other("needs two cores")),
    }
}

/// Thousands of requests a second.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rate {
    pub(crate) by_clock: f64,
    /// By the time that a thread had a processor: what others take of the machine does not count, nor
    /// does what a thread sleeps for a lock.
    pub(crate) by_processor: f64,
}

/// Lets each thread do the work for so long; the rate of all together.
pub(crate) fn run(
    work: Work,
    threads: &[(&Shared, &Draws)],
    cores: [usize; 2],
    length: Duration,
) -> io::Result<Rate> {
    let start = Barrier::new(threads.len());
    let results: Vec<io::Result<Rate>> = thread::scope(|scope| {
        let spawned =
            threads.iter().zip(cores).enumerate().map(|(lane, ((shared, draws), core))| {
                let start = &start;
                scope.spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(core);
                    // Whatever comes of it, nobody waits at the barrier for ever.
                    let pinned = sched_setaffinity(None, &only);
                    let timer = Timer { start, length };
                    let rate = match work {
                        Work::Answer => answers(shared, draws, lane, &timer),
                        Work::Get => gets(shared, draws, &timer),
                    };
                    pinned.map_err(io::Error::from).and(rate)
                })
            });
        let spawned: Vec<_> = spawned.collect();
        let panicked = |_| Err(io::Error::other("a thread panicked"));
        spawned.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    results.into_iter().try_fold(Rate::default(), |sum, rate| {
        let Rate { by_clock, by_processor } = rate?;
        Ok(Rate {
            by_clock: sum.by_clock + by_clock,
            by_processor: sum.by_processor + by_processor,
        })
    })
}

struct Timer<'a> {
    start: &'a Barrier,
    length: Duration,
}

impl Timer<'_> {
    /// Calls `batch`, which does so many requests, for as long as it is time.
    fn time(&self, requests: usize, mut batch: impl FnMut()) -> io::Result<Rate> {
        self.start.wait();
        let (begin, computed) = (Instant::now(), computed()?);
        let mut batches = 0;
        while begin.elapsed() < self.length {
            batch();
            batches += 1;
        }
        let thousands = (batches * requests) as f64 / 1e3;
        let (elapsed, computed) = (begin.elapsed(), self::computed()? - computed);
        Ok(Rate {
            by_clock: thousands / elapsed.as_secs_f64(),
            by_processor: thousands / computed.as_secs_f64(),
        })
    }
}

/// How long this thread has had a processor.
fn computed() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| io::Error::other("no figures of threads"))
}

fn answers(shared: &Shared, draws: &Draws, lane: usize, timer: &Timer<'_>) -> io::Result<Rate> {
    let mut keys = draws.endless();
    let mut event_loop = shared.enter(lane, CONNECTIONS);
    let mut scratch = vec![0; 16 << 10];
    let (mut asked, mut good) = (0, 0);
    let rate = timer.time(CONNECTIONS, || {
        let read = |scratch: &mut [u8]| {
            let key = keys.next().expect("they have no end");
            let head = &mut scratch[..HEAD.len()];
            head.copy_from_slice(HEAD);
            head[KEY_AT..KEY_AT + key.len()].copy_from_slice(key);
            asked += 1;
            HEAD.len()
        };
        event_loop.turn(&mut scratch, read, |slices| {
            good += usize::from(slices.len() == 1 && slices[0].starts_with(ANSWER));
        });
    })?;
    if (good, event_loop.misses()) != (asked, 0) {
        return Err(io::Error::other(format!("{good} of {asked} requests were hits")));
    }
    Ok(rate)
}

fn gets(shared: &Shared, draws: &Draws, timer: &Timer<'_>) -> io::Result<Rate> {
    const BATCH: usize = 1_000;
    let mut keys = draws.endless();
    let (mut asked, mut hits) = (0, 0);
    let rate = timer.time(BATCH, || {
        for key in keys.by_ref().take(BATCH) {
            let got = shared.node().get(GROUP, key, Asker::Client, Waiter(0), CoreInstant::ZERO);
            hits += usize::from(matches!(black_box(&got), Ok(Get::Hit(_))));
            asked += 1;
        }
    })?;
    if hits != asked {
        return Err(io::Error::other(format!("{hits} of {asked} gets were hits")));
    }
    Ok(rate)
}
