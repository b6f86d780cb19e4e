//! The report as OpenMetrics 1.0 text, by the conventions of Prometheus: base units, and what is
//! counted ends in `_total`, which the encoder appends.

use std::fmt;

use gocache_core::Stats;
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet, text::encode,
    },
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{
    process::Process,
    report::{PLANES, Report, open},
};
use crate::meter::{CLASSES, Closed, Handshake, Histogram, Meter, Outcome, SOURCES};

pub(super) type Read = fn(&Stats) -> u64;
type ReadMeter = fn(&Meter) -> u64;

/// Name, help text, and where the number stands. The encoder appends `_total`.
pub(super) const COUNTERS: [(&str, &str, Read); 16] = [
    ("gocache_gets", "Requests for a key", |s| s.gets),
    ("gocache_hits", "Requests answered from memory", |s| s.hits),
    ("gocache_waits", "Requests that waited for the load of another one", |s| s.waits),
    ("gocache_busy", "Requests turned away at a limit", |s| s.busy),
    ("gocache_origin_loads", "Loads begun at the origin", |s| s.origin_loads),
    ("gocache_peer_loads", "Loads begun at the peer that owns the key", |s| s.peer_loads),
    ("gocache_peer_failures", "Loads that a peer failed", |s| s.peer_failures),
    ("gocache_not_found", "Loads that found no such key", |s| s.not_found),
    ("gocache_load_errors", "Loads that failed", |s| s.load_errors),
    ("gocache_evictions", "Entries that made room for others", |s| s.evictions),
    ("gocache_evictions_unused", "Entries evicted before a second use", |s| s.evictions_unused),
    ("gocache_expirations", "Entries found past their lifetime", |s| s.expirations),
    ("gocache_refused_too_large", "Values not stored for their size", |s| s.refused_too_large),
    ("gocache_refused_no_memory", "Values not stored for lack of memory", |s| s.refused_no_memory),
    ("gocache_puts", "Values put by request", |s| s.puts),
    ("gocache_removals", "Keys removed by request", |s| s.removals),
];

pub(super) const GAUGES: [(&str, &str, Read); 6] = [
    ("gocache_entries", "Entries held", |s| s.entries),
    ("gocache_memory_bytes", "Bytes of memory held by entries and tables", |s| s.bytes),
    ("gocache_budget_bytes", "The budget for those bytes", |s| s.budget),
    ("gocache_lent_bytes", "Bytes of values cached no more and still held", |s| s.lent_bytes),
    ("gocache_flights", "Loads in the air", |s| s.flights),
    ("gocache_flight_bytes", "Bytes that loads in the air take up", |s| s.flight_bytes),
];

/// The text of a report.
pub(super) fn render(report: Report) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(report));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Report {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut page = Page(encoder);
        self.groups(&mut page)?;
        self.planes_of(&mut page)?;
        self.node(&mut page)?;
        process(&mut page)
    }
}

impl Report {
    fn groups(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        for (name, help, read) in COUNTERS {
            let each =
                self.groups.iter().map(|it| (it.label(), ConstCounter::new(read(&it.stats))));
            page.family(name, help, MetricType::Counter, each)?;
        }
        for (name, help, read) in GAUGES {
            let each = self.groups.iter().map(|it| (it.label(), ConstGauge::new(read(&it.stats))));
            page.family(name, help, MetricType::Gauge, each)?;
        }
        let requests = self.groups.iter().flat_map(|group| {
            let outcomes = Outcome::NAMES.into_iter().zip(&group.requests);
            outcomes.map(|(outcome, it)| ([("group", &*group.name), ("outcome", outcome)], it))
        });
        page.family(
            "gocache_request_duration_seconds",
            "Time from the turn of a loop that has the whole head to the end of the one that has the answer",
            MetricType::Histogram,
            requests,
        )?;
        let loads = self.groups.iter().flat_map(|group| {
            let sources = SOURCES.into_iter().zip(&group.loads);
            sources.map(|(source, it)| ([("group", &*group.name), ("source", source)], it))
        });
        page.family(
            "gocache_load_duration_seconds",
            "Time that the origin, or the peer that owns the key, took for a load",
            MetricType::Histogram,
            loads,
        )
    }

    fn planes_of(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let by_plane = |read: fn(&Meter) -> u64| PLANES.into_iter().zip(self.planes(read));
        let counters: [(&str, &str, ReadMeter); 4] = [
            ("gocache_connections_accepted", "Connections taken up", |it| it.accepted.get()),
            ("gocache_connections_refused", "Connections over the limit", |it| it.refused.get()),
            ("gocache_received_bytes", "Bytes from clients", |it| it.received_bytes.get()),
            ("gocache_sent_bytes", "Bytes to clients", |it| it.sent_bytes.get()),
        ];
        for (name, help, read) in counters {
            let each =
                by_plane(read).map(|(plane, it)| ([("plane", plane)], ConstCounter::new(it)));
            page.family(name, help, MetricType::Counter, each)?;
        }
        let each = by_plane(open).map(|(plane, it)| ([("plane", plane)], ConstGauge::new(it)));
        page.family("gocache_connections", "Connections that are open", MetricType::Gauge, each)?;
        let closed = self.by_plane(("by", Closed::NAMES), |meter, at| meter.closed[at].get());
        page.family(
            "gocache_connections_closed",
            "Connections that have ended, and who or what ended them",
            MetricType::Counter,
            closed.into_iter(),
        )?;
        let answers = self.by_plane(("class", CLASSES), |meter, at| meter.answers[at].get());
        page.family(
            "gocache_responses",
            "Answers by the class of their status",
            MetricType::Counter,
            answers.into_iter(),
        )
    }

    fn by_plane<const N: usize>(
        &self,
        (label, names): (&'static str, [&'static str; N]),
        read: impl Fn(&Meter, usize) -> u64,
    ) -> Vec<([(&'static str, &'static str); 2], ConstCounter)> {
        let each = names.into_iter().enumerate().flat_map(|(at, name)| {
            let planes = PLANES.into_iter().zip(self.planes(|meter| read(meter, at)));
            planes
                .map(move |(plane, it)| ([("plane", plane), (label, name)], ConstCounter::new(it)))
        });
        each.collect()
    }

    fn node(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let up = self
            .peers
            .iter()
            .map(|(peer, is_up)| ([("peer", peer.as_str())], ConstGauge::new(u64::from(*is_up))));
        page.family("gocache_peer_up", "Whether a peer answered last time", MetricType::Gauge, up)?;
        let (succeeded, at) = self.reloads;
        page.gauge(
            "gocache_config_last_reload_successful",
            "Whether the configuration could be read last time",
            u64::from(succeeded),
        )?;
        page.gauge(
            "gocache_config_last_reload_success_timestamp_seconds",
            "When it last could, since 1970",
            at,
        )?;
        page.counter(
            "gocache_log_lines_dropped",
            "Lines of the log that nobody took in time",
            ConstCounter::new(crate::log::dropped()),
        )?;
        if let Some(traps) = self.traps {
            let help = "Instances of the component that broke off and were replaced";
            page.counter("gocache_component_traps", help, ConstCounter::new(traps))?;
        }
        self.tls(page)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut build =
            page.0.encode_descriptor("gocache_build", "What is running", None, MetricType::Info)?;
        build.encode_info(&version)
    }

    fn tls(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let handshakes = Handshake::NAMES.into_iter().enumerate().map(|(at, outcome)| {
            let [count, _] = self.planes(|meter| meter.handshakes[at].get());
            ([("outcome", outcome)], ConstCounter::new(count))
        });
        page.family(
            "gocache_tls_handshakes",
            "Handshakes with clients, and how they ended",
            MetricType::Counter,
            handshakes,
        )?;
        let Some(at) = self.certificate_expires_at else { return Ok(()) };
        page.gauge(
            "gocache_tls_certificate_expiry_timestamp_seconds",
            "When the certificate of the data port expires, since 1970",
            at,
        )
    }
}

fn process(page: &mut Page<'_>) -> Result<(), fmt::Error> {
    let Some(Process { cpu_seconds, gauges }) = Process::read() else { return Ok(()) };
    let cpu = ConstCounter::new(cpu_seconds);
    page.counter(
        "process_cpu_seconds",
        "Time on a processor, in user mode and in the kernel",
        cpu,
    )?;
    gauges.into_iter().try_for_each(|(name, help, value)| page.gauge(name, help, value))
}

impl super::GroupReport {
    fn label(&self) -> [(&str, &str); 1] {
        [("group", &self.name)]
    }
}

/// The page as it grows, a family at a time.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// One metric with a line, or one histogram, for each set of labels. Without any, nothing.
    fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        each: impl Iterator<Item = (L, M)>,
    ) -> Result<(), fmt::Error> {
        let mut each = each.peekable();
        if each.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, metric) in each {
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge<N>(&mut self, name: &str, help: &str, value: N) -> Result<(), fmt::Error>
    where
        ConstGauge<N>: EncodeMetric,
    {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, it: impl EncodeMetric) -> Result<(), fmt::Error> {
        it.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }
}

impl EncodeMetric for &Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let buckets = self.buckets();
        encoder.encode_histogram::<NoLabelSet>(self.seconds(), self.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
