//! The program, used hard and for long: what it holds of memory, descriptors and threads stays as it
//! is, and a crowd that asks for one key makes one load.
//!
//! `GOCACHE_TEST_SOAK=1000000 cargo test --release -p gocache-wasi --test engine soak -- --nocapture`
//! asks so many times.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{guest, program};

const CONNECTIONS: usize = 128;
const REQUESTS: usize = 64_000;
const ROUNDS: usize = 5;
/// Requests that a connection has in flight. The first of them is for a key that nobody has asked
/// for.
const IN_FLIGHT: usize = 10;
/// Keys that all the others are for. With them the budget is nearly used up.
const HOT: usize = 200;
/// What the memory may grow by from the first round on: pages that the allocator has in reserve.
const SLACK_KIB: usize = 2 << 10;

/// An origin whose values are their keys, but for one that is large; it counts them.
pub(crate) fn origin(delay: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let loads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loads);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let count = Arc::clone(&count);
            thread::spawn(move || answer(&stream, &count, delay));
        }
    });
    (addr, loads)
}

fn answer(mut stream: &TcpStream, loads: &AtomicUsize, delay: Duration) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(line) = lines.next() {
        let key = line.split([' ', '/']).nth(2).unwrap().to_owned();
        while lines.next().is_some_and(|line| !line.is_empty()) {}
        loads.fetch_add(1, Ordering::Relaxed);
        thread::sleep(delay);
        let value = if key == "large" { "x".repeat(8 << 20) } else { key };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{value}", value.len());
        // The server may have given this connection up.
        drop(stream.write_all(answer.as_bytes()));
    }
}

/// The program, with two instances, until this value goes away.
struct Server(Child, String);

impl Server {
    fn start(config: &str, origin: &str) -> Self {
        let config = program::configuration(config, origin, "64 KiB");
        let mut server = Command::new(program::PROGRAM)
            .args(["serve", "--instances", "2", "--config", &config, "--component"])
            .arg(&*guest::FILE)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url = log.find_map(|line| Some(line.split_once(r#""url":"http://"#)?.1.to_owned()));
        let addr = url.expect("it says where").split_once('/').unwrap().0.to_owned();
        thread::spawn(move || log.for_each(drop));
        Self(server, addr)
    }

    /// KiB of memory, descriptors, and threads.
    fn held(&self) -> [usize; 3] {
        let folder = format!("/proc/{}", self.0.id());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
        };
        let descriptors = fs::read_dir(format!("{folder}/fd")).unwrap().count();
        [number("VmRSS"), descriptors, number("Threads")]
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(&self.1).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        BufReader::new(stream)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn request(key: &str) -> String {
    format!("GET /_gocache/scores/{key} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// Reads an answer, which has to be a value.
fn body(client: &mut BufReader<TcpStream>) -> String {
    let (mut line, mut length) = (String::new(), 0);
    client.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line != "\r\n" {
        line.clear();
        client.read_line(&mut line).unwrap();
        length =
            line.strip_prefix("Content-Length: ").map_or(length, |it| it.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

/// One of the clients.
fn ask(server: &Server, number: usize, round: usize, requests: usize) {
    let mut client = server.connect();
    for turn in 0..requests / IN_FLIGHT {
        let key = |place: usize| match place {
            0 => format!("cold-{round}-{number}-{turn}"),
            _ => format!("hot-{}", (number * 31 + turn * IN_FLIGHT + place) % HOT),
        };
        let asked: String = (0..IN_FLIGHT).map(|place| request(&key(place))).collect();
        client.get_mut().write_all(asked.as_bytes()).unwrap();
        for place in 0..IN_FLIGHT {
            assert_eq!(body(&mut client), key(place));
        }
    }
}

#[test]
fn memory_and_handles_stay_as_they_are() {
    let requests = env::var("GOCACHE_TEST_SOAK").ok().and_then(|text| text.parse().ok());
    let requests: usize = requests.unwrap_or(REQUESTS);
    let (addr, _) = origin(Duration::ZERO);
    let server = Server::start("soak.toml", &addr);
    let rounds = (0..ROUNDS).map(|round| {
        thread::scope(|scope| {
            for number in 0..CONNECTIONS {
                let server = &server;
                scope.spawn(move || ask(server, number, round, requests / ROUNDS / CONNECTIONS));
            }
        });
        let [memory, descriptors, threads] = server.held();
        let asked = requests / ROUNDS * (round + 1);
        println!("{asked}: {memory} KiB, {descriptors} descriptors, {threads} threads");
        [memory, descriptors, threads]
    });
    let rounds: Vec<_> = rounds.collect();
    let (first, last) = (rounds[0], rounds[ROUNDS - 1]);
    assert!(last[0] <= first[0] + SLACK_KIB, "memory grows: {rounds:?}");
    // Connections to the origin come and go, up to one for each client.
    assert!(last[1] <= first[1] + CONNECTIONS, "descriptors are left: {rounds:?}");
    assert_eq!(last[2], first[2], "threads are left: {rounds:?}");
}

#[test]
fn a_crowd_makes_one_load_and_no_hit_waits_for_it() {
    let (addr, loads) = origin(Duration::from_millis(400));
    let server = Server::start("crowd.toml", &addr);
    let mut hit = server.connect();
    hit.get_mut().write_all(request("hot").as_bytes()).unwrap();
    assert_eq!(body(&mut hit), "hot");
    let mut crowd: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for client in &mut crowd {
        client.get_mut().write_all(request("cold").as_bytes()).unwrap();
    }
    let began = std::time::Instant::now();
    hit.get_mut().write_all(request("hot").as_bytes()).unwrap();
    assert_eq!(body(&mut hit), "hot");
    assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    crowd.iter_mut().for_each(|client| assert_eq!(body(client), "cold"));
    assert_eq!(loads.load(Ordering::Relaxed), 2, "one for each of the keys");
}
