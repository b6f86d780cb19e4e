//! More connections than there is room for: descriptors, and the limit of connections.

use std::thread;
use std::time::Duration;

use super::{connect, has_nothing, prepare, start};
use crate::harness::{Asked, Client, Process, eventually, get};

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
