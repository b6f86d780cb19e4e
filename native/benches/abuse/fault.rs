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
    pub(crate) run: fn(&Site, &Plan) -> io::Result<Told>,
}

/// In the order of the table.
pub(crate) const ALL: [Fault; 10] = [
    Fault { name: "idle", tables: "", run: idle::connections },
    Fault { name: "slow-heads", tables: slow::HEAD_TABLE, run: slow::heads },
    Fault { name: "slow-readers", tables: slow::WRITE_TABLE, run: slow::readers },
    Fault { name: "connects", tables: "", run: churn::connects },
    Fault { name: "resets", tables: "", run: churn::resets },
    Fault { name: "pipeline", tables: "", run: flood::pipeline },
    Fault { name: "unknown-keys", tables: "", run: flood::unknown_keys },
    Fault { name: "large-heads", tables: "", run: flood::large_heads },
    Fault { name: "descriptors", tables: "", run: starve::descriptors },
    Fault { name: "limit", tables: starve::LIMIT_TABLE, run: starve::limit },
];

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
