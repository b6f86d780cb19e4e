//! What is measured, for how long, and the bar for it.

use std::time::Duration;

use crate::payload::Payload;

const BYTES_IN_FLIGHT_MAX: usize = 1 << 30;

/// How often and how long each server is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) sample: Duration,
}

impl Plan {
    pub(crate) const FULL: Self = Self { rounds: 7, sample: Duration::from_millis(500) };
    pub(crate) const QUICK: Self = Self { rounds: 3, sample: Duration::from_millis(300) };
}

const LARGE: Payload = Payload { key: "large", label: "1MiB", bytes: 1 << 20 };

pub(crate) const PAYLOADS: [Payload; 3] = [Payload::SMALL, Payload::PAGE, LARGE];

/// One line of the table.
pub(crate) struct Case {
    pub(crate) connections: usize,
    /// Requests a connection sends in one write before it waits for all their answers.
    pub(crate) in_flight: usize,
    pub(crate) payload: Payload,
    /// Of gocache and of the floor. The others have one.
    pub(crate) loops: usize,
    /// The ratio that gocache has to reach.
    pub(crate) bar: Option<f64>,
}

impl Case {
    /// Connections x requests in flight of each / size of the value / loops.
    pub(crate) fn name(&self) -> String {
        let Self { connections, in_flight, payload, loops, .. } = self;
        format!("{connections}x{in_flight}/{}/{loops}", payload.label)
    }
}

/// The most loops of a case.
pub(crate) const LOOPS_MAX: usize = 2;

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for loops in 1..=LOOPS_MAX {
        for payload in PAYLOADS {
            for (in_flight, connections) in
                [(1, 1), (1, 32), (1, 256), (16, 1), (16, 32), (16, 256)]
            {
                // Together they would be more than the system has room for, and measure that.
                if in_flight * connections * payload.bytes <= BYTES_IN_FLIGHT_MAX {
                    let bar = bar(connections, in_flight, payload.bytes, loops);
                    cases.push(Case { connections, in_flight, payload, loops, bar });
                }
            }
        }
    }
    cases
}

fn bar(connections: usize, in_flight: usize, bytes: usize, loops: usize) -> Option<f64> {
    match (connections, in_flight, bytes, loops) {
        (1, 1, 3, 1) => Some(0.97),
        (32 | 256, 1, 3, 1) => Some(0.95),
        (32, 16, 3, 1) => Some(0.60),
        _ => None,
    }
}
