//! A fault: what is done to the server, and what is told of it.

use std::fmt::Display;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::site::Site;
use crate::{churn, flood, held, idle, slow, starve};

/// How much of each fault there is, and for how long.
pub(crate) struct Plan {
    /// All of it goes over TLS.
    pub(crate) is_secure: bool,
    pub(crate) quiet: Duration,
    /// How long faults go on that have no end of their own.
    pub(crate) length: Duration,
    pub(crate) idle: usize,
    pub(crate) slow_heads: usize,
    pub(crate) slow_readers: usize,
    pub(crate) unknown_keys: usize,
    pub(crate) large_heads: usize,
    pub(crate) herd: usize,
    pub(crate) hung: usize,
}

impl Plan {
    pub(crate) const FULL: Self = Self {
        is_secure: false,
        quiet: Duration::from_secs(2),
        length: Duration::from_secs(6),
        idle: 10_000,
        slow_heads: 2_000,
        slow_readers: 200,
        unknown_keys: 200_000,
        large_heads: 10_000,
        herd: 10_000,
        hung: 1_000,
    };
    pub(crate) const QUICK: Self = Self {
        is_secure: false,
        quiet: Duration::from_millis(500),
        length: Duration::from_secs(1),
        idle: 2_000,
        slow_heads: 500,
        slow_readers: 50,
        unknown_keys: 20_000,
        large_heads: 1_000,
        herd: 1_000,
        hung: 200,
    };
}

impl Plan {
    /// What the server may hold for a session of TLS, beside what it holds without: the state of
    /// rustls, its buffer for a record that is not whole, and two records that are not out.
    pub(crate) const fn session_bytes_max(&self) -> u64 {
        if self.is_secure { 64 << 10 } else { 0 }
    }
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

/// In the order of the table. What is done to the sockets below TLS is left out with it.
pub(crate) fn all(is_secure: bool) -> Vec<Fault> {
    let fault = |name, run: Run| Fault { name, tables: "", ratio_max: 5.0, run };
    let both = [
        Fault { ratio_max: 1.5, ..fault("idle", idle::connections) },
        Fault { tables: slow::HEAD_TABLE, ..fault("slow-heads", slow::heads) },
        Fault { tables: slow::WRITE_TABLE, ..fault("slow-readers", slow::readers) },
        fault("connects", churn::connects),
        fault("resets", churn::resets),
        fault("unknown-keys", flood::unknown_keys),
        Fault { tables: flood::HEADS_TABLE, ..fault("large-heads", flood::large_heads) },
        Fault { tables: starve::LIMIT_TABLE, ..fault("limit", starve::limit) },
        Fault { tables: held::TABLE, ..fault("herd", held::herd) },
        Fault { tables: held::TABLE, ..fault("waiters", held::waiters) },
        Fault { tables: held::TABLE, ..fault("hung-origin", held::hung) },
    ];
    let others = match is_secure {
        true => vec![Fault { tables: slow::HEAD_TABLE, ..fault("handshakes", slow::handshakes) }],
        false => vec![
            fault("segments", slow::segments),
            fault("pipeline", flood::pipeline),
            fault("descriptors", starve::descriptors),
        ],
    };
    both.into_iter().chain(others).collect()
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
