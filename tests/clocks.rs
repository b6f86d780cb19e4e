//! The wall clock jumps, as it does when somebody sets it: nothing expires by it, nothing becomes
//! immortal, and nobody is cut off. `faketime` does the jumping, where it is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{Client, Origin, Process, Reply, eventually};

/// The library that `faketime` puts before the C library of a program.
fn library() -> Option<PathBuf> {
    let said = Command::new("faketime").args(["-f", "+0", "env"]).output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let library = said.lines().find_map(|line| line.strip_prefix("LD_PRELOAD="))?;
    // There may be more than one. (What stands in it for a folder, the loader knows.)
    library.rsplit(':').find(|it| it.contains("faketime")).map(PathBuf::from)
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
    let mut client = Client::connect(process.addr);
    client.get("Tom").status(200).body("Tom");
    let mut idle = Client::connect(process.addr);
    idle.get("Tom").status(200);
    for (to, year) in
        [("+3600", "20"), ("@2038-01-19 03:14:00", "2038"), ("@1970-01-02 00:00:00", "1970")]
    {
        jump(to);
        eventually("the date follows", || client.get("Tom").need("date").contains(year));
        let answer = client.get("Tom");
        let age: u64 = answer.status(200).need("age").parse().expect("seconds");
        assert!(age < 60, "{age} seconds old after a jump to {to}");
        let key = format!("new-{year}");
        client.get(&key).status(200).body(&key);
    }
    assert_eq!(origin.loads_of("Tom"), 1, "it has not expired");
    idle.get("Tom").status(200);

    // What has a deadline still meets it.
    drop(process);
    let short = config.replace("1h", "200ms").replace("30s", "300ms");
    let process = Process::start_in(directory.path(), &short, &environment);
    let mut idle = Client::connect(process.addr);
    idle.get("Tom").status(200);
    let loads = origin.loads_of("Tom");
    jump("@1970-01-03 00:00:00");
    idle.end();
    std::thread::sleep(Duration::from_millis(200));
    process.get("Tom").status(200);
    assert_eq!(origin.loads_of("Tom"), loads + 1, "it has expired");
}
