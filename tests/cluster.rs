//! The cluster: three real processes and one origin that counts. Each key is loaded once in all of
//! them, and a node that is killed, or hangs, costs no client an error. What is written to one of
//! them shows on all (`writes`); others ask it (`stateless`).

mod stateless;
mod writes;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Client, Origin, PATIENCE, Process, Reply, eventually, free_address, get};

const SECRET: &str = "a-secret-of-the-cluster";

struct Cluster {
    // The nodes end before the origin and their directories go.
    nodes: Vec<Process>,
    origin: Origin,
    directories: Vec<TempDir>,
}

impl Cluster {
    /// Three nodes that know each other, over an origin where every key has itself as its value.
    fn start() -> Self {
        Self::start_with("400ms", |_| String::new())
    }

    /// The same with this deadline for peers, and more in the configuration of each.
    fn start_with(peer: &str, more: impl Fn(usize) -> String) -> Self {
        let origin = Origin::start();
        origin.set_otherwise(Reply::Echo);
        let directories: Vec<TempDir> =
            (0..3).map(|_| tempfile::tempdir().expect("a directory")).collect();
        let addresses: Vec<_> = (0..3).map(|_| free_address()).collect();
        let start = |at: usize, directory: &Path| {
            let peers: Vec<String> = addresses.iter().map(|it| format!("\"{it}\"")).collect();
            let config = format!(
                "loops = 2\n[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
                 [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n\
                 [deadlines]\nload = \"20s\"\npeer = \"{peer}\"\nconnect = \"200ms\"\n\
                 [cluster]\nself = \"{}\"\npeers = [{}]\nsecret = \"{SECRET}\"\n{}",
                origin.url(),
                addresses[at],
                peers.join(", "),
                more(at),
            );
            Process::start_at(directory, Some(&config), addresses[at])
        };
        let nodes = (0..).zip(&directories).map(|(at, it)| start(at, it.path())).collect();
        Self { nodes, origin, directories }
    }

    fn total(&self, metric: &str) -> f64 {
        self.nodes.iter().map(|node| node.metric(metric)).sum()
    }
}

fn keys(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

#[test]
fn each_key_is_loaded_once_in_the_cluster() {
    let cluster = Cluster::start();
    let keys = keys("key", 60);
    for key in &keys {
        // All three at once: the owner's single flight is the cluster's.
        let mut clients: Vec<Client> =
            cluster.nodes.iter().map(|node| Client::connect(node.addr)).collect();
        for client in &mut clients {
            client.send(get(key));
        }
        for client in &mut clients {
            client.answer().status(200).body(key);
        }
        assert_eq!(cluster.origin.loads_of(key), 1, "loads of {key}");
    }
    for node in &cluster.nodes {
        let loads = node.metric("gocache_origin_loads_total");
        assert!(loads >= 5.0, "a node loaded {loads} of 60 keys: they are not shared");
    }
    assert_eq!(cluster.total("gocache_peer_failures_total"), 0.0);
}

#[test]
fn a_key_that_is_not_there_is_asked_for_once_and_told_to_all() {
    let cluster = Cluster::start();
    cluster.origin.set("Nobody", Reply::NotFound);
    for node in &cluster.nodes {
        node.get("Nobody").status(404).body("Nobody not exist\n");
    }
    assert_eq!(cluster.origin.loads_of("Nobody"), 3, "once for each request, and not twice");
    cluster.origin.set("Broken", Reply::status(500));
    for node in &cluster.nodes {
        node.get("Broken").status(502);
    }
    assert_eq!(cluster.origin.loads_of("Broken"), 3, "a peer's 502 is not asked for again");
}

#[test]
fn a_killed_node_costs_no_client_an_error() {
    let mut cluster = Cluster::start();
    let stop = AtomicBool::new(false);
    let victim = cluster.nodes.pop().expect("three nodes");
    thread::scope(|scope| {
        let asking: Vec<_> = (0..4)
            .map(|number: usize| {
                let (node, stop) = (&cluster.nodes[number % 2], &stop);
                scope.spawn(move || {
                    let mut client = Client::connect(node.addr);
                    let mut asked = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let key = format!("client-{number}-{asked}");
                        client.get(&key).status(200).body(&key);
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        let forwarded = || cluster.total("gocache_peer_loads_total");
        eventually("keys of the third node are asked for", || forwarded() > 100.0);
        drop(victim); // SIGKILL
        let before = forwarded();
        eventually("and others after its end", || forwarded() > before + 200.0);
        stop.store(true, Ordering::Relaxed);
        for client in asking {
            assert!(client.join().expect("every answer was right") > 0);
        }
    });
    assert!(cluster.total("gocache_peer_failures_total") > 0.0, "the origin stepped in");
    assert_eq!(cluster.total("gocache_load_errors_total"), 0.0);
}

#[test]
fn a_node_that_hangs_is_waited_for_once() {
    let cluster = Cluster::start();
    cluster.nodes[2].signal(Signal::STOP);
    let began = Instant::now();
    for key in keys("slow", 40) {
        cluster.nodes[0].get(&key).status(200).body(&key);
    }
    // 40 keys, of which a third is the hung node's: without the breaker, 13 times the deadline.
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    cluster.nodes[2].signal(Signal::CONT);
    let failures = || cluster.nodes[0].metric("gocache_peer_failures_total");
    eventually("the node is used again", || {
        let before = failures();
        for key in keys(&format!("back-{before}-{:?}", began.elapsed()), 10) {
            cluster.nodes[0].get(&key).status(200);
        }
        failures() == before
    });
    assert!(began.elapsed() < 2 * PATIENCE);
}

#[test]
fn a_node_leaves_the_ring_and_comes_back_while_it_runs() {
    let cluster = Cluster::start();
    let node = &cluster.nodes[0];
    let file = cluster.directories[0].path().join("gocache.toml");
    let text = fs::read_to_string(&file).expect("it was started with one");
    let reload = |text: &str| {
        let before = node.log().matches("reloaded").count();
        fs::write(&file, text).expect("writable");
        node.signal(Signal::HUP);
        eventually("it is reloaded", || node.log().matches("reloaded").count() > before);
    };
    let forwarded = || node.metric("gocache_peer_loads_total");
    let ask = |prefix| {
        for key in keys(prefix, 20) {
            node.get(&key).status(200).body(&key);
        }
    };
    reload(text.split("[cluster]").next().expect("the beginning"));
    ask("alone");
    assert_eq!(forwarded(), 0.0, "it stands alone");
    reload(&text);
    ask("together");
    assert!(forwarded() > 0.0, "it asks the others again");
    ask("alone");
    let [hits, failures] =
        ["gocache_hits_total", "gocache_peer_failures_total"].map(|it| node.metric(it));
    assert_eq!((hits, failures), (20.0, 0.0), "what it cached is still there");
}

#[test]
fn a_mark_counts_only_with_the_secret() {
    let cluster = Cluster::start();
    let ask = |key: &str, secret: &str| {
        let mut client = Client::connect(cluster.nodes[0].addr);
        let request = format!(
            "GET /_gocache/scores/{key} HTTP/1.1\r\nHost: gocache\r\nGocache-Peer: {secret}\r\n\r\n"
        );
        client.send(request).answer().status(200).body(key);
    };
    let forwarded = || cluster.nodes[0].metric("gocache_peer_loads_total");
    for key in keys("marked", 20) {
        ask(&key, SECRET);
    }
    assert_eq!(forwarded(), 0.0, "what a peer asks for is never sent on");
    for key in keys("forged", 20) {
        ask(&key, "another-secret-than-that");
    }
    assert!(forwarded() > 0.0, "without the secret it is a client's request like any other");
}
