//! The operations plane: how the server is, for machines and for people.

use std::{borrow::Cow, fmt};

use gocache_core::{Stats, Status};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    answer::{Answer, TEXT_PLAIN, Text, Turn},
    engine::Engine,
    http1::Request,
    plane::{Plane, Reply},
};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The operations plane as one connection meets it in one turn.
pub(crate) struct OpsPlane<'a, E> {
    pub(crate) engine: &'a E,
}

impl<E: Engine> Plane for OpsPlane<'_, E> {
    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
        let known = matches!(path, b"/healthz" | b"/readyz" | b"/metrics");
        Reply::Now(match path {
            _ if known && !request.method.is_read() => {
                Answer::line(Status::MethodNotAllowed, "this page has GET and HEAD only")
            }
            b"/healthz" => Answer::line(Status::Ok, "alive"),
            b"/readyz" if turn.draining => Answer::line(Status::ServiceUnavailable, "draining"),
            b"/readyz" => Answer::line(Status::Ok, "ready"),
            b"/metrics" => metrics(self.engine, turn),
            _ => Answer::line(Status::NotFound, "here are /metrics, /healthz and /readyz"),
        })
    }
}

fn metrics(engine: &impl Engine, turn: &Turn<'_>) -> Answer {
    let names = turn.config.groups.iter().map(|group| group.name.clone());
    let snapshot = Snapshot(names.zip(engine.stats()).collect());
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot));
    let mut body = String::new();
    match encode(&mut body, &registry) {
        Ok(()) => Answer::Text(Text {
            status: Status::Ok,
            content_type: OPENMETRICS,
            body: Cow::Owned(body),
            field: None,
        }),
        Err(fmt::Error) => Answer::Text(Text {
            status: Status::InternalServerError,
            content_type: TEXT_PLAIN,
            body: Cow::Borrowed("the metrics cannot be rendered\n"),
            field: None,
        }),
    }
}

/// The counters of all groups at one moment.
#[derive(Debug)]
struct Snapshot(Vec<(String, Stats)>);

type Read = fn(&Stats) -> u64;

/// Name, help text, and where the number stands. The encoder appends `_total`.
const COUNTERS: [(&str, &str, Read); 16] = [
    ("gocache_gets", "Requests for a key", |s| s.gets),
    ("gocache_hits", "Requests answered from memory", |s| s.hits),
    ("gocache_waits", "Requests that waited for the load of another one", |s| s.waits),
    ("gocache_busy", "Requests turned away at a limit", |s| s.busy),
    ("gocache_origin_loads", "Loads begun at the origin", |s| s.origin_loads),
    ("gocache_peer_loads", "Loads begun at the peer that owns the key", |s| s.peer_loads),
    ("gocache_peer_failures", "Loads that a peer failed", |s| s.peer_failures),
    ("gocache_not_found", "Loads that found no such key", |s| s.not_found),
    ("gocache_load_errors", "Loads that failed", |s| s.load_errors),
    ("gocache_puts", "Values put by request", |s| s.puts),
    ("gocache_removals", "Keys removed by request", |s| s.removals),
    ("gocache_evictions", "Entries that made room for others", |s| s.evictions),
    ("gocache_evictions_unused", "Entries evicted before a second use", |s| s.evictions_unused),
    ("gocache_expirations", "Entries found past their lifetime", |s| s.expirations),
    ("gocache_refused_too_large", "Values not stored for their size", |s| s.refused_too_large),
    ("gocache_refused_no_memory", "Values not stored for lack of memory", |s| s.refused_no_memory),
];

const GAUGES: [(&str, &str, Read); 6] = [
    ("gocache_entries", "Entries held", |s| s.entries),
    ("gocache_memory_bytes", "Bytes of memory held by entries and tables", |s| s.bytes),
    ("gocache_budget_bytes", "The budget for those bytes", |s| s.budget),
    ("gocache_lent_bytes", "Bytes of values cached no more and still held", |s| s.lent_bytes),
    ("gocache_flights", "Loads in the air", |s| s.flights),
    ("gocache_flight_bytes", "Bytes that loads in the air take up", |s| s.flight_bytes),
];

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, read) in COUNTERS {
            let counter = |stats: &Stats| ConstCounter::new(read(stats));
            self.family(&mut encoder, name, help, counter)?;
        }
        for (name, help, read) in GAUGES {
            let gauge =
                |stats: &Stats| ConstGauge::new(i64::try_from(read(stats)).unwrap_or(i64::MAX));
            self.family(&mut encoder, name, help, gauge)?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// One metric with a line for each group.
    fn family<M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        metric: impl Fn(&Stats) -> M,
    ) -> Result<(), fmt::Error> {
        let Some((_, first)) = self.0.first() else { return Ok(()) };
        let kind = metric(first).metric_type();
        let mut encoder = encoder.encode_descriptor(name, help, None, kind)?;
        for (group, stats) in &self.0 {
            let labels = [("group", group.as_str())];
            metric(stats).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
