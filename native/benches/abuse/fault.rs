//! A fault: what is done to the server, and what is told of it.

use std::fmt::Display;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::site::Site;
use crate::{churn, flood, idle, slow, starve};

/// How much of each fault there is, and for how long.
pub(crate) struct Plan {
    pub(crate) quiet: Duration,
    /// How long faults go on that have no end of their own.
    pub(crate) length: Duration,
    pub(crate) idle: usize,
    pub(crate) slow_heads: usize,
    pub(crate) slow_readers: usize,
    pub(crate) unknown_keys: usize,
    pub(crate) large_heads: usize,
}

impl Plan {
    pub(crate) const FULL: Self = Self {
        quiet: Duration::from_secs(2),
        length: Duration::from_secs(6),
        idle: 10_000,
        slow_heads: 2_000,
        slow_readers: 200,
        unknown_keys: 200_000,
        large_heads: 10_000,
    };
    pub(crate) const QUICK: Self = Self {
        quiet: Duration::from_millis(500),
        length: Duration::from_secs(1),
        idle: 2_000,
        slow_heads: 500,
        slow_readers: 50,
        unknown_keys: 20_000,
        large_heads: 1_000,
    };
}

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// Further tables of the server's configuration.
    pub(crate) tables: &'static str,
    /// A normal client's p99 stays under so many times its quiet one.
    pub(crate) ratio_max: f64,
    pub(crate) run: Run,
}

type Run = fn(&Site, &Plan) -> io::Result<Told>;

/// In the order of the table.
pub(crate) fn all() -> Vec<Fault> {
    let fault = |name, run: Run| Fault { name, tables: "", ratio_max: 5.0, run };
    vec![
        Fault { ratio_max: 1.5, ..fault("idle", idle::connections) },
        Fault { tables: slow::HEAD_TABLE, ..fault("slow-heads", slow::heads) },
        Fault { tables: slow::WRITE_TABLE, ..fault("slow-readers", slow::readers) },
        fault("connects", churn::connects),
        fault("resets", churn::resets),
        fault("pipeline", flood::pipeline),
        fault("unknown-keys", flood::unknown_keys),
        fault("large-heads", flood::large_heads),
        fault("descriptors", starve::descriptors),
        Fault { tables: starve::LIMIT_TABLE, ..fault("limit", starve::limit) },
    ]
}

/// What came of a fault.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) did: Vec<String>,
    /// What should not have been.
    pub(crate) missed: Vec<String>,
}

impl Told {
    pub(crate) fn say(&mut self, what: impl Display) {
        self.did.push(what.to_string());
    }

    /// Says it, and whether it is as it should be.
    pub(crate) fn judge(&mut self, holds: bool, what: impl Display, bar: impl Display) {
        if !holds {
            self.missed.push(format!("{what}, and should be {bar}"));
        }
        self.say(what);
    }
}

/// Waits until it is time for the next of those that begin at this pace.
pub(crate) fn keep_pace(begin: Instant, pace: Duration, number: usize) {
    let next = begin + pace * u32::try_from(number).unwrap_or(u32::MAX);
    thread::sleep(next.saturating_duration_since(Instant::now()));
}
