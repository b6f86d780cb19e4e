//! Told to stop by a signal in the midst of its work.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::prepare;
use crate::harness::{Client, Process, Reply, eventually};

/// How long it may take to finish what it was asked.
const PROMPT: Duration = Duration::from_secs(5);

/// Each time it stops at another place of the answers that it is giving. `GOCACHE_DRAINS` says how
/// often.
#[test]
fn however_often_it_is_stopped_under_load_no_answer_is_cut() {
    let runs = env::var("GOCACHE_DRAINS").ok().map(|text| text.parse().expect("a number"));
    let (origin, config) = prepare("[deadlines]\ndrain = \"20s\"\n");
    origin.set("large", Reply::value(vec![b'v'; 200 << 10]));
    let directory = tempfile::tempdir().expect("a directory");
    for run in 0..runs.unwrap_or(20_usize) {
        let mut process = Process::start(directory.path(), Some(&config));
        let answered = Arc::new(AtomicUsize::new(0));
        let clients = (0..8).map(|number| {
            let (client, answered) = (Client::connect(process.addr), Arc::clone(&answered));
            let (key, at_once) = if number % 4 == 0 { ("large", 2) } else { ("hot", 5) };
            thread::spawn(move || client.ask_until_closed(key, at_once, &answered))
        });
        let clients: Vec<_> = clients.collect();
        eventually("all are at it", || answered.load(Ordering::Relaxed) > 8 * 5 + run % 50);
        let begin = Instant::now();
        process.signal(Signal::TERM);
        for client in clients {
            assert!(client.join().is_ok(), "run {run}: an answer was cut");
        }
        let ended = process.wait();
        assert!(ended.success(), "run {run}: {ended}: {}", process.log());
        assert!(begin.elapsed() < PROMPT, "run {run}: it took {:?} to stop", begin.elapsed());
    }
}
