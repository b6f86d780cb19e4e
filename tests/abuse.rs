//! The program, abused: whatever comes of it, others are served, and nothing grows without bound or is
//! left behind. What it costs them is measured by `cargo bench -p gocache --bench abuse`.

mod herd;
mod starved;
mod stopped;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::{Asked, Client, Origin, PATIENCE, Process, Reply, eventually, get};

/// A server over an origin that has each key but those that begin with `unknown`.
fn start(directory: &Path, tables: &str) -> (Origin, Process) {
    let (origin, config) = prepare(tables);
    let process = Process::start(directory, Some(&config));
    process.get("hot").status(200).body("hot");
    (origin, process)
}

fn prepare(tables: &str) -> (Origin, String) {
    let origin = Origin::start();
    origin.set_otherwise(Reply::Echo);
    let config = format!(
        "loops = 1\nlog = \"warn,gocache=info\"\n[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n{tables}",
        origin.url()
    );
    (origin, config)
}

/// So many connections, or fewer where this process may not have as many: other tests want some too.
fn connect(process: &Process, wanted: usize) -> Vec<Client> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to there");
    let most = limit.maximum.map_or(wanted, |most| usize::try_from(most).unwrap_or(wanted));
    (0..wanted.min(most / 4)).map(|_| Client::connect(process.addr)).collect()
}

/// Whether nothing has come that was not read, neither bytes nor the end.
fn has_nothing(client: &mut Client) -> bool {
    client.silent_for(Duration::from_millis(1))
}

/// Sends this, takes what comes for it if `reads`, and goes without a farewell.
fn reset(process: &Process, request: &str, reads: bool) {
    let mut stream = TcpStream::connect(process.addr).expect("the server listens");
    stream.write_all(request.as_bytes()).expect("the system takes it");
    if reads {
        assert!(stream.read(&mut [0; 4_096]).expect("an answer comes") > 0);
    }
    set_socket_linger(&stream, Some(Duration::ZERO)).expect("a socket takes options");
}

#[test]
fn a_hundred_thousand_requests_on_one_connection_are_answered_in_order() {
    const REQUESTS: usize = 100_000;
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "");
    let round: String = (0..10).map(|digit| get(&digit.to_string())).collect();
    for digit in 0..10 {
        process.get(&digit.to_string()).status(200);
    }
    let mut other = Client::connect(process.addr);
    let mut stream = TcpStream::connect(process.addr).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let mut writer = stream.try_clone().expect("a descriptor more");
    let asking = thread::spawn(move || {
        let many = round.repeat(100);
        (0..REQUESTS / 1_000).try_for_each(|_| writer.write_all(many.as_bytes()))
    });

    let mut buffer = vec![0; 64 << 10];
    let (mut unread, mut answers, mut others) = (Vec::new(), 0, 0);
    while answers < REQUESTS {
        let count = stream.read(&mut buffer).expect("answers keep coming");
        assert!(count > 0, "cut after {answers} answers");
        unread.extend_from_slice(&buffer[..count]);
        // Behind the empty line stands the value, which is a digit.
        let mut at = 0;
        while let Some(end) = unread[at..].windows(4).position(|four| four == b"\r\n\r\n") {
            let Some(value) = unread.get(at + end + 4) else { break };
            assert!(unread[at..].starts_with(b"HTTP/1.1 200 "), "answer {answers} is no value");
            assert_eq!(*value, b'0' + (answers % 10) as u8, "answer {answers} is another's");
            answers += 1;
            at += end + 5;
        }
        unread.drain(..at);
        if answers > others * REQUESTS / 20 {
            other.get("hot").status(200).body("hot");
            others += 1;
        }
    }
    asking.join().expect("no panic").expect("all is taken");
    assert_eq!((answers, others), (REQUESTS, 20));
}

#[test]
fn resets_leave_nothing_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "");
    let (descriptors, threads) = (process.descriptors(), process.threads());
    let large = "v".repeat(4_000);
    process.get(&large).status(200);
    let mut other = Client::connect(process.addr);
    for length in 0..=get("hot").len() {
        reset(&process, &get("hot")[..length], false);
    }
    for number in 0..2_000 {
        match number % 5 {
            0 => reset(&process, "", false),
            1 => reset(&process, &get("hot")[..30], false),
            2 => reset(&process, &get("hot"), false),
            3 => reset(&process, &get("hot"), true),
            _ => reset(&process, &get(&large).repeat(50), number % 2 == 0),
        }
        if number % 100 == 0 {
            other.get("hot").status(200).body("hot");
        }
    }
    drop(other);
    eventually("all descriptors are free", || process.descriptors() <= descriptors);
    assert_eq!(process.threads(), threads);
}

#[test]
fn unknown_keys_take_no_memory() {
    const KEYS: usize = 10_000;
    let directory = tempfile::tempdir().expect("a directory");
    let process = Process::start(directory.path(), None);
    let mut client = Client::connect(process.addr);
    let mut ask = |keys: Range<usize>| {
        for batch in keys.step_by(100) {
            let requests = (batch..batch + 100).map(|key| get(&format!("unknown-{key:06}")));
            client.send(requests.collect::<String>());
            for _ in 0..100 {
                client.answer().status(404);
            }
        }
    };
    ask(0..1_000);
    let used = process.metric("gocache_memory_bytes");
    let resident = process.resident();
    ask(1_000..KEYS);
    let grown = process.resident().saturating_sub(resident);
    assert!(grown <= 4 << 20, "{grown} bytes more");
    assert_eq!(process.metric("gocache_memory_bytes"), used);
    assert_eq!(process.metric("gocache_not_found_total"), KEYS as f64);
    process.get("Tom").status(200).body("630");
}

#[test]
fn heads_that_are_not_whole_take_bounded_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "[limits]\nhead_bytes = \"1 MiB\"\n");
    let mut other = Client::connect(process.addr);
    other.get("hot").status(200);
    let resident = process.resident();
    let head = get("hot").replace("\r\n\r\n", &format!("\r\nX: {}", "x".repeat(900 << 10)));
    let mut clients = connect(&process, 100);
    for client in &mut clients {
        // Who is refused meanwhile need not take all of it.
        client.offer(&head);
    }
    other.get("hot").status(200).body("hot");
    let grown = process.resident().saturating_sub(resident);
    assert!(grown <= 80 << 20, "{grown} bytes for 100 heads of 900 KiB");
    let mut refused = 0;
    for client in clients.iter_mut().filter_map(|it| (!has_nothing(it)).then_some(it)) {
        client.answer().status(503).need("retry-after");
        client.end();
        refused += 1;
    }
    assert!(refused >= 30, "{refused} of 100 refused");
    drop(clients);
    // There is room again.
    eventually("a large head is taken", || {
        let mut client = Client::connect(process.addr);
        client.offer(format!("{head}\r\n\r\n"));
        matches!(client.next_answer(Asked::Get), Ok(Some(answer)) if answer.status == 200)
    });
}

#[test]
fn heads_over_their_limit_are_refused_and_take_no_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "");
    let head = get("hot").replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(64 << 10)));
    let mut resident = 0;
    for number in 0..400 {
        let mut client = Client::connect(process.addr);
        client.offer(&head);
        client.answer().status(431).mentions("32768");
        client.end();
        if number == 100 {
            resident = process.resident();
        }
    }
    let grown = process.resident().saturating_sub(resident);
    assert!(grown <= 2 << 20, "{grown} bytes more");
}

#[test]
fn many_slow_heads_are_cut_while_others_are_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "[deadlines]\nhead = \"1s\"\n");
    let descriptors = process.descriptors();
    let mut other = Client::connect(process.addr);
    other.get("hot").status(200);
    let begin = Instant::now();
    let mut clients = connect(&process, 500);
    for client in &mut clients {
        client.send("GET /_gocache/scores/hot HTTP/1.1\r\nX: ");
    }
    while begin.elapsed() < Duration::from_millis(700) {
        other.get("hot").status(200).body("hot");
        for client in &mut clients {
            client.offer("x");
        }
        thread::sleep(Duration::from_millis(100));
    }
    for client in &mut clients {
        client.answer().status(408);
        client.end();
    }
    assert!(begin.elapsed() >= Duration::from_secs(1), "cut before the deadline");
    drop((clients, other));
    eventually("all descriptors are free", || process.descriptors() <= descriptors);
}

/// The system tells the server that there is room only when there is much of it, and at this pace that
/// takes longer than the deadline.
#[test]
fn who_reads_little_at_a_time_is_served_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (origin, process) =
        start(directory.path(), "[deadlines]\nwrite = \"1s\"\nload = \"20s\"\n");
    origin.set("large", Reply::value(vec![b'v'; 24 << 20]));
    let descriptors = process.descriptors();
    let mut stream = TcpStream::connect(process.addr).expect("the server listens");
    set_socket_recv_buffer_size(&stream, 16 << 10).expect("a socket takes options");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    stream.write_all(get("large").as_bytes()).expect("the server takes it");
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        stream.read_exact(&mut [0; 8 << 10]).expect("more of it comes");
        thread::sleep(Duration::from_millis(40));
    }
    assert!(process.descriptors() > descriptors, "cut, though it took some all the time");
}

/// Memory is what the system says that is resident, over so many connections that its pages and what
/// is allocated ahead do not count.
#[test]
fn an_idle_connection_takes_little_memory_and_no_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_origin, process) = start(directory.path(), "");
    let resident = process.resident();
    let mut clients = connect(&process, 4_000);
    for client in &mut clients {
        client.get("hot").status(200);
    }
    let count = clients.len() as u64;
    let each = process.resident().saturating_sub(resident) / count;
    assert!(each <= 600, "{each} bytes for each of {count}");
    let busy = process.busy();
    thread::sleep(Duration::from_secs(1));
    let busy = process.busy() - busy;
    assert!(busy <= Duration::from_millis(50), "it computed for {busy:?} of a second");
    clients[0].get("hot").status(200);
}
