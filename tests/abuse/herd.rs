//! Very many who ask for the same cold key.

use super::start;
use crate::harness::{Client, Reply, get};

/// So many connections, on each of which so many wait.
const CLIENTS: usize = 80;
const AT_ONCE: usize = 125;

#[test]
fn ten_thousand_who_wait_for_a_key_cost_one_load() {
    let directory = tempfile::tempdir().expect("a directory");
    let (origin, process) = start(directory.path(), "");
    let gate = origin.gate();
    origin.set("cold", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let requests = get("hot") + &get("cold").repeat(AT_ONCE);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(process.addr)).collect();
    for client in &mut clients {
        // What stands behind it was read with it.
        client.send(&requests).answer().status(200).body("hot");
    }
    origin.await_loads("cold", 1);
    gate.open();
    for client in &mut clients {
        for _ in 0..AT_ONCE {
            client.answer().status(200).body("630");
        }
    }
    assert_eq!(origin.loads_of("cold"), 1, "loads for {} who wait", CLIENTS * AT_ONCE);
}
