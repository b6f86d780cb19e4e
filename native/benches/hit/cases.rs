//! What is measured, for how long, and the bar for it.

use std::time::Duration;

/// How often and how long each server is measured.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) sample: Duration,
}

impl Plan {
    pub(crate) const FULL: Self = Self { rounds: 7, sample: Duration::from_millis(700) };
    pub(crate) const QUICK: Self = Self { rounds: 3, sample: Duration::from_millis(300) };
}

/// A value that the servers hold.
pub(crate) struct Payload {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) bytes: usize,
}

impl Payload {
    const SMALL: Self = Self { key: "small", label: "3B", bytes: 3 };
    const PAGE: Self = Self { key: "page", label: "4KiB", bytes: 4 << 10 };
    const LARGE: Self = Self { key: "large", label: "1MiB", bytes: 1 << 20 };

    pub(crate) const ALL: [Self; 3] = [Self::SMALL, Self::PAGE, Self::LARGE];

    pub(crate) fn value(&self) -> Vec<u8> {
        vec![b'x'; self.bytes]
    }
}

/// One line of the table.
pub(crate) struct Case {
    pub(crate) connections: usize,
    /// Requests a connection sends in one write before it waits for all their answers.
    pub(crate) in_flight: usize,
    pub(crate) payload: Payload,
    /// The ratio that gocache has to reach.
    pub(crate) bar: Option<f64>,
}

impl Case {
    /// Connections x requests in flight of each / size of the value.
    pub(crate) fn name(&self) -> String {
        format!("{}x{}/{}", self.connections, self.in_flight, self.payload.label)
    }
}

pub(crate) fn all() -> Vec<Case> {
    let case = |connections, in_flight, payload, bar| Case { connections, in_flight, payload, bar };
    vec![
        case(1, 1, Payload::SMALL, Some(0.97)),
        case(32, 1, Payload::SMALL, Some(0.95)),
        case(256, 1, Payload::SMALL, Some(0.95)),
        case(1, 16, Payload::SMALL, None),
        case(32, 16, Payload::SMALL, Some(0.60)),
        case(256, 16, Payload::SMALL, None),
        case(32, 1, Payload::PAGE, None),
        case(32, 1, Payload::LARGE, None),
    ]
}
