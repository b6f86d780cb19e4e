//! What is measured, for how long, and the bars.

use std::{fmt, time::Duration};

use crate::payload::Payload;

/// How often and how long each server is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) sample: Duration,
}

impl Plan {
    pub(crate) const FULL: Self = Self { rounds: 11, sample: Duration::from_millis(400) };
    pub(crate) const QUICK: Self = Self { rounds: 3, sample: Duration::from_millis(300) };
}

const BLOCK: Payload = Payload { key: "block", label: "64KiB", bytes: 64 << 10 };

pub(crate) const PAYLOADS: [Payload; 3] = [Payload::SMALL, Payload::PAGE, BLOCK];

/// One line of the table.
pub(crate) struct Case {
    pub(crate) connections: usize,
    /// Requests a connection sends in one write before it waits for all their answers.
    pub(crate) in_flight: usize,
    pub(crate) payload: Payload,
    /// What part of the native server's hits it has to reach.
    pub(crate) bar: Option<f64>,
}

impl Case {
    /// Connections x requests in flight of each / size of the value.
    pub(crate) fn name(&self) -> String {
        let Self { connections, in_flight, payload, .. } = self;
        format!("{connections}x{in_flight}/{}", payload.label)
    }
}

pub(crate) fn all() -> Vec<Case> {
    let each = PAYLOADS.into_iter().flat_map(|payload| {
        let loads = [(1, 1), (32, 1), (256, 1), (32, 16)];
        loads.map(|(connections, in_flight)| {
            let bar = (in_flight == 1 && payload.bytes == 3).then_some(0.90);
            Case { connections, in_flight, payload, bar }
        })
    });
    each.collect()
}

/// What a figure has to be.
pub(crate) struct Bar {
    bound: f64,
    is_most: bool,
}

impl Bar {
    pub(crate) const fn at_least(bound: f64) -> Self {
        Self { bound, is_most: false }
    }

    pub(crate) const fn at_most(bound: f64) -> Self {
        Self { bound, is_most: true }
    }

    /// Whether this figure is.
    pub(crate) fn of(&self, figure: f64) -> String {
        let met = if self.is_most { figure <= self.bound } else { figure >= self.bound };
        format!("{self} {}", if met { "met" } else { "missed" })
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:.2}", if self.is_most { "<=" } else { ">=" }, self.bound)
    }
}
