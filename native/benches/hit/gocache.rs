//! A gocache, with a filled SQLite database behind it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::cases::Payload;
use crate::cores::Cores;
use crate::process::{Process, free_addresses};
use crate::secure::Secure;
use crate::server::Server;
use crate::speech::Speech;

/// The path of a key in its URLs, before the key.
pub(crate) const BASE: &str = "/_gocache/bench/";

/// Starts it, over TLS if that is wanted, and waits until it serves every payload.
pub(crate) fn start(cores: &Cores, is_secure: bool) -> io::Result<Server> {
    let files = TempDir::new()?;
    let secure = is_secure.then(|| Secure::create(files.path())).transpose()?;
    let database = files.path().join("bench.db");
    fill(&database).map_err(io::Error::other)?;

    let [address, ops_address] = free_addresses()?;
    let configuration = files.path().join("gocache.toml");
    let text = format!(
        r#"listen = "{address}"
ops_listen = "{ops_address}"
loops = {}
data_dir = "{}"
log = "warn"
[origins.db]
kind = "sqlite"
database = "{}"
query = "SELECT value FROM kv WHERE key = ?1"
[groups.bench]
budget = "64 MiB"
origin = "db"
"#,
        cores.loops(),
        files.path().display(),
        database.display()
    );
    let tls = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    fs::write(&configuration, if is_secure { text + tls } else { text })?;

    let program = env!("CARGO_BIN_EXE_gocache");
    let arguments = ["serve".as_ref(), "--config".as_ref(), configuration.as_os_str()];
    // Its stderr stays the bench's: what it warns of belongs to whoever reads the table.
    let process = Process::spawn(program, &arguments, cores, |command| {
        command.stdin(Stdio::null()).stdout(Stdio::null())
    })?;
    let speech = Speech::Http { base: BASE };
    let name = if is_secure { "over TLS" } else { "gocache" };
    let mut server = Server { name, process, address, secure, speech, _files: files };
    for payload in &Payload::ALL {
        server.wait_until_ready(payload)?;
    }
    Ok(server)
}

fn fill(database: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(database)?;
    connection.execute_batch("CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL)")?;
    for payload in &Payload::ALL {
        connection.execute(
            "INSERT INTO kv (key, value) VALUES (?1, ?2)",
            (payload.key, payload.value()),
        )?;
    }
    Ok(())
}
