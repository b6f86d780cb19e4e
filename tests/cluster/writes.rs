//! Writes in the cluster: whichever node takes them, all nodes have done them when the client is
//! told so, and where one cannot, the client is told that.

use std::{fs, time::Duration};

use rustix::process::Signal;

use super::{Cluster, SECRET, keys};
use crate::harness::{Answer, Client, Process, Reply, TOKEN, delete, eventually, get, put};

impl Cluster {
    /// Three nodes that allow writes.
    fn writable() -> Self {
        Self::writable_with("400ms")
    }

    fn writable_with(peer: &str) -> Self {
        Self::start_with(peer, |_| format!("[writes]\ntoken = \"{TOKEN}\"\n"))
    }

    fn send(&self, node: usize, request: String) -> Answer {
        Client::connect(self.nodes[node].addr).send(request).answer()
    }

    fn removals<const N: usize>(&self, nodes: [usize; N]) -> [f64; N] {
        nodes.map(|node| self.nodes[node].metric("gocache_removals_total"))
    }

    /// A client of the second node whose DELETE waits for the owner, the first one, which has stopped.
    fn begun_delete(&self) -> Client {
        let key = self.key_of(0);
        self.nodes[0].stop();
        let mut client = Client::connect(self.nodes[1].addr);
        client.send(delete(&key));
        assert!(client.silent_for(Duration::from_millis(100)), "the owner has not answered");
        client
    }

    /// A key of the node's own: nobody else is asked for it.
    fn key_of(&self, node: usize) -> String {
        let forwarded = || self.nodes[node].metric("gocache_peer_loads_total");
        let is_own = |key: &String| {
            let before = forwarded();
            self.nodes[node].get(key).status(200);
            forwarded() == before
        };
        keys(&format!("of-{node}"), 100).into_iter().find(is_own).expect("a third of them")
    }
}

#[test]
fn what_is_put_to_one_node_is_served_by_all() {
    let cluster = Cluster::writable();
    for (at, key) in keys("put", 30).iter().enumerate() {
        if at % 2 == 0 {
            cluster.nodes[at % 3].get(key).status(200).body(key);
        }
        for value in ["630", "", &"x".repeat(10_000)] {
            cluster.send(at % 3, put(key, value)).status(204);
            for node in &cluster.nodes {
                node.get(key).status(200).body(value);
            }
        }
    }
    assert_eq!(cluster.origin.loads(), 15, "the loads before the writes");
    assert_eq!(cluster.total("gocache_puts_total"), 90.0, "one node keeps each value");
    assert_eq!(cluster.total("gocache_removals_total"), 180.0, "and two forget theirs");
    assert_eq!(cluster.total("gocache_entries"), 30.0);
}

#[test]
fn what_is_deleted_on_one_node_is_loaded_anew_by_all() {
    let cluster = Cluster::writable();
    for (at, key) in keys("deleted", 30).iter().enumerate() {
        cluster.send(at % 3, put(key, "written")).status(204);
        for round in 1..3 {
            cluster.send((at + round) % 3, delete(key)).status(204);
            for node in &cluster.nodes {
                node.get(key).status(200).body(key);
            }
            assert_eq!(cluster.origin.loads_of(key), round, "one load after each DELETE");
        }
    }
}

#[test]
fn a_request_behind_a_write_sees_it_on_any_node() {
    let cluster = Cluster::writable();
    for node in &cluster.nodes {
        let mut client = Client::connect(node.addr);
        for key in keys("behind", 10) {
            let round = [put(&key, "1"), get(&key), delete(&key), get(&key), put(&key, "2")];
            client.send(round.concat() + &get(&key));
            client.answer().status(204);
            client.answer().status(200).body("1");
            client.answer().status(204);
            client.answer().status(200).body(&key);
            client.answer().status(204);
            client.answer().status(200).body("2");
        }
    }
}

#[test]
fn a_load_in_the_air_brings_no_old_value_back_on_any_node() {
    let cluster = Cluster::writable();
    for (at, key) in keys("air", 9).iter().enumerate() {
        let gate = cluster.origin.gate();
        cluster.origin.set(key, Reply::Held(gate.clone(), Box::new(Reply::value("old"))));
        let mut before = Client::connect(cluster.nodes[at % 3].addr);
        before.send(get(key));
        cluster.origin.await_loads(key, 1);
        cluster.send((at + at / 3) % 3, delete(key)).status(204);
        cluster.origin.set(key, Reply::value("new"));
        for node in &cluster.nodes {
            node.get(key).status(200).body("new");
        }
        gate.open();
        before.answer().status(200).body("old");
        for node in &cluster.nodes {
            node.get(key).status(200).body("new");
        }
    }
}

#[test]
fn writers_on_all_nodes_leave_one_value() {
    let cluster = Cluster::writable();
    for key in keys("herd", 5) {
        let mut writers: Vec<Client> =
            (0..12).map(|at| Client::connect(cluster.nodes[at % 3].addr)).collect();
        for (number, writer) in writers.iter_mut().enumerate() {
            writer.send(put(&key, &format!("{number}").repeat(50)));
        }
        for writer in &mut writers {
            writer.answer().status(204);
        }
        let last = cluster.nodes[0].get(&key).status(200).body.clone();
        for node in &cluster.nodes {
            node.get(&key).status(200).body(&last);
        }
    }
    assert_eq!(cluster.origin.loads(), 0, "loads");
}

#[test]
fn a_node_that_is_down_is_told_of() {
    let mut cluster = Cluster::writable();
    let [own, lost] = [cluster.key_of(0), cluster.key_of(2)];
    let victim = cluster.nodes.pop().expect("three nodes");
    let address = victim.addr;
    drop(victim); // SIGKILL
    for key in [&own, &lost] {
        for request in [put(key, "written"), delete(key), put(key, "again")] {
            for node in 0..2 {
                let answer = cluster.send(node, request.clone());
                answer.status(502).mentions("2 of 3 nodes").one_line();
            }
        }
    }
    for node in &cluster.nodes {
        node.get(&own).status(200).body("again");
        // Nobody has the value of a key whose owner is lost: the origin's is served.
        node.get(&lost).status(200).body(&lost);
    }
    cluster.nodes[0].logs("the peer has not done a write");

    let directory = cluster.directories[2].path();
    let config =
        fs::read_to_string(directory.join("gocache.toml")).expect("it was started with it");
    cluster.nodes.push(Process::start_at(directory, Some(&config), address));
    cluster.send(1, put(&own, "at last")).status(204);
    // Loads of another node may still go past the one that was down, for a moment, and keep what the
    // origin has.
    eventually("a write shows on all nodes", || {
        cluster.send(0, put(&lost, "at last")).status(204);
        cluster.nodes.iter().all(|node| node.get(&lost).body == b"at last")
    });
    for node in &cluster.nodes {
        node.get(&own).status(200).body("at last");
    }
}

#[test]
fn a_node_that_hangs_is_waited_for_up_to_the_deadline() {
    let cluster = Cluster::writable();
    let own = cluster.key_of(0);
    cluster.nodes[2].stop();
    let mut client = Client::connect(cluster.nodes[0].addr);
    client.send(put(&own, "written") + &get(&own));
    client.answer().status(504).mentions("2 of 3 nodes").one_line();
    client.answer().status(200).body("written");
    cluster.nodes[2].signal(Signal::CONT);
    client.send(put(&own, "again")).answer().status(204);
    cluster.nodes[2].get(&own).status(200).body("again");
}

/// Were the others told first, they could load the old value from the owner once more, and serve it
/// after the write.
#[test]
fn the_owner_is_told_before_the_others() {
    let cluster = Cluster::writable_with("10s");
    let mut client = cluster.begun_delete();
    assert_eq!(cluster.removals([1, 2]), [0.0, 0.0], "nobody else was told");
    cluster.nodes[0].signal(Signal::CONT);
    client.answer().status(204);
    assert_eq!(cluster.removals([0, 1, 2]), [1.0; 3]);
}

/// A write keeps the nodes that it began with, whatever the node is told meanwhile.
#[test]
fn a_write_under_way_ends_with_the_nodes_it_began_with() {
    let cluster = Cluster::writable_with("10s");
    let mut client = cluster.begun_delete();
    let file = cluster.directories[1].path().join("gocache.toml");
    let text = fs::read_to_string(&file).expect("it was started with it");
    let (alone, _) = text.split_once("[cluster]").expect("it is in one");
    fs::write(&file, alone).expect("the directory is writable");
    cluster.nodes[1].signal(Signal::HUP);
    cluster.nodes[1].logs("reloaded");
    cluster.nodes[0].signal(Signal::CONT);
    client.answer().status(204);
    assert_eq!(cluster.removals([0, 1, 2]), [1.0; 3]);
}

#[test]
fn a_node_that_refuses_writes_is_told_of() {
    let cluster = Cluster::start_with("400ms", |at| match at {
        2 => String::new(),
        _ => format!("[writes]\ntoken = \"{TOKEN}\"\n"),
    });
    let own = cluster.key_of(0);
    cluster.send(0, put(&own, "written")).status(502).mentions("2 of 3 nodes");
    cluster.nodes[0].logs("it does not allow writes");
    cluster.nodes[2].get(&own).status(200).body("written");
    cluster.send(2, delete(&own)).status(405);
}

/// What the owner has no room for is the client's to mend, whichever node it asks.
#[test]
fn a_value_that_does_not_fit_is_too_large_on_every_node() {
    let cluster = Cluster::start_with("400ms", |_| {
        format!("[limits]\nbody_bytes = \"2 MiB\"\n[writes]\ntoken = \"{TOKEN}\"\n")
    });
    for node in 0..3 {
        cluster.send(node, put("large", &"x".repeat((1 << 20) - 1))).status(413).one_line();
        cluster.send(node, put("large", &"x".repeat(1 << 19))).status(204);
    }
}

#[test]
fn what_a_node_passes_on_goes_no_further_and_needs_the_secret() {
    let cluster = Cluster::writable();
    let good = format!("Authorization: Bearer {TOKEN}\r\n");
    let marked = |request: String, secret: &str| {
        assert!(request.contains(&good));
        request.replace(&good, &format!("Gocache-Peer: {secret}\r\n"))
    };
    let removals = || cluster.nodes.iter().map(|node| node.metric("gocache_removals_total"));
    let own = cluster.key_of(0);
    for request in [put(&own, "forged"), delete(&own)] {
        cluster.send(0, marked(request, "another-secret-than-that")).status(401);
    }
    assert!(removals().eq([0.0, 0.0, 0.0]), "nothing was written");
    cluster.send(0, marked(delete(&own), SECRET)).status(204);
    assert!(removals().eq([1.0, 0.0, 0.0]), "one node was told, and did it");
    cluster.send(0, marked(put(&own, "passed on"), SECRET)).status(204);
    cluster.nodes[1].get(&own).status(200).body("passed on");
    cluster.send(1, marked(put(&own, "not its own"), SECRET)).status(204);
    cluster.nodes[1].get(&own).status(200).body("passed on");
}
