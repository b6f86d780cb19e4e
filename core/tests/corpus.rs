//! What the fuzzer keeps (`tests/fuzz/corpus`), played again: each input once came where none before
//! it had been.

mod script;

use std::{fs, path::Path};

/// Plays each input of a target.
fn play(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("a corpus for each target");
    let mut count = 0;
    for file in files {
        let file = file.expect("a file of the corpus").path();
        println!("{}", file.display());
        run(&fs::read(&file).expect("a file of the corpus"));
        count += 1;
    }
    assert!(count >= 10, "{count} inputs in {} prove little", folder.display());
}

#[test]
fn caches_and_groups_keep_their_promises() {
    play("cache", script::input::cache);
}

#[test]
fn targets_are_read_as_they_are_written() {
    play("route", script::input::route);
}
