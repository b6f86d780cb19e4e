//! The house rules, as a test: what a reviewer would otherwise have to look for.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Lines of code in a file, tests and blank and comment lines left out.
const MAX_FILE: usize = 300;
/// Lines of a function, as rustfmt lays them out.
const MAX_FUNCTION: usize = 70;
const MAX_LINE: usize = 110;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the root").to_owned()
}

/// The files that git knows, so that nothing that was built or left there counts.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("our names are ASCII");
    listed.lines().filter(|file| root().join(file).is_file()).map(str::to_owned).collect()
}

fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|file| file.ends_with(".rs"));
    let read = |file: String| {
        let text = fs::read_to_string(root().join(&file)).expect("a listed file can be read");
        (file, text)
    };
    let sources: Vec<_> = rust.map(read).collect();
    assert!(sources.len() > 30, "only {} source files were found", sources.len());
    sources
}

/// Fails with all findings at once.
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

fn is_test_file(file: &str) -> bool {
    file.starts_with("tests/") || file.contains("/tests") || file.ends_with("tests.rs")
}

#[test]
fn the_top_level_is_what_the_owner_fixed() {
    let fixed = ["Cargo.toml", "core", "native", "wasi", "tests", "README.md"];
    // What cargo and rustup look for by name.
    let beside = ["Cargo.lock", "rust-toolchain.toml"];
    let stray = |file: &String| {
        let top = file.split('/').next().unwrap_or_default();
        let is_known = fixed.contains(&top) || beside.contains(&top);
        !(is_known || top.starts_with('.') || top.starts_with("LICENSE"))
    };
    none(&files().into_iter().filter(stray).collect::<Vec<_>>());
}

#[test]
fn every_file_says_what_may_stand_in_it() {
    let silent = |(file, text): &(String, String)| (!text.starts_with("//!")).then(|| file.clone());
    none(&sources().iter().filter_map(silent).collect::<Vec<_>>());
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
        let lines = code.lines().filter(is_code).count();
        if lines > MAX_FILE {
            findings.push(format!("{file}: {lines} lines of code, more than {MAX_FILE}"));
        }
        let mut function = None;
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > MAX_LINE {
                findings.push(format!(
                    "{file}:{}: a line of {} characters",
                    number + 1,
                    line.len()
                ));
            }
            let indent = line.len() - line.trim_start().len();
            if is_function(line) {
                function = Some((number, indent));
            } else if let Some((start, depth)) = function
                && line.trim() == "}"
                && indent == depth
            {
                let lines = number - start + 1;
                if lines > MAX_FUNCTION {
                    findings.push(format!("{file}:{}: a function of {lines} lines", start + 1));
                }
                function = None;
            }
        }
    }
    none(&findings);
}

fn is_function(line: &str) -> bool {
    let mut words = line.trim_start().split(' ');
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "unsafe", "extern", "async"];
    words.find(|word| !modifiers.contains(word)) == Some("fn") && !line.ends_with("}")
}

#[test]
fn nothing_is_left_unfinished() {
    // Written in two parts, so that this file does not find itself.
    let marks =
        [["to", "do!("], ["unimple", "mented!("], ["FIX", "ME"], ["XX", "X"], ["#[ig", "nore"]];
    let mut findings = Vec::new();
    for (file, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for mark in &marks {
                if line.contains(&mark.concat()) {
                    findings.push(format!("{file}:{}: {line}", number + 1));
                }
            }
        }
    }
    none(&findings);
}

/// The direction native -> core <- wasi/component, and wasi/host -> native: nobody below knows who
/// stands above.
#[test]
fn dependencies_point_at_the_core() {
    let forbidden: [(&str, &[&str]); 3] = [
        ("core/src/", &["use gocache::", "gocache_wasi", "use std::"]),
        ("native/src/", &["gocache_wasi", "wasmtime"]),
        ("wasi/component/src/", &["use gocache::", "gocache_wasi", "wasmtime"]),
    ];
    let mut findings = Vec::new();
    for (file, text) in sources() {
        for (_, names) in forbidden.iter().filter(|(folder, _)| file.starts_with(folder)) {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let uses = lines.filter(|line| names.iter().any(|name| line.contains(name)));
            if !is_test_file(&file) && !file.ends_with("_tests.rs") {
                findings.extend(uses.map(|line| format!("{file}: {}", line.trim())));
            }
        }
    }
    none(&findings);
}

/// Inside the core a file uses only files below it in the list of `lib.rs`.
#[test]
fn the_core_has_no_circles() {
    let core = root().join("core/src");
    let list = fs::read_to_string(core.join("lib.rs")).expect("the core has a root");
    let modules: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')))
        .collect();
    assert!(modules.len() > 10, "the list was read: {modules:?}");
    let mut findings = Vec::new();
    for (place, module) in modules.iter().enumerate() {
        let text = fs::read_to_string(core.join(format!("{module}.rs"))).expect("a file a module");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code.lines().filter(|line| !line.trim().starts_with("//")).collect();
        for above in &modules[..place] {
            let names = [
                format!("crate::{above}::"),
                format!("    {above}::"),
                format!("{{{above}::"),
                format!(", {above}::"),
            ];
            if names.iter().any(|name| code.contains(name)) {
                findings.push(format!("{module}.rs uses {above}.rs, which stands above it"));
            }
        }
    }
    none(&findings);
}

/// What the compiler cannot check is in few files of the core, so that a reviewer can.
#[test]
fn the_core_fences_what_is_unsafe() {
    let fences = ["core/src/entry.rs", "core/src/lock.rs", "core/src/region.rs"];
    let mut findings = Vec::new();
    for (file, text) in sources() {
        if !file.starts_with("core/src/")
            || file.ends_with("_loom.rs")
            || is_test_file(&file)
            || fences.contains(&&*file)
        {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let is_deny = line.starts_with("#![deny(unsafe_code");
            if !line.trim_start().starts_with("//") && !is_deny && line.contains("unsafe") {
                findings.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(&findings);
}

/// Of the locks in `locks.rs` a thread counts those that it holds: others nobody would see.
#[test]
fn the_server_has_no_locks_but_those_that_are_counted() {
    let names = ["Mutex", "RwLock", "parking_lot", "Condvar"];
    let mut findings = Vec::new();
    for (file, text) in sources() {
        if !file.starts_with("native/src/") || file == "native/src/locks.rs" || is_test_file(&file)
        {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let locks = lines.filter(|line| names.iter().any(|name| line.contains(name)));
        findings.extend(locks.map(|line| format!("{file}: {}", line.trim())));
    }
    none(&findings);
}

/// What bytes from outside can reach must not panic.
#[test]
fn nothing_unwraps_outside_tests() {
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let is_bench = file.contains("/benches/");
        if is_test_file(&file)
            || is_bench
            || file.ends_with("_tests.rs")
            || file.ends_with("build.rs")
        {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if !is_comment && line.contains(".unwrap()") {
                findings.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(&findings);
}
