//! A cluster whose nodes reach each other over TLS, for loads and for writes, and know each other by
//! their certificates.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::Signal;
use tempfile::TempDir;

use super::config;
use crate::harness::{
    Authority, Client, Credentials, HOSTS, Hosted, Origin, Process, Reply, TOKEN, TlsFiles, delete,
    eventually, free_address, is_on_path, jco_serve, put,
};

/// Nodes that know each other by their certificates, without a secret.
struct Cluster {
    nodes: Vec<Process>,
    tls: TlsFiles,
    origin: Origin,
    _directories: Vec<TempDir>,
}

impl Cluster {
    fn start() -> Self {
        let origin = Origin::start();
        origin.set_otherwise(Reply::Echo);
        // One authority vouches for the nodes as servers and as clients.
        let tls = TlsFiles::with_client_ca("optional");
        fs::write(tls.path().join("client-ca.pem"), tls.authority.pem()).expect("writable");
        let directories: Vec<TempDir> =
            (0..2).map(|_| tempfile::tempdir().expect("a directory")).collect();
        let addresses: Vec<_> = (0..2).map(|_| free_address()).collect();
        let [one, other] = [addresses[0], addresses[1]];
        let start = |at: usize, directory: &TempDir| {
            let own = addresses[at];
            let ca = tls.path().join("client-ca.pem");
            let cluster = format!(
                "[cluster]\nself = \"{own}\"\npeers = [\"{one}\", \"{other}\"]\nca = \"{}\"\n",
                ca.display()
            );
            let writes = format!("[writes]\ntoken = \"{TOKEN}\"\n");
            let config = config(&origin.url(), "") + &tls.table() + &cluster + &writes;
            Process::start_at(directory.path(), Some(&config), own)
        };
        let nodes = (0..).zip(&directories).map(|(at, it)| start(at, it)).collect();
        Self { nodes, tls, origin, _directories: directories }
    }

    /// Asks every node for keys that are loaded once in the cluster: the nodes reach each other.
    #[track_caller]
    fn shares_keys(&self, prefix: &str, authority: &Authority) {
        for key in (0..40).map(|number| format!("{prefix}-{number}")) {
            for node in &self.nodes {
                let mut client = Client::connect_tls(node.addr, &authority.client());
                client.get(&key).status(200).body(&key);
            }
            assert_eq!(self.origin.loads_of(&key), 1, "loads of {key}");
        }
        for node in &self.nodes {
            assert!(node.metric("gocache_peer_loads_total") > 0.0, "the keys are shared");
            assert_eq!(node.metric("gocache_peer_failures_total"), 0.0);
        }
    }

    /// Has all nodes read their files again, one after the other.
    fn reload(&self) {
        for node in &self.nodes {
            let times = || node.log().matches("\"message\":\"reloaded\"").count();
            let before = times();
            node.signal(Signal::HUP);
            eventually("it is reloaded", || times() > before);
        }
    }
}

#[test]
fn nodes_ask_each_other_over_tls_and_know_each_other_by_certificates() {
    let cluster = Cluster::start();
    cluster.shares_keys("key", &cluster.tls.authority);
}

/// Both authorities are trusted in between, and no node has to be restarted.
#[test]
fn the_authority_is_another_one_by_and_by() {
    let cluster = Cluster::start();
    let (old, new) = (&cluster.tls.authority, Authority::new("of tomorrow"));
    cluster.shares_keys("before", old);
    let trust = |pem: String| {
        fs::write(cluster.tls.path().join("client-ca.pem"), pem).expect("writable");
        cluster.reload();
    };
    trust(old.pem() + &new.pem());
    cluster.shares_keys("both", old);
    cluster.tls.install(&new.issue(&HOSTS));
    cluster.reload();
    cluster.shares_keys("new", &new);
    trust(new.pem());
    cluster.shares_keys("after", &new);
}

#[test]
fn writes_reach_all_nodes_over_tls() {
    let cluster = Cluster::start();
    let mut clients: Vec<Client> = cluster
        .nodes
        .iter()
        .map(|node| Client::connect_tls(node.addr, &cluster.tls.client()))
        .collect();
    for number in 0..20 {
        let key = format!("key-{number}");
        // More than fits into one record, on either way.
        let long = "v".repeat(40_000 + number);
        let writer = number % 2;
        clients[writer].send(put(&key, &long)).answer().status(204);
        for client in &mut clients {
            client.get(&key).status(200).body(&long);
        }
        assert_eq!(cluster.origin.loads_of(&key), 0, "loads of {key}");
        clients[1 - writer].send(delete(&key)).answer().status(204);
        for client in &mut clients {
            client.get(&key).status(200).body(&key);
        }
        assert_eq!(cluster.origin.loads_of(&key), 1, "loads of {key} after it was deleted");
    }
}

#[test]
fn a_mark_counts_only_with_the_certificate_of_a_node() {
    let cluster = Cluster::start();
    let node = &cluster.nodes[0];
    let authority = &cluster.tls.authority;
    let forwarded = || node.metric("gocache_peer_loads_total");
    let ask = |prefix: &str, credentials: Option<&Credentials>| {
        let config = authority.client_with(rustls::ALL_VERSIONS, credentials);
        let mut client = Client::connect_tls(node.addr, &config);
        for number in 0..20 {
            let key = format!("{prefix}-{number}");
            let fields = "Host: gocache\r\nGocache-Peer: 127.0.0.1\r\n";
            let request = format!("GET /_gocache/scores/{key} HTTP/1.1\r\n{fields}\r\n");
            client.send(request).answer().status(200).body(key);
        }
    };
    ask("node", Some(&authority.issue(&["127.0.0.1"])));
    assert_eq!(forwarded(), 0.0, "what a node asks for is never sent on");
    ask("other", Some(&authority.issue(&["127.0.0.2", "a client"])));
    let others = forwarded();
    assert!(others > 0.0, "a certificate for another host makes no node");
    ask("nobody", None);
    assert!(forwarded() > others, "nor does none at all");
}

/// The component of `wasi:http` before a cluster of such nodes, in a host that trusts their authority.
#[test]
fn a_client_of_the_cluster_in_another_host_asks_over_tls() {
    if !is_on_path("jco") {
        return;
    }
    let cluster = Cluster::start();
    let authority = cluster.tls.path().join("client-ca.pem").display().to_string();
    let peers: Vec<String> = cluster.nodes.iter().map(|node| node.addr.to_string()).collect();
    let variables = [
        ("GOCACHE_CLUSTER_PEERS", peers.join(",")),
        ("GOCACHE_CLUSTER_TLS", "true".to_owned()),
        ("NODE_EXTRA_CA_CERTS", authority),
    ];
    let variables = BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value)));
    let addr = free_address();
    let _host = Hosted::spawn(jco_serve("jco-cluster-tls", addr, variables), addr);
    let mut client = Client::connect(addr);
    for key in (0..20).map(|number| format!("key-{number}")) {
        client.get(&key).status(200).body(&key).has("cache-status", "gocache; fwd=uri-miss");
        client.get(&key).status(200).body(&key).has("cache-status", "gocache; hit");
        assert_eq!(cluster.origin.loads_of(&key), 1, "loads of {key}");
    }
}
