//! Memory that is not to be had, at any place on the way of a request. Nothing aborts, nothing leaks, the
//! client is answered as far as there is memory for it, and the next one is served as ever.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
    sync::Mutex,
};

use gocache::{Config, Reserve, in_process::Shared};
use gocache_core::GroupId;

/// The system's memory, of which a thread does not get the piece that it is told not to get.
struct Failing;

#[derive(Clone, Copy)]
enum Shortage {
    /// There is none of that size, and again there is.
    Once,
    /// From then on there is none.
    Lasting,
}

/// What is not given: the piece of this number among those of such a size.
#[derive(Clone, Copy)]
struct Plan {
    number: usize,
    least: usize,
    shortage: Shortage,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
    /// Pieces that were not given since there is a plan.
    static FAILED: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static MEMORY: Reserve<Failing> = Reserve::new(Failing);

// SAFETY: all memory is the system's, and given back to it with the layout it came with.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(plan) = PLAN.get()
            && layout.size() >= plan.least
        {
            let number = plan.number.checked_sub(1);
            let fails = number.is_none();
            let goes_on = !fails || matches!(plan.shortage, Shortage::Lasting);
            PLAN.set(goes_on.then(|| Plan { number: number.unwrap_or(0), ..plan }));
            if fails {
                FAILED.set(FAILED.get() + 1);
                return ptr::null_mut();
            }
        }
        HELD.set(HELD.get() + layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

/// They share the reserve, of which each wants to see that nothing is in use.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

const CONFIG: &str = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                      [groups.g]\norigin = \"o\"\nbudget = \"1 MiB\"\n";
const HOT: &str = "GET /_gocache/g/hot HTTP/1.1\r\nHost: h\r\n\r\n";
/// Blocks for what the log has told of a shortage, lest it tell it again and again.
const REMEMBERED: u32 = 1;
/// Longer than what is copied behind its head.
const LARGE: usize = 3_000;

/// What a connection is asked, and how the answers begin if nothing fails.
struct Script {
    requests: String,
    answers: Vec<&'static str>,
}

impl Script {
    fn new(requests: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let (requests, answers): (Vec<_>, _) = requests.into_iter().unzip();
        Self { requests: requests.concat(), answers }
    }
}

fn get(target: &str, fields: &str) -> String {
    format!("GET /_gocache/{target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn scripts() -> Vec<Script> {
    const OK: &str = "HTTP/1.1 200 ";
    let long = "%01".repeat(2_000);
    let tag = format!("If-None-Match: \"{}\"\r\n", "x".repeat(2_500));
    let padding = format!("X: {}\r\n", "x".repeat(9_000));
    let one = |request: String, answer| Script::new([(request, answer)]);
    let hits = (0..200).map(|_| (HOT.to_owned(), OK));
    let large = (0..40).map(|_| (get("g/large", ""), OK));
    let misses = (0..100).map(|number| (get(&format!("g/{number}"), ""), OK));
    let all_kinds = [
        (get("g/hot", "Range: bytes=0-1\r\nIf-Range: \"1\"\r\n"), OK),
        (get("g/hot", "Range: bytes=0-1\r\n"), "HTTP/1.1 206 "),
        (get("g/hot", "Range: bytes=9-\r\n"), "HTTP/1.1 416 "),
        (get("g/hot", "If-None-Match: *\r\n"), "HTTP/1.1 304 "),
        (get("g/h%6ft", "If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n"), OK),
        (get("none/hot", ""), "HTTP/1.1 404 "),
        (get("g/cold", "Range: bytes=0-1\r\n"), "HTTP/1.1 206 "),
        (get("g/hot", "Content-Length: 3\r\n") + "630", OK),
        (get("g/hot", "Transfer-Encoding: chunked\r\n") + "1\r\nx\r\n0\r\n\r\n", OK),
        ("POST /_gocache/g/hot HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "HTTP/1.1 405 "),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
    ];
    vec![
        one(get("g/hot", &padding), OK),
        one(get("g/hot", &format!("{padding}Content-Length: 3\r\n")) + "630", OK),
        one(get("g/hot", &tag.repeat(3)), OK),
        one(get(&format!("g/{long}"), ""), OK),
        one(get("g/cold", &tag.repeat(3)), OK),
        one(get(&format!("{long}/hot"), ""), "HTTP/1.1 404 "),
        Script::new(hits),
        Script::new(large),
        Script::new(misses),
        Script::new(all_kinds),
    ]
}

/// What a new connection answers to these bytes, which come in pieces, where memory is as short as that;
/// how many pieces of it were not given; and whether the connection is over.
fn ask(shared: &Shared, requests: &str, plan: Option<Plan>) -> (String, usize, bool) {
    let mut lane = shared.enter(0, 1);
    let mut scratch = vec![0; 16 << 10];
    let mut said = String::with_capacity(1 << 20);
    FAILED.set(0);
    PLAN.set(plan);
    // Once more than there are pieces: what was put off for lack of memory has a turn after the last.
    for piece in requests.as_bytes().chunks(3_000).chain([&b""[..]; 200]) {
        lane.turn(
            &mut scratch,
            |buffer| {
                buffer[..piece.len()].copy_from_slice(piece);
                piece.len()
            },
            |slices| slices.iter().for_each(|it| said.push_str(str::from_utf8(it).expect("ASCII"))),
        );
        lane.land(b"loaded");
    }
    PLAN.set(None);
    (said, FAILED.get(), lane.is_over(0))
}

/// Checks that these are whole answers to the requests, in their order: to all of them, unless the
/// connection has ended for lack of memory.
fn check(said: &str, script: &Script, has_failed: bool, is_over: bool) {
    let mut rest = said;
    let mut refused = 0;
    for expected in &script.answers {
        if rest.is_empty() {
            break;
        }
        let is_refused = rest.starts_with("HTTP/1.1 503 ");
        refused += usize::from(is_refused);
        assert!(
            rest.starts_with(expected) || (has_failed && is_refused),
            "{expected}, but: {rest}"
        );
        let (head, body) = rest.split_once("\r\n\r\n").expect("a whole head");
        let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        rest = &body[len.map_or(0, |len| len.parse().expect("a length"))..];
        if head.contains("\r\nConnection: close") {
            break;
        }
    }
    assert_eq!(rest, "", "an answer to nothing");
    let answered = said.matches("HTTP/1.1 ").count();
    assert!(answered == script.answers.len() || (has_failed && is_over), "{answered}: {said}");
    assert!(has_failed || refused == 0, "{said}");
}

#[test]
fn whatever_fails_for_lack_of_memory_is_refused_and_no_more() {
    let _alone = ONE_BY_ONE.lock();
    let (mut failures, mut runs) = (0, 0);
    for script in scripts() {
        for (least, shortage) in
            [(0, Shortage::Once), (0, Shortage::Lasting), (2_049, Shortage::Once)]
        {
            for number in 0.. {
                let before = HELD.get();
                let shared = Shared::new(Config::from_toml(CONFIG).expect("sound"));
                let shared = shared.expect("memory for a small group");
                shared.put(GroupId(0), b"hot", b"630").expect("it fits");
                shared.put(GroupId(0), b"large", &[b'x'; LARGE]).expect("it fits");
                let plan = Plan { number, least, shortage };
                let (said, failed, is_over) = ask(&shared, &script.requests, Some(plan));
                check(&said, &script, failed > 0, is_over);
                let (next, ..) = ask(&shared, HOT, None);
                // Where it had to make room for others, it is loaded anew.
                let is_right = next.ends_with("630") || next.ends_with("loaded");
                assert!(next.starts_with("HTTP/1.1 200 ") && is_right, "{next}");
                drop((shared, said, next));
                assert_eq!(HELD.get(), before, "{number}: a leak");
                assert!(MEMORY.used() <= REMEMBERED, "{number}: a leak");
                runs += 1;
                failures += failed;
                if failed == 0 {
                    break;
                }
            }
        }
    }
    println!("{runs} runs, {failures} pieces of memory that were not to be had");
    assert!(failures > 1_000, "{failures} of {runs} runs prove little");
}

/// What the cache keeps takes nothing of the reserve, or it would be used up for good.
#[test]
fn hits_are_answered_while_there_is_no_memory_and_all_is_afterwards() {
    let _alone = ONE_BY_ONE.lock();
    let shared = Shared::new(Config::from_toml(CONFIG).expect("sound"));
    let shared = shared.expect("memory for a small group");
    shared.put(GroupId(0), b"hot", b"630").expect("it fits");
    let lasting = |number| Some(Plan { number, least: 0, shortage: Shortage::Lasting });
    for number in 0..1_000 {
        let (cold, ..) = ask(&shared, &get(&format!("g/cold-{number}"), ""), lasting(0));
        assert!(cold.is_empty() || cold.starts_with("HTTP/1.1 503 "), "{cold}");
        let (hot, ..) = ask(&shared, HOT, lasting(0));
        assert!(hot.starts_with("HTTP/1.1 200 ") && hot.ends_with("630"), "{number}: {hot}");
    }
    for number in 0..1_000 {
        // Some get by with what there is before the shortage begins, and are kept in the place of others.
        let (some, ..) = ask(&shared, &get(&format!("g/some-{number}"), ""), lasting(number % 20));
        assert!(some.is_empty() || some.starts_with("HTTP/1.1 "), "{some}");
    }
    assert!(MEMORY.used() <= REMEMBERED);
    let (cold, ..) = ask(&shared, &get("g/cold", ""), None);
    assert!(cold.starts_with("HTTP/1.1 200 ") && cold.ends_with("loaded"), "{cold}");
}
