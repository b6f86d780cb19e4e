//! Under a service manager: sockets that are handed over, and what it is told.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::harness::{
    Client, Origin, PATIENCE, Process, Reply, eventually, free_address, get, program, run,
};

fn over(origin: &Origin) -> String {
    origin.set_otherwise(Reply::Echo);
    format!(
        "loops = 2\n[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n",
        origin.url()
    )
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

#[test]
fn a_socket_that_is_handed_over_loses_no_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    let (data, ops) = (listen(), listen());
    let addr = data.local_addr().expect("it listens");
    for round in 0..2 {
        // Nobody is there yet: the connection waits in the socket.
        let mut early = Client::connect(addr);
        early.send(get("early"));
        let names = ["data:ops", "unknown:unknown"][round];
        let mut process =
            Process::activated(directory.path(), &over(&origin), [&data, &ops], names);
        early.answer().status(200).body("early");
        process.get("Tom").status(200).body("Tom");
        drop(early);
        process.signal(Signal::TERM);
        assert_eq!(process.wait().code(), Some(0));
    }
    let mut process =
        Process::activated(directory.path(), &over(&origin), [&ops, &data], "ops:data");
    process.get("Tom").status(200).body("Tom");
    process.signal(Signal::TERM);
    process.wait();
}

#[test]
fn all_loops_take_from_a_socket_that_is_handed_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    let (data, ops) = (listen(), listen());
    let process = Process::activated(directory.path(), &over(&origin), [&data, &ops], "data:ops");
    let clients: Vec<Client> = (0..200)
        .map(|number| {
            let mut client = Client::connect(process.addr);
            client.get(&format!("key-{number}")).status(200);
            client
        })
        .collect();
    let page = process.ops("/metrics").body;
    let page = String::from_utf8(page).expect("it is UTF-8");
    assert!(page.contains("gocache_connections{plane=\"data\"} 200"), "{page}");
    drop(clients);
}

#[test]
fn a_socket_that_does_not_fit_ends_with_2() {
    let directory = tempfile::tempdir().expect("a directory");
    // A file, then a third socket.
    for (count, script, expected) in [
        ("1", "exec 3</dev/null", "the socket 0, \"\", is not one for TCP"),
        ("3", "exec 3<&0 4<&0 5<&0", "the socket 2, \"\", is one too many"),
    ] {
        let script = format!("{script}; export LISTEN_PID=$$; exec \"$0\" serve");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(program()).current_dir(directory.path());
        command.env("LISTEN_FDS", count).stdin(std::os::fd::OwnedFd::from(listen()));
        let output = command.output().expect("sh runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
    }
    // What was meant for another process is not ours.
    let output = Command::new(program())
        .args(["check", "none.toml"])
        .env("LISTEN_FDS", "3")
        .env("LISTEN_PID", "1")
        .output();
    assert_eq!(output.expect("it runs").status.code(), Some(2));
    assert_eq!(run(&["--version"], directory.path()).status.code(), Some(0));
}

/// systemd's own program, where it is installed.
#[test]
fn systemd_hands_a_socket_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let (addr, ops_addr) = (free_address(), free_address());
    let mut command = Command::new("systemd-socket-activate");
    command.arg(format!("--listen={addr}")).args(["--fdname=data", "--setenv=GOCACHE_OPS_LISTEN"]);
    command.arg(program()).current_dir(directory.path()).stderr(Stdio::null());
    let child = command.env("GOCACHE_OPS_LISTEN", ops_addr.to_string()).spawn();
    let Ok(mut child) = child else {
        return eprintln!("systemd-socket-activate is not on the PATH: apt-get install systemd");
    };
    // It starts the program at the first connection, which the program then finds in the socket.
    eventually("it listens", || TcpStream::connect(addr).is_ok());
    Client::connect(addr).get("Tom").status(200).body("630");
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
}

#[test]
fn a_service_manager_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    let manager = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let told = |expected: &str| {
        let mut buffer = [0; 256];
        let count = manager.recv(&mut buffer).expect(expected);
        let message = String::from_utf8_lossy(&buffer[..count]);
        assert!(message.starts_with(expected), "expected {expected}, got {message}");
        message.into_owned()
    };
    let notify = [("NOTIFY_SOCKET", directory.path().join("notify"))];
    let mut process = Process::start_in(directory.path(), &over(&origin), &notify);
    told("READY=1");
    process.signal(Signal::HUP);
    assert!(told("RELOADING=1").contains("MONOTONIC_USEC="));
    told("READY=1");
    process.signal(Signal::TERM);
    told("STOPPING=1");
    assert_eq!(process.wait().code(), Some(0));
}
