//! Every phase of a connection has a deadline, so that nobody can hold a place by being slow.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{
    Asked, Client, Frontend, PATIENCE, Reply, Setup, Site, eventually, get, head,
};

promises! {
    a_slow_head_is_cut,
    a_silent_connection_is_cut,
    an_idle_connection_is_cut,
    an_active_connection_is_not_idle,
    a_slow_body_is_cut,
    a_client_that_does_not_read_is_cut,
    a_client_that_does_not_read_its_pipeline_is_cut,
    a_client_that_asks_on_without_reading_is_cut,
    a_client_that_reads_slowly_is_served,
    a_client_that_waits_for_its_load_is_not_idle,
}

/// What the deadline under test is set to, where it is not said otherwise.
const DEADLINE: Duration = Duration::from_millis(500);
const DEADLINE_TEXT: &str = "500ms";
/// Timers may be coarse, but not by this much.
const LATE: Duration = Duration::from_millis(2500);

/// Waits for the end of the connection, which must come between the deadline and not much after it;
/// the statuses that came before it.
#[track_caller]
fn ends_in_time(begin: Instant, client: &mut Client) -> Vec<u16> {
    let answers = client.answers_to_the_end();
    let took = begin.elapsed();
    assert!(took >= DEADLINE, "cut after {took:?}, before the deadline");
    assert!(took < DEADLINE + LATE, "cut only after {took:?}");
    answers.iter().map(|answer| answer.status).collect()
}

/// Sends a byte now and then, which must not prolong anything, until the server has had enough.
fn trickle(client: &mut Client) {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE && client.silent_for(Duration::from_millis(40)) {
        client.offer("x");
    }
}

fn a_slow_head_is_cut<F: Frontend>() {
    let site = Setup::new().deadline("head", DEADLINE_TEXT).start::<F>();
    for first in ["G", "GET /_gocache/scores/hot HTTP/1.1\r\nHost: gocache\r\nX: "] {
        let begin = Instant::now();
        let mut client = site.connect();
        client.send(first);
        trickle(&mut client);
        let statuses = ends_in_time(begin, &mut client);
        assert!(matches!(statuses[..], [] | [408]), "408 or the end alone: {statuses:?}");
    }
    // The second request of a connection has the same deadline as its first.
    let mut client = site.connect();
    client.get("hot").status(200);
    let begin = Instant::now();
    client.send("GET /_gocache/scores/");
    trickle(&mut client);
    let statuses = ends_in_time(begin, &mut client);
    assert!(matches!(statuses[..], [] | [408]), "408 or the end alone: {statuses:?}");
}

fn a_silent_connection_is_cut<F: Frontend>() {
    let site =
        Setup::new().deadline("head", DEADLINE_TEXT).deadline("idle", DEADLINE_TEXT).start::<F>();
    let begin = Instant::now();
    let mut client = site.connect();
    let statuses = ends_in_time(begin, &mut client);
    assert!(matches!(statuses[..], [] | [408]), "408 or the end alone: {statuses:?}");
}

fn an_idle_connection_is_cut<F: Frontend>() {
    let site = Setup::new().deadline("idle", DEADLINE_TEXT).start::<F>();
    let mut client = site.connect();
    client.get("hot").status(200);
    let begin = Instant::now();
    client.get("hot").status(200);
    let statuses = ends_in_time(begin, &mut client);
    assert!(matches!(statuses[..], [] | [408]), "the end, with a reason at most: {statuses:?}");
}

fn an_active_connection_is_not_idle<F: Frontend>() {
    let site =
        Setup::new().deadline("idle", DEADLINE_TEXT).deadline("head", DEADLINE_TEXT).start::<F>();
    let mut client = site.connect();
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE * 3 {
        client.get("hot").status(200).body("hot value");
        thread::sleep(Duration::from_millis(50));
    }
}

fn a_slow_body_is_cut<F: Frontend>() {
    let site = Setup::new().deadline("body", DEADLINE_TEXT).start::<F>();
    for fields in ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let begin = Instant::now();
        let mut client = site.connect();
        let start = if fields.starts_with('C') { "x" } else { "3E8\r\nx" };
        client.send(get("hot").replace("\r\n\r\n", &format!("\r\n{fields}\r\n{start}")));
        // The answer may come before the body does: it is not what this waits for.
        let mut statuses = Vec::new();
        while begin.elapsed() < PATIENCE {
            trickle(&mut client);
            match client.next_answer(Asked::Get) {
                Ok(Some(answer)) => statuses.push(answer.status),
                Ok(None) => break,
                Err(error) => panic!("expected the end: {error}"),
            }
        }
        let took = begin.elapsed();
        assert!(took < DEADLINE + LATE, "cut only after {took:?}");
        assert!(
            matches!(statuses[..], [] | [200 | 408] | [200, 408]),
            "200, 408 or the end: {statuses:?}"
        );
    }
}

const MIB: usize = 1024 * 1024;

/// A value that no pair of socket buffers can take: what is not read stays with the server.
fn large_site<F: Frontend>(setup: Setup, write: &'static str) -> (Site, Vec<u8>) {
    let value = vec![b'v'; 24 * MIB];
    let setup =
        setup.loops(1).budget("64 MiB").limit("value_bytes", 32 * MIB).deadline("write", write);
    let site = setup.deadline("load", "20s").start::<F>();
    site.origin.set("large", Reply::value(&value));
    (site, value)
}

/// The only place there is belongs to the one who does not read, so another is served once it was
/// cut.
#[track_caller]
fn is_cut_unread(site: &Site, begin: Instant, client: &mut Client, most: usize) {
    eventually("the place of a client that does not read is free", || {
        let mut next = site.connect();
        next.offer(get("hot"));
        // Until then it is refused, and who comes so often need not even be told.
        matches!(next.next_answer(Asked::Get), Ok(Some(answer)) if answer.status == 200)
    });
    let took = begin.elapsed();
    assert!(took >= DEADLINE, "cut after {took:?}, before the deadline");
    let got = client.swallow(most);
    assert!(got < most, "all {most} bytes arrived at a client that was to be cut");
}

fn a_client_that_does_not_read_is_cut<F: Frontend>() {
    let (site, value) = large_site::<F>(Setup::new().limit("connections", 1), DEADLINE_TEXT);
    let mut client = site.connect();
    let begin = Instant::now();
    client.send(get("large"));
    site.origin.await_loads("large", 1);
    is_cut_unread(&site, begin, &mut client, value.len());
}

fn a_client_that_does_not_read_its_pipeline_is_cut<F: Frontend>() {
    let site =
        Setup::new().loops(1).limit("connections", 1).deadline("write", DEADLINE_TEXT).start::<F>();
    site.origin.set("some", Reply::value(vec![b's'; 100 * 1024]));
    let mut client = site.connect();
    let begin = Instant::now();
    client.send(get("some").repeat(240));
    is_cut_unread(&site, begin, &mut client, 240 * 100 * 1024);
}

fn a_client_that_asks_on_without_reading_is_cut<F: Frontend>() {
    let (site, _) = large_site::<F>(Setup::new().limit("connections", 1), DEADLINE_TEXT);
    let mut client = site.connect();
    client.send(get("large"));
    site.origin.await_loads("large", 1);
    let begin = Instant::now();
    while client.offer(head("hot")) {
        assert!(begin.elapsed() < DEADLINE + LATE, "still served");
        thread::sleep(DEADLINE / 10);
    }
}

/// The deadline is on progress, not on the whole: this takes several times as long.
fn a_client_that_reads_slowly_is_served<F: Frontend>() {
    let deadline = Duration::from_secs(1);
    let (site, value) = large_site::<F>(Setup::new(), "1s");
    let mut client = site.connect();
    client.send(get("large"));
    let begin = Instant::now();
    let mut got = 0;
    while got < value.len() {
        let more = client.swallow(MIB);
        assert!(more > 0, "cut after {got} bytes and {:?}", begin.elapsed());
        got += more;
        thread::sleep(Duration::from_millis(100));
    }
    assert!(begin.elapsed() > deadline * 2, "read too fast to show anything");
}

fn a_client_that_waits_for_its_load_is_not_idle<F: Frontend>() {
    let short = "200ms";
    let setup =
        Setup::new().deadline("idle", short).deadline("head", short).deadline("write", short);
    let site = setup.deadline("body", short).start::<F>();
    let late = Reply::After(Duration::from_millis(800), Box::new(Reply::value("630")));
    site.origin.set("Tom", late);
    site.get("Tom").status(200).body("630");
}
