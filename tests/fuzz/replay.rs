//! Plays what the fuzzer kept of a target. The tests of the crates that are fuzzed take this file in
//! by its path: it goes by theirs.

use std::{fs, path::Path};

/// Plays each input of a target.
pub(crate) fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("a corpus for each target") {
        let file = file.expect("a file of the corpus").path();
        println!("{}", file.display());
        run(&fs::read(&file).expect("a file of the corpus"));
        count += 1;
    }
    assert!(count >= 10, "{count} inputs in {} prove little", folder.display());
}
