//! The program as an operator meets it: one request through all of it, and what a mistake says.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use crate::guest;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gocache-wasi");

/// A configuration in a file, with an origin at this address.
fn configuration(name: &str, origin: &str, budget: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = format!(
        "listen = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\n\
         [origins.api]\nkind = \"http\"\nurl = \"http://{origin}/\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"{budget}\"\n"
    );
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_value_comes_from_the_origin_once() {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = configuration("serves.toml", &origin.local_addr().unwrap().to_string(), "1 MiB");
    // An origin that can answer only once.
    thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n630").unwrap();
    });
    let mut server = Command::new(PROGRAM)
        .args(["serve", "--config", &config, "--component"])
        .arg(&*guest::FILE)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let serving = log.find_map(|line| Some(line.split_once(r#""url":"http://"#)?.1.to_owned()));
    let serving = serving.expect("it says where");
    let (addr, _) = serving.split_once('/').unwrap();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(addr).unwrap();
        let base = serving.split_once('/').unwrap().1.split_once("GROUP").unwrap().0;
        let request =
            format!("GET /{base}scores/Tom HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n630"), "{answer}");
    }
    let terminated = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(terminated.success());
    assert!(server.wait().unwrap().success(), "SIGTERM drains");
}

#[test]
fn a_mistake_is_told_in_one_line_with_exit_code_2() {
    let sound = configuration("sound.toml", "localhost:1", "1 MiB");
    let large = configuration("large.toml", "localhost:1", "3 GiB");
    let component = guest::FILE.to_str().unwrap();
    let cases = [
        ("no/such.toml", component, "no/such.toml"),
        (&sound, "no/such.wasm", "no/such.wasm cannot be read"),
        (&sound, &sound, "sound.toml is not a WebAssembly component; name the file with"),
        (&large, component, "the component's memory ends at 4 GiB"),
    ];
    for (config, component, says) in cases {
        let mut program = Command::new(PROGRAM);
        program.args(["serve", "--config", config, "--component", component]);
        let output = program.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.starts_with("gocache-wasi: ") && told.contains(says), "{told}");
    }
}
