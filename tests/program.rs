//! The program: what an operator sees of it. Exit codes, messages, the demonstration, signals.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::harness::{Client, Origin, Process, Reply, get, run};

/// A group over a database in the data directory.
pub(crate) const DATABASE: &str = "[origins.database]\nkind = \"sqlite\"\ndatabase = \"scores.db\"\n\
    query = \"SELECT score FROM scores WHERE name = ?1\"\n\
    [groups.scores]\norigin = \"database\"\nbudget = 2048\n[deadlines]\nload = \"400ms\"\n";

#[test]
fn the_demonstration_serves_a_database_that_anyone_can_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let process = Process::start(directory.path(), None);
    process.get("Tom").status(200).body("630").has("Content-Type", "text/plain; charset=utf-8");
    process.get("Tom").status(200).body("630");
    process.get("Jack").status(200).body("589");
    process.get("Sam").status(200).body("567");
    process.get("Ann").status(404).body("Ann not exist\n");
    process.logs(r#""key":"Ann""#);
    let log = process.log();
    let loads = log.lines().filter(|line| line.contains("load") && line.contains(r#""key":"Tom""#));
    assert_eq!(loads.count(), 1, "one load, and none for the second request:\n{log}");
    assert_eq!(process.metric("gocache_budget_bytes"), 2048.0);

    let database = Connection::open(directory.path().join("scores.db")).expect("it is SQLite");
    database.execute("UPDATE scores SET score = 7 WHERE name = 'Tom'", ()).expect("writable");
    process.get("Tom").status(200).body("630");
    drop(process);
    let again = Process::start(directory.path(), None);
    again.get("Tom").status(200).body("7");
}

#[test]
fn a_database_in_trouble_costs_its_own_keys_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scores.db");
    let process = Process::start(directory.path(), Some(DATABASE));
    process.get("Tom").status(502).one_line();
    process.logs("unable to open database file");

    let database = Connection::open(&file).expect("the directory is writable");
    let table =
        "CREATE TABLE scores (name TEXT, score INTEGER); INSERT INTO scores VALUES ('Tom', 630)";
    database.execute_batch(table).expect("a new database");
    process.get("Tom").status(200).body("630");

    database.execute_batch("BEGIN EXCLUSIVE").expect("nobody writes to it");
    process.get("Jack").status(502);
    process.get("Tom").status(200).body("630");
    process.logs("database is locked");
    drop(database);

    fs::write(&file, [7; 4096]).expect("writable");
    process.get("Jack").status(502);
    process.get("Tom").status(200).body("630");
    process.logs("file is not a database");
}

#[test]
fn a_wrong_configuration_ends_with_2_and_the_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("wrong.toml");
    let sound = DATABASE;
    let cases = [
        ("groups = ".to_owned(), "wrong.toml:1:10: "),
        (sound.replace("budget", "bugdet"), "wrong.toml:7:1: unknown field `bugdet`"),
        (
            sound.replace("origin = \"d", "origin = \"other d"),
            "wrong.toml:6:10: no origin is named",
        ),
        (format!("{sound}[groups.scores]\n"), "wrong.toml:10:9: duplicate key"),
        (format!("{sound}[writes]\ntoken = \"guess\"\n"), "wrong.toml:11:9: a token is 16 to 256"),
    ];
    for (text, expected) in cases {
        fs::write(&file, &text).expect("writable");
        for arguments in [["check", "wrong.toml"].as_slice(), &["serve", "--config", "wrong.toml"]]
        {
            let output = run(arguments, directory.path());
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{text}\n{message}");
            assert!(message.contains(expected), "expected {expected}\ngot      {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    fs::write(&file, sound).expect("writable");
    assert_eq!(run(&["check", "wrong.toml"], directory.path()).status.code(), Some(0));
    assert_eq!(run(&["check", "none.toml"], directory.path()).status.code(), Some(2));
    assert_eq!(run(&["fly"], directory.path()).status.code(), Some(2));
}

#[test]
fn the_ready_line_is_fixed() {
    let directory = tempfile::tempdir().expect("a directory");
    let process = Process::start(directory.path(), None);
    process.logs(r#""message":"ready""#);
    let log = process.log();
    let line = log.lines().find(|line| line.contains(r#""message":"ready""#)).expect("it is there");
    let line: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
    let (addr, ops_addr) = (process.addr, process.ops_addr);
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["url"], format!("http://{addr}/_gocache/GROUP/KEY"));
    assert_eq!(line["operations"], format!("http://{ops_addr}/"));
}

#[test]
fn what_fails_again_and_again_has_a_line_a_second() {
    let directory = tempfile::tempdir().expect("a directory");
    let process = Process::start(directory.path(), Some(DATABASE));
    let mut client = Client::connect(process.addr);
    let began = std::time::Instant::now();
    let ask = |client: &mut Client| {
        client.get("Tom").status(502).one_line();
    };
    for _ in 0..100 {
        ask(&mut client);
    }
    // The next one tells of those that were held back.
    crate::harness::eventually("they are counted", || {
        ask(&mut client);
        process
            .log()
            .lines()
            .any(|line| line.contains("unable to open") && !line.contains("\"suppressed\":0"))
    });
    let log = process.log();
    let lines = log.lines().filter(|line| line.contains("unable to open")).count() as u64;
    assert!(lines <= 2 + began.elapsed().as_secs(), "{lines} lines:\n{log}");
}

#[test]
fn a_port_in_use_ends_with_2_and_the_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one");
    let text = format!("ops_listen = \"127.0.0.1:0\"\nlisten = \"{address}\"\n{DATABASE}");
    fs::write(directory.path().join("taken.toml"), text).expect("writable");
    let output = run(&["serve", "--config", "taken.toml"], directory.path());
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let expected = format!("taken.toml:2:10: listen: {address} is in use; stop");
    assert!(message.contains(&expected), "{message}");

    // A second server on the port of a first one, whose sockets would share it.
    let first = Process::start(directory.path(), None);
    let text = format!("listen = \"{}\"\nops_listen = \"127.0.0.1:0\"\n{DATABASE}", first.addr);
    fs::write(directory.path().join("second.toml"), text).expect("writable");
    let output = run(&["serve", "--config", "second.toml"], directory.path());
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A server over an origin that answers the key `slow` only when it is told to.
fn slow(directory: &std::path::Path) -> (Origin, Process) {
    let origin = Origin::start();
    let config = format!(
        "[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n",
        origin.url()
    );
    (origin, Process::start(directory, Some(&config)))
}

#[test]
fn sigterm_finishes_what_was_asked_and_ends_with_0() {
    let directory = tempfile::tempdir().expect("a directory");
    let (origin, mut process) = slow(directory.path());
    let gate = origin.gate();
    origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("at last"))));
    let mut client = Client::connect(process.addr);
    client.send(get("slow"));
    origin.await_loads("slow", 1);
    process.signal(Signal::TERM);
    crate::harness::eventually("it is not ready any more", || process.ops("/readyz").status == 503);
    assert_eq!(process.has_ended(), None, "a client still waits");
    gate.open();
    client.answer().status(200).body("at last").has("Connection", "close");
    client.end();
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn sighup_takes_up_the_file_as_it_is_now() {
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    origin.set("Tom", Reply::value("630"));
    let config = format!(
        "[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n",
        origin.url()
    );
    let process = Process::start(directory.path(), Some(&config));
    let reload = |text: &str| {
        fs::write(directory.path().join("gocache.toml"), text).expect("writable");
        process.signal(Signal::HUP);
    };
    process.get("Tom").status(200).body("630");

    reload(&config.replace("1 MiB", "much"));
    process.logs("gocache.toml:6:10: a size is a number of bytes");
    process.logs("nothing has changed");
    assert_eq!(process.metric("gocache_budget_bytes"), f64::from(1 << 20));

    reload(&format!("loops = 9\nlog = \"warn\"\n{}", config.replace("1 MiB", "2 MiB")));
    process.logs("need a restart");
    process.logs(r#""keys":"loops""#);
    assert_eq!(process.metric("gocache_budget_bytes"), f64::from(2 << 20));
    process.get("Tom").status(200).body("630");
    assert_eq!(origin.loads_of("Tom"), 1, "it was cached all the time");
    process.get("Ann").status(404);

    reload(&config);
    crate::harness::eventually("the old budget", || {
        process.metric("gocache_budget_bytes") == f64::from(1 << 20)
    });
    process.get("Sam").status(404);
    process.logs(r#""key":"Sam""#);
    assert!(!process.log().contains(r#""key":"Ann""#), "the log was at warn");
}

#[test]
fn a_second_signal_ends_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let (origin, mut process) = slow(directory.path());
    origin.set("slow", Reply::Hang);
    let mut client = Client::connect(process.addr);
    client.send(get("slow"));
    origin.await_loads("slow", 1);
    process.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(process.has_ended(), None, "a client still waits");
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(1));
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut process = Process::start_with(directory.path(), None, Stdio::piped());
    let mut client = Client::connect(process.addr);
    // Each is a miss with its line in the log, together far more than a pipe holds.
    for number in 0..500 {
        client.get(&format!("{number}-{}", "k".repeat(1_500))).status(404);
    }
    client.get("Tom").status(200).body("630");
    drop(client);
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn loads_of_a_loop_whose_clients_have_gone_still_reach_the_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    // So many loops that the two clients hardly ever share one.
    let config = format!(
        "loops = 16\n[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n",
        origin.url()
    );
    let mut process = Process::start(directory.path(), Some(&config));
    let gate = origin.gate();
    origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("at last"))));
    let mut leader = Client::connect(process.addr);
    leader.send(get("slow"));
    origin.await_loads("slow", 1);
    let mut waiter = Client::connect(process.addr);
    waiter.send(get("slow"));
    crate::harness::eventually("it waits", || process.metric("gocache_waits_total") == 1.0);
    drop(leader);
    process.signal(Signal::TERM);
    crate::harness::eventually("it is not ready any more", || process.ops("/readyz").status == 503);
    // Time for a loop to end that takes itself for done.
    std::thread::sleep(Duration::from_millis(100));
    gate.open();
    waiter.answer().status(200).body("at last");
    assert_eq!(origin.loads_of("slow"), 1);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let full = File::options().write(true).open("/dev/full").expect("Linux has one");
    let process = Process::start_with(directory.path(), None, full.into());
    process.get("Tom").status(200).body("630");
    process.get("Ann").status(404);
    process.get("Tom").status(200).body("630");
}
