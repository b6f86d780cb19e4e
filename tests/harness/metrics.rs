//! A page of OpenMetrics 1.0 text, read strictly: a scraper that is choosier than Prometheus can
//! read it too.

use std::collections::HashSet;

/// One line of a measurement: `name{label="value"} 1`.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    /// The page, or the first line that is not in the grammar.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lines =
            text.strip_suffix("# EOF\n").ok_or("the page does not end with # EOF and a newline")?;
        let mut families = HashSet::new();
        let mut family = ("", "unknown");
        let mut seen = HashSet::new();
        let mut samples = Vec::new();
        for line in lines.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name, rest) = (words.next(), words.next(), words.next());
                let (Some(kind @ ("TYPE" | "HELP" | "UNIT")), Some(name), Some(rest)) =
                    (kind, name, rest)
                else {
                    return Err(format!("no metadata: {line:?}"));
                };
                if family.0 != name {
                    family = (name, "unknown");
                    if !is_name(name) || !families.insert(name) {
                        return Err(format!("a family that begins twice or has no name: {line:?}"));
                    }
                }
                if kind == "TYPE" {
                    family.1 = rest;
                }
                continue;
            }
            let sample = parse_sample(line).ok_or_else(|| format!("no sample: {line:?}"))?;
            if !belongs(&sample.name, family) {
                return Err(format!("a sample outside of its family ({family:?}): {line:?}"));
            }
            if !seen.insert(line.rsplit_once(' ').map(|(series, _)| series)) {
                return Err(format!("a series that stands twice: {line:?}"));
            }
            samples.push(sample);
        }
        Ok(Self { samples })
    }

    /// The value of a series of the group `scores`; `None` where the page has no such series.
    pub(crate) fn of_scores(&self, name: &str) -> Option<f64> {
        let ours = |label: &(String, String)| label.0 == "group" && label.1 == "scores";
        let found = self
            .samples
            .iter()
            .filter(|sample| sample.name == name && sample.labels.iter().any(ours));
        found.map(|sample| sample.value).reduce(|sum, value| sum + value)
    }

    /// The value of the series that has these labels, and perhaps others.
    pub(crate) fn of(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &Sample, (name, value): &(&str, &str)| {
            sample.labels.iter().any(|label| label.0 == *name && label.1 == *value)
        };
        let mut samples = self.samples.iter().filter(|sample| sample.name == name);
        let found = samples.find(|sample| labels.iter().all(|label| has(sample, label)));
        found.map(|sample| sample.value)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.samples.iter().map(|sample| sample.name.as_str())
    }
}

fn belongs(name: &str, (family, kind): (&str, &str)) -> bool {
    let Some(suffix) = name.strip_prefix(family) else {
        return false;
    };
    match kind {
        "counter" => matches!(suffix, "_total" | "_created"),
        "gauge" | "unknown" | "stateset" => suffix.is_empty(),
        "info" => suffix == "_info",
        "histogram" => matches!(suffix, "_bucket" | "_count" | "_sum" | "_created"),
        "summary" => matches!(suffix, "" | "_count" | "_sum" | "_created"),
        _ => false,
    }
}

fn parse_sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, parse_labels(labels.strip_suffix('}')?)?),
        None => (series, Vec::new()),
    };
    is_name(name).then(|| Sample { name: name.into(), labels, value })
}

/// `a="b",c="d"`; a backslash keeps a quote from ending its value.
fn parse_labels(text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut escaped = false;
        let end = after.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        })?;
        if !is_name(name) {
            return None;
        }
        labels.push((name.into(), after[..end].into()));
        rest = &after[end + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',')?;
        }
    }
    Some(labels)
}

fn is_name(text: &str) -> bool {
    let rest = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.chars().all(rest) && text.starts_with(|first: char| !first.is_ascii_digit())
}

#[test]
fn open_metrics_is_read() {
    let page = "# TYPE a_hits counter\n# HELP a_hits Hits.\n\
                a_hits_total{group=\"scores\",x=\"\\\"\"} 3\n\
                a_hits_total{group=\"other\"} 4\n# TYPE b gauge\nb 1.5\n# EOF\n";
    let metrics = Metrics::parse(page).expect("a good page");
    assert_eq!(metrics.of_scores("a_hits_total"), Some(3.0));
    assert_eq!(metrics.of_scores("b"), None);
    assert_eq!(metrics.of("a_hits_total", &[("x", "\\\"")]), Some(3.0));
    assert_eq!((metrics.of("b", &[]), metrics.of("b", &[("x", "")])), (Some(1.5), None));
    assert_eq!(metrics.names().count(), 3);
    for bad in [
        "a 1\n",
        "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a gauge\na 1\n\n# EOF\n",
        "# TYPE a gauge\na 1\na 1\n# EOF\n",
        "# TYPE a gauge\nb 1\n# EOF\n",
        "# TYPE a gauge\na{b=c} 1\n# EOF\n",
        "# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",
    ] {
        assert!(Metrics::parse(bad).is_err(), "taken for OpenMetrics: {bad:?}");
    }
}
