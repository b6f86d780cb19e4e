//! The program's environment: which variables are settings, and what they go over.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;

use crate::harness::{Client, Process, TOKEN, delete, free_address, program, put, run};
use crate::program::DATABASE;

#[test]
fn variables_and_flags_go_over_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("gocache.toml"), DATABASE).expect("writable");
    let check = |name: &str, value: &str| {
        let mut command = Command::new(program());
        command.args(["check", "gocache.toml"]).current_dir(directory.path()).env(name, value);
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, message) = check("GOCACHE_LIMITS_PIPELINE", "0");
    assert_eq!(code, Some(2));
    assert!(message.contains("GOCACHE_LIMITS_PIPELINE: this is a number from 1"), "{message}");
    let (code, message) = check("GOCACHE_LIMITS_PIPELIEN", "7");
    assert_eq!(code, Some(0), "it may be somebody else's");
    assert!(message.contains("GOCACHE_LIMITS_PIPELIEN: this variable"), "{message}");
    assert_eq!(check("GOCACHE_LIMITS_PIPELINE", "7"), (Some(0), String::new()));

    let wrong = run(&["serve", "--set", "limits.pipeline=none"], directory.path());
    let message = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{message}");
    assert!(message.contains("--set limits.pipeline: invalid type"), "{message}");

    let environment = [("GOCACHE_GROUPS_SCORES_BUDGET", "4 KiB"), ("GOCACHE_LIMITS_PIPELIEN", "7")];
    let process = Process::start_in(directory.path(), DATABASE, &environment);
    assert_eq!(process.metric("gocache_budget_bytes"), 4096.0);
    process.logs(r#""name":"GOCACHE_LIMITS_PIPELIEN""#);
    process.signal(Signal::HUP);
    process.logs("reloaded");
    assert_eq!(process.metric("gocache_budget_bytes"), 4096.0, "for the file as it is read again");
}

#[test]
fn a_token_in_the_environment_allows_writes_and_is_not_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let token = ("GOCACHE_WRITE_TOKEN", TOKEN);
    let process = Process::start_at_in(directory.path(), None, free_address(), &[token]);
    let mut client = Client::connect(process.addr);
    client.send(put("Tom", "700")).answer().status(204);
    client.get("Tom").status(200).body("700");
    client.send(delete("Tom")).answer().status(204);
    client.get("Tom").status(200).body("630");
    client.send(delete("Tom").replace(TOKEN, "a-guess")).answer().status(403);
    process.logs(r#""key":"Tom""#);
    assert!(!process.log().contains("without TLS"), "nobody else reads what stays on the machine");
    drop(process);

    let everywhere = SocketAddr::from(([0, 0, 0, 0], free_address().port()));
    let process = Process::start_at_in(directory.path(), None, everywhere, &[token]);
    process.logs("writes are allowed without TLS");
    Client::connect(process.addr).send(delete("Tom")).answer().status(204);
    assert!(!process.log().contains(TOKEN), "{}", process.log());
}
