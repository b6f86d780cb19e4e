//! TLS of real processes: what an operator sees of it, other people's clients, and nodes and origins
//! that are reached over it.

mod cluster;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{
    Client, Credentials, HOSTS, Origin, Process, Reply, TOKEN, TlsFiles, eventually, free_address,
    get, run,
};

/// A group over an origin at this URL, and what comes with it.
fn config(url: &str, more: &str) -> String {
    format!(
        "loops = 2\n[origins.api]\nkind = \"http\"\nurl = \"{url}\"\n{more}\n\
         [groups.scores]\norigin = \"api\"\nbudget = \"1 MiB\"\n"
    )
}

/// A server with TLS over an origin where every key has itself as its value.
struct Server {
    process: Process,
    tls: TlsFiles,
    _origin: Origin,
    _directory: TempDir,
}

impl Server {
    fn start() -> Self {
        let (origin, tls) = (Origin::start(), TlsFiles::new());
        origin.set_otherwise(Reply::Echo);
        let directory = tempfile::tempdir().expect("a directory");
        let config = config(&origin.url(), "") + &tls.table();
        let process = Process::start(directory.path(), Some(&config));
        Self { process, tls, _origin: origin, _directory: directory }
    }

    /// What the metrics say of the last reload.
    fn last_reload(&self) -> f64 {
        let metrics = self.process.metrics();
        metrics.of("gocache_config_last_reload_successful", &[]).expect("it is told")
    }

    fn connect(&self) -> Client {
        Client::connect_tls(self.process.addr, &self.tls.client())
    }
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_only() {
    let server = Server::start();
    let mut old = server.connect();
    old.get("one").status(200);
    let before = old.certificate();
    server.tls.install(&server.tls.authority.issue(&HOSTS));
    server.process.signal(Signal::HUP);
    let shown = || {
        let mut client = server.connect();
        client.get("two").status(200).body("two");
        client.certificate()
    };
    eventually("the new certificate is shown", || shown() != before);
    old.get("three").status(200).body("three");
    assert_eq!(old.certificate(), before);
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let server = Server::start();
    let mut client = server.connect();
    client.get("one").status(200);
    let before = client.certificate();
    let authority = &server.tls.authority;
    let (one, other) = (authority.issue(&HOSTS), authority.issue(&HOSTS));
    let nothing = || "nothing of use".to_owned();
    let cases = [
        (one.certificate.clone(), other.key, "gocache.toml:11:7: ", "is not the key of the cert"),
        (one.certificate, nothing(), "gocache.toml:11:7: ", "holds no private key in PEM"),
        (nothing(), one.key, "gocache.toml:10:15: ", "holds no certificate in PEM"),
    ];
    for (certificate, key, place, why) in cases {
        server.tls.install(&Credentials { certificate, key, serial: 0 });
        server.process.signal(Signal::HUP);
        server.process.logs(why);
        server.process.logs("not reloaded; nothing has changed");
        assert_eq!(server.last_reload(), 0.0, "{why}");
        let log = server.process.log();
        let line = log.lines().find(|line| line.contains(why)).expect("it was just there");
        assert!(line.contains(place), "expected {place} in {line}");
        let mut client = server.connect();
        client.get("two").status(200);
        assert!(client.certificate() == before, "{why}: the old certificate is shown on");
    }
    server.tls.install(&authority.issue_expired(&HOSTS));
    server.process.signal(Signal::HUP);
    server.process.logs("expired at 2021-01-01T00:00:00Z");
    eventually("it counts as reloaded", || server.last_reload() == 1.0);
}

#[test]
fn the_files_are_named_by_variables_too() {
    let (origin, tls) = (Origin::start(), TlsFiles::new());
    origin.set_otherwise(Reply::Echo);
    let directory = tempfile::tempdir().expect("a directory");
    let text = config(&origin.url(), "");
    let path = |name: &str| tls.path().join(name);
    let files =
        [("GOCACHE_TLS_CERTIFICATE", path("cert.pem")), ("GOCACHE_TLS_KEY", path("key.pem"))];
    let process = Process::start_in(directory.path(), &text, &files);
    Client::connect_tls(process.addr, &tls.client()).get("one").status(200);
    fs::write(path("key.pem"), "nothing of use").expect("writable");
    process.signal(Signal::HUP);
    process.logs("GOCACHE_TLS_KEY: ");
    Client::connect_tls(process.addr, &tls.client()).get("two").status(200);
}

#[test]
fn a_token_over_tls_is_read_by_nobody_else() {
    let (origin, tls) = (Origin::start(), TlsFiles::new());
    let directory = tempfile::tempdir().expect("a directory");
    let writes = format!("[writes]\ntoken = \"{TOKEN}\"\n");
    let text = config(&origin.url(), "") + &writes;
    let everywhere = SocketAddr::from(([0, 0, 0, 0], free_address().port()));
    let warning = "writes are allowed without TLS";
    let process =
        Process::start_at(directory.path(), Some(&(text.clone() + &tls.table())), everywhere);
    // The log is written in order.
    process.logs("\"ready\"");
    assert!(!process.log().contains(warning), "{}", process.log());
    fs::write(directory.path().join("gocache.toml"), text).expect("writable");
    process.signal(Signal::HUP);
    process.logs(warning);
}

#[test]
fn wrong_files_are_found_before_anything_starts() {
    let tls = TlsFiles::new();
    let write = |text: String| fs::write(tls.path().join("wrong.toml"), text).expect("writable");
    let check = || run(&["check", "wrong.toml"], tls.path());
    let sound = config("http://127.0.0.1:1/", "");
    // Named without their folder, they are looked for beside the configuration.
    let table = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let other = tls.authority.issue(&HOSTS);
    fs::write(tls.path().join("other.pem"), other.key).expect("writable");
    let cluster = "[cluster]\nself = \"127.0.0.1:1\"\npeers = []\nca = \"client-ca.pem\"\n";
    let cases = [
        (table.replace("cert.pem", "none.pem"), "wrong.toml:10:15: none.pem cannot be read: No"),
        (table.replace("cert.pem", "key.pem"), "wrong.toml:10:15: key.pem holds no certificate"),
        (table.replace("key.pem", "cert.pem"), "wrong.toml:11:7: cert.pem holds no private key"),
        (table.replace("key.pem", "other.pem"), "wrong.toml:11:7: other.pem is not the key of"),
        (format!("{table}client_ca = \"none.pem\"\n"), "wrong.toml:12:13: none.pem cannot be"),
        (
            format!("{table}client_certificate = \"required\"\n"),
            "wrong.toml:12:22: client_certificate needs a client_ca",
        ),
        (
            format!("{table}client_ca = \"client-ca.pem\"\nclient_certificate = \"no\"\n"),
            "wrong.toml:13:22: client_certificate is \"required\" or \"optional\"",
        ),
        (format!("{cluster}{table}"), "wrong.toml:10:8: a cluster needs a secret, or a client_ca"),
    ];
    for (text, expected) in cases {
        write(format!("{sound}{text}"));
        for output in [check(), run(&["serve", "--config", "wrong.toml"], tls.path())] {
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{text}\n{message}");
            assert!(message.contains(expected), "expected {expected}\ngot      {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
    write(format!("{sound}{table}client_ca = \"client-ca.pem\"\n{cluster}"));
    let output = check();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "nothing to warn of");
    tls.install(&tls.authority.issue_expired(&HOSTS));
    let output = check();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "an expired certificate is no error: {message}");
    assert!(message.contains("wrong.toml:10:15: cert.pem expired at 2021-01-01"), "{message}");
    tls.install(&tls.authority.issue(&["elsewhere.example"]));
    let output = check();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "clients may know it by that name: {message}");
    assert!(message.contains("cert.pem does not name the host of 127.0.0.1:1"), "{message}");
}

#[test]
fn sigterm_finishes_what_was_asked_over_tls() {
    let (origin, tls) = (Origin::start(), TlsFiles::new());
    let directory = tempfile::tempdir().expect("a directory");
    let config = config(&origin.url(), "") + &tls.table();
    let mut process = Process::start(directory.path(), Some(&config));
    let gate = origin.gate();
    origin.set("slow", Reply::Held(gate.clone(), Box::new(Reply::value("at last"))));
    let client = || Client::connect_tls(process.addr, &tls.client());
    let (mut idle, mut waiting) = (client(), client());
    idle.get("nobody").status(404);
    waiting.send(get("slow"));
    origin.await_loads("slow", 1);
    process.signal(Signal::TERM);
    idle.end_without_reset();
    gate.open();
    waiting.answer().status(200).body("at last").has("Connection", "close");
    waiting.end_without_reset();
    assert_eq!(process.wait().code(), Some(0));
}

/// A command, if the machine has it.
fn program(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {name} is not on the PATH");
    }
    found.then(|| Command::new(name))
}

#[test]
fn curl_is_served() {
    let Some(mut curl) = program("curl") else { return };
    let server = Server::start();
    let authority = server.tls.path().join("authority.pem");
    fs::write(&authority, server.tls.authority.pem()).expect("writable");
    let url = |key: &str| format!("https://{}/_gocache/scores/{key}", server.process.addr);
    let curl = curl.args(["--silent", "--show-error", "--fail", "--max-time", "20"]);
    let output = curl.arg("--cacert").arg(&authority).args([url("Tom"), url("Jack")]).output();
    let output = output.expect("curl runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "TomJack");
}

#[test]
fn openssl_verifies_and_is_served() {
    // `openssl --version` came with 3.0; what `version` says does not matter here.
    if program("openssl").is_none() {
        return;
    }
    let server = Server::start();
    let authority = server.tls.path().join("authority.pem");
    fs::write(&authority, server.tls.authority.pem()).expect("writable");
    let request = server.tls.path().join("request");
    let text = "GET /_gocache/scores/Tom HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    fs::write(&request, text).expect("writable");
    for version in ["-tls1_2", "-tls1_3"] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-ign_eof", "-verify_return_error", version]);
        openssl.args(["-connect", &server.process.addr.to_string(), "-CAfile"]).arg(&authority);
        openssl.stdin(Stdio::from(fs::File::open(&request).expect("it was just written")));
        let output = openssl.output().expect("openssl runs");
        let answer = String::from_utf8_lossy(&output.stdout);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{version}: {answer}\n{complaints}");
        assert!(answer.ends_with("\r\n\r\nTom"), "{version}: {answer}\n{complaints}");
        assert!(!complaints.contains("unexpected eof"), "{version}: {complaints}");
    }
}

/// An origin that is reached over TLS: another gocache.
#[test]
fn an_origin_is_asked_over_tls() {
    let server = Server::start();
    let authority = server.tls.path().join("authority.pem");
    fs::write(&authority, server.tls.authority.pem()).expect("writable");
    let start = |directory: &Path, ca: &Path| {
        let url = format!("https://{}/_gocache/scores/", server.process.addr);
        let config = config(&url, &format!("ca = \"{}\"", ca.display()));
        Process::start(directory, Some(&config))
    };
    let directory = tempfile::tempdir().expect("a directory");
    let front = start(directory.path(), &authority);
    front.get("Tom").status(200).body("Tom");
    // More than fits into one record, or into one read; and the connection is used again.
    let long = "k".repeat(7_000);
    front.get(&long).status(200).body(&long);

    let directory = tempfile::tempdir().expect("a directory");
    let stranger = start(directory.path(), &server.tls.path().join("client-ca.pem"));
    stranger.get("Tom").status(502).one_line();
    stranger.logs("its certificate is not trusted");
}
