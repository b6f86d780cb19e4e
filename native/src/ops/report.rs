//! `Report`: what a server has to tell of itself at one moment, and the same as JSON.

use std::sync::Arc;

use gocache_core::Stats;
use serde_json::{Map, Value, json};

use super::metrics::{COUNTERS, GAUGES};
use crate::meter::{Count, Histogram, Meter, Outcome, SOURCES};

/// A server at one moment.
#[derive(Debug)]
pub(crate) struct Report {
    /// In the order of their numbers.
    pub(crate) groups: Vec<GroupReport>,
    /// The other nodes, and whether they answered last time.
    pub(crate) peers: Vec<(String, bool)>,
    /// The counts of each loop, the one of the operations plane the last.
    pub(crate) lanes: Arc<[Arc<Meter>]>,
    /// Whether the last reading of the configuration succeeded, and when one last did, in seconds
    /// since 1970.
    pub(crate) reloads: (bool, u64),
    /// See [`Engine::traps`](crate::Engine::traps).
    pub(crate) traps: Option<u64>,
    /// When the certificate of the data port ends, in seconds since 1970, if it has one.
    pub(crate) certificate_expires_at: Option<u64>,
}

/// A group at one moment.
#[derive(Debug)]
pub(crate) struct GroupReport {
    pub(crate) name: String,
    pub(crate) stats: Stats,
    /// By outcome.
    pub(crate) requests: [Histogram; Outcome::NAMES.len()],
    /// By source.
    pub(crate) loads: [Histogram; SOURCES.len()],
}

/// The planes as names of a label.
pub(super) const PLANES: [&str; 2] = ["data", "operations"];

impl Report {
    /// A count of each plane, over all its loops.
    pub(super) fn planes(&self, count: impl Fn(&Meter) -> u64) -> [u64; PLANES.len()] {
        let (operations, data) =
            self.lanes.split_last().map_or((0, &[][..]), |(last, data)| (count(last), data));
        [data.iter().map(|lane| count(lane)).sum(), operations]
    }

    /// The report as the page `/stats` has it.
    pub(super) fn json(&self, stage: &str) -> String {
        let groups = self.groups.iter().map(|group| (group.name.clone(), group.json()));
        let groups: Map<String, Value> = groups.collect();
        let peers = self.peers.iter().map(|(name, is_up)| (name.clone(), json!({ "up": is_up })));
        let peers: Map<String, Value> = peers.collect();
        let [open, _] = self.planes(open);
        let [accepted, _] = self.planes(|meter| meter.accepted.get());
        let [refused, _] = self.planes(|meter| meter.refused.get());
        let [received, _] = self.planes(|meter| meter.received_bytes.get());
        let [sent, _] = self.planes(|meter| meter.sent_bytes.get());
        let (succeeded, at) = self.reloads;
        let mut page = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "stage": stage,
            "groups": groups,
            "peers": peers,
            "connections": { "open": open, "accepted": accepted, "refused": refused },
            "bytes": { "received": received, "sent": sent },
            "config": { "last_reload_successful": succeeded, "last_reload_success_at": at },
            "log_lines_dropped": crate::log::dropped(),
        });
        if let (Some(traps), Some(page)) = (self.traps, page.as_object_mut()) {
            page.insert("component_traps".to_owned(), traps.into());
        }
        format!("{page:#}\n")
    }
}

impl GroupReport {
    fn json(&self) -> Value {
        let numbers = COUNTERS.into_iter().chain(GAUGES);
        let numbers = numbers.map(|(name, _, read)| {
            let name = name.strip_prefix("gocache_").unwrap_or(name);
            (name.to_owned(), json!(read(&self.stats)))
        });
        let mut group: Map<String, Value> = numbers.collect();
        let named = Outcome::NAMES.into_iter().zip(&self.requests);
        let requests: Map<String, Value> =
            named.map(|(name, it)| (name.to_owned(), times(it))).collect();
        let named = SOURCES.into_iter().zip(&self.loads);
        let loads: Map<String, Value> =
            named.map(|(name, it)| (name.to_owned(), times(it))).collect();
        group.insert("requests".to_owned(), requests.into());
        group.insert("loads".to_owned(), loads.into());
        group.into()
    }
}

fn times(histogram: &Histogram) -> Value {
    json!({ "count": histogram.count(), "seconds": histogram.seconds() })
}

/// Connections that are open.
pub(super) fn open(meter: &Meter) -> u64 {
    let closed: u64 = meter.closed.iter().map(Count::get).sum();
    meter.accepted.get().saturating_sub(closed)
}
