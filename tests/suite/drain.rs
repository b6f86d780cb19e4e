//! A server that is told to stop finishes what was asked of it, and takes on nothing more.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Client, Frontend, Reply, Setup, eventually, get};

promises! {
    what_is_in_flight_is_finished,
    idle_connections_do_not_hold_it_up,
    what_takes_too_long_is_given_up,
    nobody_is_accepted_afterwards,
    under_load_no_answer_is_cut,
}

/// Far less than the deadline for draining in these tests.
const PROMPT: Duration = Duration::from_secs(2);

fn what_is_in_flight_is_finished<F: Frontend>() {
    let site = Setup::new().deadline("drain", "20s").start::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut clients = [site.waiting("Tom"), site.waiting("Tom")];
    site.origin.await_loads("Tom", 1);
    let (data, operations) = (site.addr(), site.ops_addr());
    let (_origin, stopping) = site.drain();
    eventually("a draining server accepts nobody", || TcpStream::connect(data).is_err());
    let ready = "GET /readyz HTTP/1.1\r\nHost: gocache\r\n\r\n";
    Client::connect(operations).send(ready).answer().status(503);
    assert!(!stopping.is_finished(), "it stopped with requests unanswered");
    gate.open();
    for client in &mut clients {
        let answer = client.answer();
        answer.status(200).body("630").must(answer.says("close"), "Connection: close");
        client.end();
    }
    stopping.join().expect("the server stops without a panic");
}

fn idle_connections_do_not_hold_it_up<F: Frontend>() {
    let site = Setup::new().deadline("drain", "20s").start::<F>();
    let mut clients: Vec<Client> = (0..4).map(|_| site.connect()).collect();
    for client in &mut clients[..2] {
        client.get("hot").status(200);
    }
    let begin = Instant::now();
    let (_origin, stopping) = site.drain();
    stopping.join().expect("the server stops without a panic");
    assert!(begin.elapsed() < PROMPT, "it took {:?} to stop while idle", begin.elapsed());
    for client in &mut clients {
        client.end();
    }
}

fn what_takes_too_long_is_given_up<F: Frontend>() {
    let site = Setup::new().deadline("drain", "300ms").deadline("load", "20s").start::<F>();
    site.origin.set("Tom", Reply::Hang);
    let mut client = site.waiting("Tom");
    site.origin.await_loads("Tom", 1);
    let mut half = site.connect();
    half.send(&get("hot")[..10]);
    let begin = Instant::now();
    let (_origin, stopping) = site.drain();
    stopping.join().expect("the server stops without a panic");
    assert!(begin.elapsed() < PROMPT, "it took {:?} to give up", begin.elapsed());
    for client in [&mut client, &mut half] {
        let answers = client.answers_to_the_end();
        let refused = answers.iter().all(|answer| matches!(answer.status, 408 | 503 | 504));
        assert!(refused && answers.len() <= 1, "more than a refusal: {} answers", answers.len());
    }
}

fn nobody_is_accepted_afterwards<F: Frontend>() {
    let site = Setup::new().start::<F>();
    site.get("hot").status(200);
    let ports = [site.addr(), site.ops_addr()];
    let (_origin, stopping) = site.drain();
    stopping.join().expect("the server stops without a panic");
    for port in ports {
        assert!(TcpStream::connect(port).is_err(), "a connection to a server that has stopped");
    }
}

fn under_load_no_answer_is_cut<F: Frontend>() {
    let site = Setup::new().deadline("drain", "20s").start::<F>();
    site.get("hot").status(200);
    let answered = Arc::new(AtomicUsize::new(0));
    let clients = (0..8).map(|_| {
        let (client, answered) = (site.connect(), Arc::clone(&answered));
        thread::spawn(move || client.ask_until_closed("hot", 5, &answered))
    });
    let clients: Vec<_> = clients.collect();
    eventually("all are at it", || answered.load(Ordering::Relaxed) > 8 * 50);
    let (_origin, stopping) = site.drain();
    clients.into_iter().for_each(|client| client.join().expect("no answer is cut"));
    stopping.join().expect("the server stops without a panic");
}
