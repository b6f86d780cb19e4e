//! What fails when there is no memory for what a client makes long: its head, its key, its conditions, and
//! the answer that quotes them. Each such allocation fails once. Nothing aborts, nothing leaks, the client is
//! answered, and the next one is served as ever.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
};

use gocache::{Config, in_process::Shared};
use gocache_core::GroupId;

/// Allocations of less than this have a length that no client chooses.
const LARGE: usize = 1 << 10;

/// The system's memory, of which a thread does not get the large piece that it is told not to get.
struct Failing;

thread_local! {
    /// How many large pieces are still given before one is not.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static FAILING: Failing = Failing;

// SAFETY: all memory is the system's, and given back to it with the layout it came with.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE
            && let Some(left) = LEFT.get()
        {
            LEFT.set(left.checked_sub(1));
            if left == 0 {
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

/// What a new connection answers to these bytes, which come in pieces, where the large piece of memory of
/// this number is not to be had; and whether it came to that.
fn ask(shared: &Shared, request: &str, number: Option<usize>) -> (String, bool) {
    let mut lane = shared.enter(0, 1);
    let mut scratch = vec![0; 16 << 10];
    let mut said = String::with_capacity(64 << 10);
    LEFT.set(number);
    for piece in request.as_bytes().chunks(3_000) {
        lane.turn(
            &mut scratch,
            |buffer| {
                buffer[..piece.len()].copy_from_slice(piece);
                piece.len()
            },
            |slices| slices.iter().for_each(|it| said.push_str(str::from_utf8(it).expect("ASCII"))),
        );
    }
    (said, LEFT.take().is_none())
}

#[test]
fn what_a_client_makes_long_is_refused_where_there_is_no_memory_for_it() {
    let config = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                  [groups.g]\norigin = \"o\"\nbudget = \"1 MiB\"\n";
    let hot = "GET /_gocache/g/hot HTTP/1.1\r\nHost: h\r\n\r\n";
    let get = |target: &str, fields: &str| {
        format!("GET /_gocache/{target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
    };
    let long = "%01".repeat(2_000);
    let tag = format!("If-None-Match: \"{}\"\r\n", "x".repeat(2_500));
    let padding = format!("X: {}\r\n", "x".repeat(9_000));
    let cases = [
        (get("g/hot", &padding), "HTTP/1.1 200 "),
        (get("g/hot", &format!("{padding}Content-Length: 3\r\n")) + "630", "HTTP/1.1 200 "),
        (get("g/hot", &tag.repeat(3)), "HTTP/1.1 200 "),
        (get(&format!("g/{long}"), ""), ""),
        (get("g/cold", &tag.repeat(3)), ""),
        (get(&format!("{long}/hot"), ""), "HTTP/1.1 404 "),
    ];
    let mut failures = 0;
    for (request, expected) in &cases {
        for number in 0.. {
            let before = HELD.get();
            let shared = Shared::new(Config::from_toml(config).expect("sound"));
            let shared = shared.expect("memory for a small group");
            shared.put(GroupId(0), b"hot", b"630").expect("it fits");
            let (said, has_failed) = ask(&shared, request, Some(number));
            let is_refused = said.starts_with("HTTP/1.1 503 ");
            let is_right = said.starts_with(expected) && said.is_empty() == expected.is_empty();
            assert!(is_right || (has_failed && is_refused), "{number} of {request}: {said}");
            let (next, _) = ask(&shared, hot, None);
            assert!(next.starts_with("HTTP/1.1 200 ") && next.ends_with("630"), "{next}");
            drop((shared, said, next));
            assert_eq!(HELD.get(), before, "{number} of {request}: a leak");
            if !has_failed {
                break;
            }
            failures += usize::from(is_refused);
        }
    }
    assert!(failures >= 10, "{failures} refused allocations prove little");
}
