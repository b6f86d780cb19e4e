//! The gocache program over a database with some values in it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;

use crate::cores::Cores;
use crate::process::{Process, free_addresses};

/// Starts it with its files in this folder, `group` and whatever tables follow it in its configuration.
/// Says where its two planes are.
pub(crate) fn start(
    cores: &Cores,
    files: &Path,
    group: &str,
    values: impl IntoIterator<Item = (String, Vec<u8>)>,
    stderr: Stdio,
) -> io::Result<(Process, [SocketAddr; 2])> {
    fill(&files.join("bench.db"), values).map_err(io::Error::other)?;
    let addresses @ [address, ops_address] = free_addresses()?;
    let configuration = files.join("gocache.toml");
    let text = format!(
        r#"listen = "{address}"
ops_listen = "{ops_address}"
loops = {}
data_dir = "{}"
log = "warn"
[origins.db]
kind = "sqlite"
database = "bench.db"
query = "SELECT value FROM kv WHERE key = ?1"
[groups.bench]
origin = "db"
{group}"#,
        cores.loops(),
        files.display(),
    );
    fs::write(&configuration, text)?;
    let program = env!("CARGO_BIN_EXE_gocache");
    let arguments = ["serve".as_ref(), "--config".as_ref(), configuration.as_os_str()];
    let process = Process::spawn(program, &arguments, cores, |command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr)
    })?;
    Ok((process, addresses))
}

fn fill(
    database: &Path,
    values: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> rusqlite::Result<()> {
    let connection = Connection::open(database)?;
    connection.execute_batch("CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL)")?;
    let mut insert = connection.prepare("INSERT INTO kv (key, value) VALUES (?1, ?2)")?;
    values.into_iter().try_for_each(|value| insert.execute(value).map(drop))
}
