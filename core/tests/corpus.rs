//! What the fuzzer keeps (`tests/fuzz/corpus`), played again: each input once came where none before
//! it had been.

#[path = "../../tests/fuzz/replay.rs"]
mod replay;
mod script;

use replay::replay;

#[test]
fn caches_and_groups_keep_their_promises() {
    replay("cache", script::input::cache);
}

#[test]
fn targets_are_read_as_they_are_written() {
    replay("route", script::input::route);
}
