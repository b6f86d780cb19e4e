//! Operators have a port of their own: whether the server lives, whether it is ready, and what it
//! has done so far.

use crate::harness::{Answer, Asked, Frontend, Metrics, Reply, Site, eventually};

promises! {
    health_and_readiness_are_answered,
    metrics_are_open_metrics,
    counters_move_with_requests,
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

/// What the counters of the group say: gets, hits and loads.
#[track_caller]
fn counts(site: &Site) -> [f64; 3] {
    let metrics = scrape(site);
    ["gocache_gets_total", "gocache_hits_total", "gocache_origin_loads_total"].map(|name| {
        let names: Vec<&str> = metrics.names().collect();
        let found = metrics.of_scores(name);
        found.unwrap_or_else(|| panic!("no series {name} of the group scores among {names:?}"))
    })
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
