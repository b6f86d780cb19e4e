//! More of everything than there is room for: descriptors, the limit of connections, memory.

use std::thread;
use std::time::Duration;

use super::{connect, has_nothing, prepare, start};
use crate::harness::{Asked, Client, Process, Reply, TOKEN, eventually, get, put};

#[test]
fn without_descriptors_accepting_pauses_and_goes_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "");
    let kept = process.descriptors() as u64;
    process.limit_descriptors(kept + 10);
    let mut clients: Vec<Client> = (0..30).map(|_| Client::connect(process.addr)).collect();
    for client in &mut clients {
        client.send(get("hot"));
    }
    process.logs("new connections have to wait");
    let busy = process.busy();
    thread::sleep(Duration::from_secs(1));
    let busy = process.busy() - busy;
    assert!(busy < Duration::from_millis(300), "it computed for {busy:?} of a second");
    let (mut served, mut waiting) = (Vec::new(), Vec::new());
    for mut client in clients {
        let list = if has_nothing(&mut client) { &mut waiting } else { &mut served };
        list.push(client);
    }
    assert!((1..=20).contains(&served.len()), "{} served with 10 descriptors", served.len());
    for client in &mut served {
        client.answer().status(200);
    }

    // Each that goes makes room for one.
    drop(served);
    eventually("all who wait are served", || {
        waiting.retain_mut(has_nothing);
        waiting.is_empty()
    });
    process.limit_descriptors(1_000);
    process.get("hot").status(200).body("hot");
    process.logs("new connections wait no longer");
    let log = process.log();
    assert_eq!(log.matches("new connections have to wait").count(), 1, "{log}");
}

#[test]
fn a_limit_of_descriptors_leaves_some_for_loads() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, config) = prepare("[limits]\nconnections = 10000\n");
    let process = Process::start_within(directory.path(), &config, 1_000);
    process.logs(r#""connections":436"#);
    let config = format!("{config}flights = 50\n");
    let process = Process::start_within(directory.path(), &config, 1_000);
    process.logs(r#""connections":772"#);
}

#[test]
fn those_over_the_limit_of_connections_take_little() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "[limits]\nconnections = 4\n");
    let mut served: Vec<Client> = Vec::new();
    eventually("the places are free", || {
        let mut client = Client::connect(process.addr);
        client.offer(get("hot"));
        if matches!(client.next_answer(Asked::Get), Ok(Some(answer)) if answer.status == 200) {
            served.push(client);
        }
        served.len() == 4
    });
    let kept = process.descriptors();
    let others = connect(&process, 600);
    for client in &mut served {
        client.get("hot").status(200).body("hot");
    }
    let taken = process.descriptors() - kept;
    assert!(taken <= 300, "{taken} descriptors for 600 who are refused");
    drop(others);
    for client in &mut served {
        client.get("hot").status(200).body("hot");
    }
}

/// Large values are refused, by an origin's and by a client's hand, as long as there is no memory for
/// them. Others are served meanwhile.
#[test]
fn without_memory_large_values_are_refused_and_small_ones_served() {
    const LARGE: usize = 40 << 20;
    let directory = tempfile::tempdir().expect("a directory");
    let (origin, config) = prepare(&format!(
        "[limits]\nbody_bytes = \"64 MiB\"\n[deadlines]\nload = \"20s\"\n\
         [writes]\ntoken = \"{TOKEN}\"\n"
    ));
    let config = config.replace("\"1 MiB\"", "\"64 MiB\"");
    origin.set("large", Reply::value(vec![b'v'; LARGE]));
    let large = put("put", &"v".repeat(LARGE));
    let process = Process::start(directory.path(), Some(&config));
    process.get("hot").status(200).body("hot");
    let mut resident = 0;
    process.limit_memory(Some(24 << 20));
    for round in 0..4 {
        process.get("large").status(503);
        let mut client = Client::connect(process.addr);
        client.offer(&large);
        client.answer().status(503);
        process.get("hot").status(200).body("hot");
        process.get(&format!("cold-{round}")).status(200);
        if round == 0 {
            // From here on the allocator has what it keeps.
            resident = process.resident();
        }
    }
    process.limit_memory(None);
    let grown = process.resident().saturating_sub(resident);
    assert!(grown <= 8 << 20, "{grown} bytes are left of what was refused");
    assert_eq!(process.get("large").status(200).body.len(), LARGE);
    Client::connect(process.addr).send(&large).answer().status(204);
}
