//! The wall clock jumps, as it does when somebody sets it: nothing expires by it, nothing becomes
//! immortal, and nobody is cut off. `faketime` does the jumping, where it is installed.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Origin, PATIENCE, Process, Reply, eventually, get};

/// The library that `faketime` puts before the C library of a program.
fn library() -> Option<PathBuf> {
    let said = Command::new("faketime").args(["-f", "+0", "env"]).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let library = said.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="))?;
    // There may be more than one. (What stands in it for a folder, the loader knows.)
    library.rsplit(':').find(|it| it.contains("faketime")).map(PathBuf::from)
}

/// A client that does not mind the year. (The other one takes a wrong date for a fault.)
struct Patient(TcpStream);

impl Patient {
    fn connect(process: &Process) -> Self {
        let stream = TcpStream::connect(process.addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Self(stream)
    }

    /// The answer to a GET, whose value is the key.
    fn get(&mut self, key: &str) -> String {
        self.0.write_all(get(key).as_bytes()).expect("the connection stands");
        let mut answer = String::new();
        let end = format!("\r\n\r\n{key}");
        while !answer.ends_with(&end) {
            let mut buffer = [0; 1024];
            let count = self.0.read(&mut buffer).expect("an answer in time");
            assert!(count > 0, "cut within an answer: {answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        answer
    }

    fn end(&mut self) {
        assert_eq!(self.0.read(&mut [0]).expect("the end in time"), 0, "the connection is closed");
    }
}

fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[test]
fn the_wall_clock_jumps_and_nobody_notices() {
    let Some(library) = library() else {
        return eprintln!("faketime is not on the PATH: apt-get install faketime");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let origin = Origin::start();
    origin.set_otherwise(Reply::Echo);
    let config = format!(
        "[origins.api]\nkind = \"http\"\nurl = \"{}\"\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\nlifetime = \"1h\"\n\
         [deadlines]\nidle = \"30s\"\n",
        origin.url()
    );
    let jump = |to: &str| fs::write(directory.path().join("time"), to).expect("writable");
    jump("+0");
    let environment = [
        ("LD_PRELOAD", library.as_path()),
        ("FAKETIME_TIMESTAMP_FILE", &directory.path().join("time")),
        ("FAKETIME_NO_CACHE", Path::new("1")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
        ("DONT_FAKE_MONOTONIC", Path::new("1")),
    ];
    let process = Process::start_in(directory.path(), &config, &environment);
    let (mut client, mut idle) = (Patient::connect(&process), Patient::connect(&process));
    idle.get("Tom");
    for (to, year) in [("@2038-01-19 03:14:00", "2038"), ("@1970-01-02 00:00:00", "1970")] {
        jump(to);
        let date = |client: &mut Patient| field(&client.get("Tom"), "Date: ").to_owned();
        eventually("the date follows", || date(&mut client).contains(year));
        let age: u64 = field(&client.get("Tom"), "Age: ").parse().expect("seconds");
        assert!(age < 60, "{age} seconds old after a jump to {to}");
        client.get(&format!("new-{year}"));
    }
    assert_eq!(origin.loads_of("Tom"), 1, "it has not expired");
    idle.get("Tom");
    drop(process);

    // And what has a deadline meets it, though the clock stands in another century.
    jump("+0");
    let short = config.replace("1h", "200ms").replace("30s", "300ms");
    let process = Process::start_in(directory.path(), &short, &environment);
    let mut idle = Patient::connect(&process);
    idle.get("Tom");
    let loads = origin.loads_of("Tom");
    jump("@1970-01-03 00:00:00");
    idle.end();
    Patient::connect(&process).get("Tom");
    assert_eq!(origin.loads_of("Tom"), loads + 1, "it has expired");
}
