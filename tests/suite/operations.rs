//! Operators have a port of their own: whether the server lives, whether it is ready, and what it
//! has done so far.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{
    Answer, Asked, Frontend, Metrics, Reply, Setup, Site, delete, eventually, get, put,
};

promises! {
    health_and_readiness_are_answered,
    metrics_are_open_metrics,
    counters_move_with_requests,
    what_becomes_of_memory_is_counted,
    answers_are_timed_by_what_became_of_them,
    connections_and_bytes_are_counted,
    prometheus_reads_the_metrics,
    stats_are_json,
    writes_are_counted,
    the_data_port_has_no_operations,
    the_operations_port_has_no_data,
    the_operations_port_speaks_http_as_strictly,
}

#[track_caller]
pub(super) fn ask_ops(site: &Site, line: &str) -> Answer {
    let asked = if line.starts_with("HEAD") { Asked::Head } else { Asked::Get };
    site.connect_ops().send(format!("{line} HTTP/1.1\r\nHost: gocache\r\n\r\n")).answer_to(asked)
}

#[track_caller]
pub(super) fn scrape(site: &Site) -> Metrics {
    let answer = ask_ops(site, "GET /metrics");
    answer
        .status(200)
        .has("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = String::from_utf8_lossy(&answer.body);
    Metrics::parse(&text).unwrap_or_else(|error| panic!("{error}\n  in: {text}"))
}

fn health_and_readiness_are_answered<F: Frontend>() {
    let site = Site::new::<F>();
    ask_ops(&site, "GET /healthz").status(200);
    eventually("a started server is ready", || ask_ops(&site, "GET /readyz").status == 200);
    ask_ops(&site, "HEAD /healthz").status(200);
    ask_ops(&site, "GET /healthz?verbose").status(200);
}

fn metrics_are_open_metrics<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200);
    let metrics = scrape(&site);
    let ours = metrics.names().filter(|name| name.starts_with("gocache_")).count();
    assert!(ours > 3, "{ours} series that begin with gocache_");
}

/// What these series of the group say.
#[track_caller]
fn series<const N: usize>(site: &Site, wanted: [&str; N]) -> [f64; N] {
    let metrics = scrape(site);
    wanted.map(|name| {
        let names: Vec<&str> = metrics.names().collect();
        let found = metrics.of_scores(name);
        found.unwrap_or_else(|| panic!("no series {name} of the group scores among {names:?}"))
    })
}

/// What the counters of the group say: gets, hits and loads.
#[track_caller]
fn counts(site: &Site) -> [f64; 3] {
    series(site, ["gocache_gets_total", "gocache_hits_total", "gocache_origin_loads_total"])
}

fn counters_move_with_requests<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("Tom", Reply::value("630"));
    assert_eq!(counts(&site), [0.0; 3], "gets, hits and loads without a request");
    let mut client = site.connect();
    client.get("Tom").status(200);
    assert_eq!(counts(&site), [1.0, 0.0, 1.0], "gets, hits and loads after a miss");
    for _ in 0..3 {
        client.get("Tom").status(200);
    }
    assert_eq!(counts(&site), [4.0, 3.0, 1.0], "the same and three hits");
    client.get("nobody").status(404);
    assert_eq!(counts(&site), [5.0, 3.0, 2.0], "the same and a key that is not there");
}

fn writes_are_counted<F: Frontend>() {
    let site = Setup::new().writes("").start::<F>();
    let writes = || series(&site, ["gocache_puts_total", "gocache_removals_total"]);
    assert_eq!(writes(), [0.0; 2], "puts and removals without a request");
    let mut client = site.connect();
    client.send(put("Tom", "630")).answer().status(204);
    client.send(put("Tom", "631")).answer().status(204);
    client.send(delete("Tom")).answer().status(204);
    client.send(delete("nobody").replace("Bearer", "Bearer x")).answer().status(403);
    assert_eq!(writes(), [2.0, 1.0], "puts, one of which replaced a value, and a removal");
}

fn what_becomes_of_memory_is_counted<F: Frontend>() {
    let site = Setup::new().budget("64 KiB").start::<F>();
    site.origin.set_otherwise(Reply::value([b'.'; 10 << 10]));
    site.origin.set("giant", Reply::value(vec![b'.'; 65 << 10]));
    let refused = ["gocache_refused_too_large_total", "gocache_refused_no_memory_total"];
    let evicted = ["gocache_evictions_total", "gocache_evictions_unused_total"];
    let flights = ["gocache_flights", "gocache_flight_bytes"];
    assert_eq!(series(&site, refused), [0.0; 2], "refused at the start");
    assert_eq!(series(&site, evicted), [0.0; 2], "evicted at the start");
    assert_eq!(series(&site, flights), [0.0; 2], "in the air at the start");

    let mut client = site.connect();
    client.get("giant").status(200);
    assert_eq!(series(&site, refused), [1.0, 0.0], "refused of a value over the budget");
    for key in ["a", "b", "b", "c", "d", "e", "f", "g", "h"] {
        client.get(key).status(200);
    }
    let [evictions, unused] = series(&site, evicted);
    assert!(evictions >= 2.0 && unused == evictions - 1.0, "b was used: {unused} of {evictions}");
    let [held, budget] = series(&site, ["gocache_memory_bytes", "gocache_budget_bytes"]);
    assert!(held > 50e3 && held <= budget && budget == 65536.0, "{held} bytes of {budget}");

    site.origin.set("Tom", Reply::Hang);
    let _waits = site.waiting("Tom");
    let [flights, bytes] = series(&site, flights);
    assert!(flights == 1.0 && bytes > 0.0, "{bytes} bytes for {flights} load in the air");
    eventually("no value is lent once it is sent", || {
        series(&site, ["gocache_lent_bytes"]) == [0.0]
    });
}

/// How many requests of the group had each outcome.
fn outcomes(site: &Site) -> [f64; 5] {
    let metrics = scrape(site);
    ["hit", "miss", "wait", "not_found", "error"].map(|outcome| {
        let labels = [("group", "scores"), ("outcome", outcome)];
        let count = metrics.of("gocache_request_duration_seconds_count", &labels);
        count.unwrap_or_else(|| panic!("no durations of {outcome}"))
    })
}

fn answers_are_timed_by_what_became_of_them<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set("broken", Reply::status(500));
    let gate = site.origin.gate();
    site.origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("at last"))));
    assert_eq!(outcomes(&site), [0.0; 5]);
    let mut client = site.connect();
    for (key, status) in
        [("hot", 200), ("hot", 200), ("nobody", 404), ("broken", 502), ("hot", 200)]
    {
        client.get(key).status(status);
    }
    let mut waiting = [site.waiting("slow"), site.waiting("slow")];
    std::thread::sleep(std::time::Duration::from_millis(30));
    gate.open();
    for client in &mut waiting {
        client.answer().status(200);
    }
    // It is recorded once the answers are out.
    eventually("all are counted", || outcomes(&site) == [4.0, 2.0, 1.0, 1.0, 1.0]);
    let metrics = scrape(&site);
    let of = |name: &str, outcome, le: &[(&str, &str)]| {
        let labels = [[("group", "scores"), ("outcome", outcome)].as_slice(), le].concat();
        metrics.of(&format!("gocache_request_duration_seconds_{name}"), &labels).expect("a series")
    };
    assert!(of("sum", "wait", &[]) > 0.02 && of("sum", "hit", &[]) > 0.0);
    assert_eq!(of("bucket", "wait", &[("le", "0.01")]), 0.0, "it waited for longer");
    assert_eq!(of("bucket", "wait", &[("le", "+Inf")]), 1.0);
    let labels = [("group", "scores"), ("source", "origin")];
    assert_eq!(metrics.of("gocache_load_duration_seconds_count", &labels), Some(4.0));
}

fn connections_and_bytes_are_counted<F: Frontend>() {
    let site = Setup::new().limit("connections", 3).deadline("idle", "30s").start::<F>();
    let of = |name: &str, label| {
        let labels = [("plane", "data"), label];
        scrape(&site).of(name, &labels).unwrap_or_else(|| panic!("no series {name} {label:?}"))
    };
    let data = ("plane", "data");
    let mut clients = [site.connect(), site.connect(), site.connect()];
    for client in &mut clients {
        client.get("hot").status(200);
    }
    site.get("hot").status(503);
    eventually("all are told apart", || {
        of("gocache_connections", data) == 3.0
            && of("gocache_connections_accepted_total", data) == 3.0
            && of("gocache_connections_refused_total", data) == 1.0
    });
    let [mut first, second, _third] = clients;
    first.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").answer().status(404);
    first.end();
    drop((first, second));
    eventually("one closes, and one is closed", || {
        of("gocache_connections_closed_total", ("by", "server")) == 1.0
            && of("gocache_connections_closed_total", ("by", "client")) == 1.0
            && of("gocache_connections", data) == 1.0
    });
    assert_eq!(of("gocache_responses_total", ("class", "2xx")), 3.0);
    assert_eq!(of("gocache_responses_total", ("class", "4xx")), 1.0);
    assert_eq!(of("gocache_responses_total", ("class", "5xx")), 1.0);
    let asked = 3 * get("hot").len();
    let received = of("gocache_received_bytes_total", data);
    // TLS is part of what comes.
    let most = 3 * asked + if F::IS_SECURE { 4 << 10 } else { 0 };
    assert!(received >= asked as f64 && received < most as f64, "{received} of {asked}");
    assert!(of("gocache_sent_bytes_total", data) > 300.0);
}

/// The names that the text format of Prometheus has for what OpenMetrics names by family.
fn as_prometheus_text(page: &str) -> String {
    let counters = page.lines().filter_map(|line| {
        let family = line.strip_prefix("# TYPE ")?;
        family
            .strip_suffix(" counter")
            .map(|name| (name, "_total"))
            .or(family.strip_suffix(" info").map(|name| (name, "_info")))
    });
    let suffixes: Vec<(&str, &str)> = counters.collect();
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ').collect::<Vec<_>>();
        if !line.starts_with("# ") || words.len() < 4 {
            return line.to_owned();
        }
        let suffix = suffixes.iter().find(|(name, _)| *name == words[2]);
        let name = format!("{}{}", words[2], suffix.map_or("", |(_, suffix)| suffix));
        words[2] = &name;
        words.join(" ").replace(" info", " gauge") + "\n"
    };
    page.lines()
        .filter(|it| *it != "# EOF")
        .map(|it| line(it).trim_end().to_owned() + "\n")
        .collect()
}

/// Prometheus itself is the judge, where it is installed.
fn prometheus_reads_the_metrics<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200);
    let answer = ask_ops(&site, "GET /metrics");
    let page = String::from_utf8(answer.status(200).body.clone()).expect("it is UTF-8");
    let directory = tempfile::tempdir().expect("a directory");
    // Its importer wants to know when it was; its parser is the one that scrapes.
    let stamped = page.lines().map(|line| match line.starts_with('#') {
        true => format!("{line}\n"),
        false => format!("{line} 1700000000\n"),
    });
    let file = directory.path().join("page");
    std::fs::write(&file, stamped.collect::<String>()).expect("writable");
    let import = ["tsdb", "create-blocks-from", "openmetrics", "page", "data"];
    promtool(&import, directory.path(), "");
    promtool(&["check", "metrics"], directory.path(), &as_prometheus_text(&page));
}

fn promtool(arguments: &[&str], directory: &Path, input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        return eprintln!("promtool is not on the PATH: apt-get install prometheus");
    };
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

fn stats_are_json<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200);
    site.get("hot").status(200);
    let answer = ask_ops(&site, "GET /stats");
    answer.status(200).has("content-type", "application/json");
    let page: serde_json::Value = serde_json::from_slice(&answer.body).expect("it is JSON");
    assert_eq!(page["stage"], "ready");
    assert_eq!(page["groups"]["scores"]["gets"], 2);
    assert_eq!(page["groups"]["scores"]["hits"], 1);
    assert_eq!(page["groups"]["scores"]["budget_bytes"], 1 << 20);
    assert_eq!(page["groups"]["scores"]["loads"]["origin"]["count"], 1);
    assert_eq!(page["connections"]["accepted"], 2);
}

fn the_data_port_has_no_operations<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    for page in ["/metrics", "/healthz", "/readyz", "/stats", "/", "//metrics", "/./metrics"] {
        client.send(format!("GET {page} HTTP/1.1\r\nHost: gocache\r\n\r\n")).answer().status(404);
    }
}

fn the_operations_port_has_no_data<F: Frontend>() {
    let site = Site::new::<F>();
    for line in [
        "GET /_gocache/scores/hot",
        "GET /nothing",
        "GET /metrics/",
        "GET /healthz/x",
        "GET /HEALTHZ",
    ] {
        ask_ops(&site, line).status(404);
    }
    ask_ops(&site, "POST /healthz").status(405).need("allow");
    let answer = ask_ops(&site, "DELETE /_gocache/scores/hot");
    answer.must(matches!(answer.status, 404 | 405), "404 or 405");
    assert_eq!(site.origin.loads(), 0, "loads by way of the operations port");
}

fn the_operations_port_speaks_http_as_strictly<F: Frontend>() {
    let site = Site::new::<F>();
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        ("GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("nonsense\r\n\r\n", 400),
    ] {
        let mut client = site.connect_ops();
        client.send(request).answer().status(status);
        client.end();
    }
    let mut client = site.connect_ops();
    for _ in 0..3 {
        client.send("GET /healthz HTTP/1.1\r\nHost: gocache\r\n\r\n").answer().status(200);
    }
}
