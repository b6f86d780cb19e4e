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

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gocache-wasi");

/// A configuration in a file, with an origin at this address.
pub(crate) fn configuration(name: &str, origin: &str, budget: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = format!(
        "listen = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\n\
         [origins.api]\nkind = \"http\"\nurl = \"http://{origin}/\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"{budget}\"\n"
    );
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn temporary(name: &str) -> String {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).to_str().unwrap().to_owned()
}

/// Compiles the component into this file.
fn compile(file: &str) {
    let mut program = Command::new(PROGRAM);
    let output = program.arg("compile").arg(&*guest::FILE).args(["-o", file]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*told), (Some(0), ""));
}

#[test]
fn a_value_comes_from_the_origin_once() {
    value_comes_once(guest::FILE.to_str().unwrap(), "component.toml");
}

#[test]
fn the_same_from_a_component_that_is_compiled() {
    let compiled = temporary("component.cwasm");
    compile(&compiled);
    value_comes_once(&compiled, "compiled.toml");
}

fn value_comes_once(component: &str, config: &str) {
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = configuration(config, &origin.local_addr().unwrap().to_string(), "1 MiB");
    // An origin that can answer only once.
    thread::spawn(move || {
        let (mut stream, _) = origin.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while !lines.next().unwrap().unwrap().is_empty() {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n630").unwrap();
    });
    let mut server = Command::new(PROGRAM)
        .args(["serve", "--config", &config, "--component", component])
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
    let part = temporary("part.cwasm");
    compile(&part);
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    let cases = [
        ("no/such.toml", component, "no/such.toml"),
        (&sound, "no/such.wasm", "no/such.wasm cannot be read"),
        (
            &sound,
            &sound,
            "sound.toml is not a WebAssembly component; name `gocache_component.wasm`",
        ),
        (&sound, &part, "part.cwasm is not whole, or not from `gocache-wasi compile`; compile"),
        (&large, component, "the memory of an instance ends at 4 GiB"),
    ];
    for (config, component, says) in cases {
        let mut program = Command::new(PROGRAM);
        program.args(["serve", "--instances", "1", "--config", config, "--component", component]);
        let output = program.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.starts_with("gocache-wasi: ") && told.contains(says), "{told}");
    }
}
