//! Operators have a port of their own: whether the server lives, whether it is ready, and what it
//! has done so far.

use crate::harness::{
    Answer, Asked, Frontend, Metrics, Reply, Setup, Site, delete, eventually, put,
};

promises! {
    health_and_readiness_are_answered,
    metrics_are_open_metrics,
    counters_move_with_requests,
    what_becomes_of_memory_is_counted,
    writes_are_counted,
    the_data_port_has_no_operations,
    the_operations_port_has_no_data,
    the_operations_port_speaks_http_as_strictly,
}

#[track_caller]
fn ask_ops(site: &Site, line: &str) -> Answer {
    let asked = if line.starts_with("HEAD") { Asked::Head } else { Asked::Get };
    site.connect_ops().send(format!("{line} HTTP/1.1\r\nHost: gocache\r\n\r\n")).answer_to(asked)
}

#[track_caller]
fn scrape(site: &Site) -> Metrics {
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
