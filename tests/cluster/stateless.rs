//! Instances of the component that are thrown away after each request keep nothing; so they ask the
//! nodes of a cluster, each key's owner first. What is kept is in the ring.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::{Cluster, keys};
use crate::harness::{
    Client, HTTP_0_2, HTTP_0_3, Hosted, free_address, get, is_on_path, jco_serve, wasmtime_serve,
};

/// A host before the cluster, and a client of it.
fn before(
    cluster: &Cluster,
    host: impl FnOnce(std::net::SocketAddr, BTreeMap<String, String>) -> Command,
) -> (Hosted, Client) {
    let peers: Vec<String> = cluster.nodes.iter().map(|node| node.addr.to_string()).collect();
    let variables = BTreeMap::from([("GOCACHE_CLUSTER_PEERS".to_owned(), peers.join(","))]);
    let addr = free_address();
    let host = Hosted::spawn(host(addr, variables), addr);
    (host, Client::connect(addr))
}

fn asks_each_owner(cluster: &mut Cluster, client: &mut Client) {
    let keys = keys("key", 30);
    for key in &keys {
        client.get(key).status(200).body(key).has("cache-status", "gocache; fwd=uri-miss");
    }
    for key in &keys {
        let hit = client.get(key);
        hit.status(200).body(key).has("cache-status", "gocache; hit").has("accept-ranges", "bytes");
        let tag = hit.need("etag");
        let with = |field: &str| get(key).replace("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
        client.send(with(&format!("If-None-Match: {tag}"))).answer().status(304).has("etag", tag);
        let part = client.send(with("Range: bytes=0-2")).answer();
        part.status(206).body("key").has("content-range", &format!("bytes 0-2/{}", key.len()));
        assert_eq!(cluster.origin.loads_of(key), 1, "loads of {key}");
    }
    assert_eq!(cluster.total("gocache_peer_loads_total"), 0.0, "each key's owner was asked");
    client.send("GET /_gocache/prices/x HTTP/1.1\r\nHost: gocache\r\n\r\n").answer().status(404);
    // Another node is asked in the place of one that is gone.
    drop(cluster.nodes.pop());
    for key in &keys {
        client.get(key).status(200).body(key);
    }
}

fn serve(component: &Path) {
    if is_on_path("wasmtime") {
        let mut cluster = Cluster::start();
        let serve = |addr, variables| wasmtime_serve(component, addr, variables, &[]);
        let (_host, mut client) = before(&cluster, serve);
        asks_each_owner(&mut cluster, &mut client);
    }
}

/// Each request has an instance of its own.
#[test]
fn wasmtime_serve_with_0_2() {
    serve(&HTTP_0_2);
}

#[test]
fn wasmtime_serve_with_0_3() {
    serve(&HTTP_0_3);
}

#[test]
fn jco_serve_with_0_2() {
    if is_on_path("jco") {
        let mut cluster = Cluster::start();
        let serve = |addr, variables| jco_serve("jco-cluster", addr, variables);
        let (_host, mut client) = before(&cluster, serve);
        asks_each_owner(&mut cluster, &mut client);
    }
}
