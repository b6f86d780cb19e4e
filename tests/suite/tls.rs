//! TLS: whom the server speaks to and how, and what becomes of those who do not hold to it.
//!
//! That all else is the same over TLS as it is without is not said here: every other promise runs
//! over TLS too.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};

use super::operations::scrape;
use crate::harness::{
    Asked, Authority, Client, Frontend, HOSTS, PATIENCE, Reply, Setup, Site, TlsFiles, eventually,
    get,
};

// The frontend that has TLS by itself would show nothing else.
promises! { in native for Native:
    both_versions_are_spoken,
    http_1_1_is_agreed_on,
    who_trusts_another_authority_is_not_served,
    a_required_certificate_is_demanded,
    an_optional_certificate_is_checked,
    a_handshake_byte_by_byte_is_a_handshake,
    a_handshake_that_stops_is_cut,
    many_handshakes_that_stop_are_cut,
    garbage_is_cut,
    http_in_the_clear_is_told,
    an_end_without_a_word_is_judged_by_http,
    a_session_is_resumed,
    handshakes_are_counted,
    when_the_certificate_ends_is_told,
    many_pipelines_at_once
}
promises! { in wasi for Wasi:
    both_versions_are_spoken,
    a_required_certificate_is_demanded,
    many_pipelines_at_once
}

const DEADLINE: Duration = Duration::from_millis(500);
const DEADLINE_TEXT: &str = "500ms";

pub(super) fn site<F: Frontend>() -> Site {
    Setup::new().tls(TlsFiles::new()).start::<F>()
}

pub(super) fn files(site: &Site) -> &TlsFiles {
    site.tls.as_ref().expect("it was started with them")
}

/// A handshake, done by hand so that a test can look at it: the connection after it.
pub(super) fn handshake(
    site: &Site,
    config: &Arc<ClientConfig>,
) -> std::io::Result<ClientConnection> {
    handshake_with(site, config, site.addr().ip().into())
}

/// The same with the host of this name, which is asked for if it is no address.
pub(super) fn handshake_with(
    site: &Site,
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
) -> std::io::Result<ClientConnection> {
    let mut socket = TcpStream::connect(site.addr())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("sound");
    tls.complete_io(&mut socket)?;
    Ok(tls)
}

fn both_versions_are_spoken<F: Frontend>() {
    let site = site::<F>();
    for (version, expected) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let config = files(&site).authority.client_with(&[version], None);
        let tls = handshake(&site, &config).expect("both sides speak it");
        assert_eq!(tls.protocol_version(), Some(expected));
        let mut client = Client::connect_tls(site.addr(), &config);
        client.get("hot").status(200).body("hot value");
        client.get("hot").status(200).body("hot value");
    }
}

fn http_1_1_is_agreed_on<F: Frontend>() {
    let site = site::<F>();
    let with = |protocols: &[&str]| {
        let mut config = ClientConfig::clone(&files(&site).client());
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        handshake(&site, &Arc::new(config))
    };
    let agreed = |tls: ClientConnection| tls.alpn_protocol().map(<[u8]>::to_vec);
    assert_eq!(agreed(with(&["h2", "http/1.1"]).expect("one of two")), Some(b"http/1.1".to_vec()));
    assert_eq!(agreed(with(&[]).expect("it need not be named")), None);
    with(&["h2"]).expect_err("nothing that both speak");
}

fn who_trusts_another_authority_is_not_served<F: Frontend>() {
    let site = site::<F>();
    let other = Authority::new("of somebody else").client();
    let mut client = Client::connect_tls(site.addr(), &other);
    assert!(!client.offer(get("hot")), "a certificate of an authority that it does not know");
    site.get("hot").status(200);
}

fn a_required_certificate_is_demanded<F: Frontend>() {
    let site = Setup::new().tls(TlsFiles::with_client_ca("required")).start::<F>();
    let files = files(&site);
    let good = files.clients.issue(&["a client"]);
    let wrong = Authority::new("of somebody else").issue(&["a client"]);
    let expired = files.clients.issue_expired(&["a client"]);
    for version in [&TLS12, &TLS13] {
        let ask = |credentials| {
            let config = files.authority.client_with(&[version], credentials);
            let mut client = Client::connect_tls(site.addr(), &config);
            client.offer(get("hot"));
            client.next_answer(Asked::Get)
        };
        let answer = ask(Some(&good)).expect("it is trusted").expect("and served");
        answer.status(200).body("hot value");
        for refused in [None, Some(&wrong), Some(&expired)] {
            let alert = ask(refused).err().expect("no certificate that the server trusts");
            assert!(alert.contains("alert"), "told why, by TLS: {alert}");
        }
    }
}

fn an_optional_certificate_is_checked<F: Frontend>() {
    let site = Setup::new().tls(TlsFiles::with_client_ca("optional")).start::<F>();
    let files = files(&site);
    let wrong = Authority::new("of somebody else").issue(&["a client"]);
    let good = files.clients.issue(&["a client"]);
    for (credentials, is_served) in [(None, true), (Some(&good), true), (Some(&wrong), false)] {
        let config = files.authority.client_with(rustls::ALL_VERSIONS, credentials);
        let mut client = Client::connect_tls(site.addr(), &config);
        client.offer(get("hot"));
        let answer = client.next_answer(Asked::Get);
        assert_eq!(answer.is_ok(), is_served, "{:?}", answer.err());
    }
}

fn a_handshake_byte_by_byte_is_a_handshake<F: Frontend>() {
    let site = site::<F>();
    let mut socket = TcpStream::connect(site.addr()).expect("the server accepts");
    socket.set_nodelay(true).expect("a fresh socket takes options");
    socket.set_read_timeout(Some(PATIENCE)).expect("a fresh socket takes options");
    let name = ServerName::from(site.addr().ip());
    let mut tls = ClientConnection::new(files(&site).client(), name).expect("sound");
    tls.writer().write_all(get("hot").as_bytes()).expect("room for a request");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hot value") {
        let mut records = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut records).expect("a vector takes everything");
        }
        for byte in records {
            socket.write_all(&[byte]).expect("the server reads on");
        }
        assert!(tls.read_tls(&mut socket).expect("the server answers") > 0, "the end");
        tls.process_new_packets().expect("TLS");
        match tls.reader().read_to_end(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("neither data nor a pause: {other:?}"),
        }
    }
}

/// The first bytes of a record that is a handshake, and is never whole.
const BEGUN: [u8; 9] = [22, 3, 1, 1, 0, 1, 0, 0, 252];

/// Reads to the end, and whatever else comes is an alert: how long it took.
#[track_caller]
fn ends(socket: &mut TcpStream, begin: Instant) -> Duration {
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("expected the end, got {error}"),
    }
    assert!(rest.is_empty() || rest[0] == 21, "something other than an alert: {rest:?}");
    begin.elapsed()
}

fn a_handshake_that_stops_is_cut<F: Frontend>() {
    let site = Setup::new().deadline("head", DEADLINE_TEXT).tls(TlsFiles::new()).start::<F>();
    for begun in [&[][..], &BEGUN] {
        let begin = Instant::now();
        let mut socket = TcpStream::connect(site.addr()).expect("the server accepts");
        socket.write_all(begun).expect("the server reads");
        let took = ends(&mut socket, begin);
        assert!(took >= DEADLINE, "cut after {took:?}, before the deadline");
    }
    // It is for the whole of it: a byte now and then prolongs nothing.
    let mut socket = TcpStream::connect(site.addr()).expect("the server accepts");
    socket.write_all(&BEGUN).expect("the server reads");
    let begin = Instant::now();
    while socket.write_all(&[0]).is_ok() {
        assert!(begin.elapsed() < PATIENCE, "still not cut");
        thread::sleep(DEADLINE / 20);
    }
}

fn many_handshakes_that_stop_are_cut<F: Frontend>() {
    const MANY: usize = 100;
    let setup = Setup::new().deadline("head", "2s").limit("connections", MANY);
    let site = setup.tls(TlsFiles::new()).start::<F>();
    let status = || {
        let mut client = site.connect();
        client.offer(get("hot"));
        client.next_answer(Asked::Get).ok().flatten().map(|answer| answer.status)
    };
    let begin = |_| {
        let mut socket = TcpStream::connect(site.addr()).expect("the server accepts");
        socket.write_all(&BEGUN).expect("the server reads");
        socket
    };
    let mut begun: Vec<TcpStream> = Vec::new();
    // They count: who comes now is told that there is no room, over TLS. (On a busy machine the first
    // may be cut before the last has come: then once more.)
    eventually("all places are taken", || {
        begun = (0..MANY).map(begin).collect();
        status() == Some(503)
    });
    eventually("and free again", || status() == Some(200));
    for mut socket in begun {
        ends(&mut socket, Instant::now());
    }
}

fn garbage_is_cut<F: Frontend>() {
    let site = site::<F>();
    let hello_then_garbage = [&BEGUN[..], &[0xee; 1 << 14]].concat();
    let endless_record = [&[23, 3, 3, 0xff, 0xff][..], &[0; 1 << 16]].concat();
    for garbage in [&[0; 5][..], b"\x80\x2e\x01\x00\x02", &hello_then_garbage, &endless_record] {
        let mut socket = TcpStream::connect(site.addr()).expect("the server accepts");
        // The server may have had enough before all is sent.
        drop(socket.write_all(garbage));
        ends(&mut socket, Instant::now());
    }
    // And between requests.
    let mut client = site.connect();
    client.get("hot").status(200);
    client.socket().write_all(&[23, 3, 3, 0, 5, 1, 2, 3, 4, 5]).expect("the server reads");
    let error = client.next_answer(Asked::Get).err().expect("no record of its own");
    assert!(error.contains("alert"), "told why, by TLS: {error}");
    site.get("hot").status(200);
}

fn http_in_the_clear_is_told<F: Frontend>() {
    let site = site::<F>();
    let mut client = Client::connect(site.addr());
    client.send(get("hot")).answer().status(400).one_line();
    client.end_without_reset();
    assert_eq!(site.origin.loads(), 0, "it was not taken for a request");
}

/// FIN where TLS wants close_notify first: whole requests are answered, and a cut one is not.
fn an_end_without_a_word_is_judged_by_http<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    client.send(get("hot")).socket().shutdown(Shutdown::Write).expect("it is connected");
    client.answer().status(200).body("hot value");
    client.end_without_reset();
    let mut client = site.connect();
    client.send(&get("hot")[..20]).socket().shutdown(Shutdown::Write).expect("it is connected");
    client.end();
}

fn a_session_is_resumed<F: Frontend>() {
    let site = site::<F>();
    for version in [&TLS12, &TLS13] {
        let config = files(&site).authority.client_with(&[version], None);
        // A TLS 1.3 ticket comes behind the handshake, before the first answer.
        Client::connect_tls(site.addr(), &config).get("hot").status(200);
        let tls = handshake(&site, &config).expect("the server speaks it");
        assert_eq!(tls.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
    }
}

fn handshakes_are_counted<F: Frontend>() {
    let site = site::<F>();
    let of = |outcome| {
        let labels = [("outcome", outcome)];
        scrape(&site).of("gocache_tls_handshakes_total", &labels).expect("it is told")
    };
    assert_eq!((of("ok"), of("failed")), (0.0, 0.0));
    for _ in 0..3 {
        site.get("hot").status(200);
        // Requests are not handshakes.
        let mut client = site.connect();
        client.get("hot").status(200);
        client.get("hot").status(200);
    }
    drop(TcpStream::connect(site.addr()).expect("the server accepts"));
    Client::connect(site.addr()).send(get("hot")).answer().status(400);
    let other = Authority::new("of somebody else").client();
    Client::connect_tls(site.addr(), &other).offer(get("hot"));
    eventually("all are told apart", || (of("ok"), of("failed")) == (6.0, 3.0));
}

fn when_the_certificate_ends_is_told<F: Frontend>() {
    const NAME: &str = "gocache_tls_certificate_expiry_timestamp_seconds";
    let site = site::<F>();
    assert!(scrape(&site).of(NAME, &[]).expect("it is told") > 1_800_000_000.0);
    files(&site).install(&files(&site).authority.issue_expired(&HOSTS));
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    let ended = Some(1_609_459_200.0);
    eventually("2021-01-01", || scrape(&site).of(NAME, &[]) == ended);
    assert_eq!(scrape(&Site::new::<F>()).of(NAME, &[]), None, "without a certificate");
}

/// Where several connections are asked for together, each goes on with its own records.
fn many_pipelines_at_once<F: Frontend>() {
    let site = site::<F>();
    let large = "large ".repeat(20_000);
    site.origin.set("large", Reply::value(&large));
    site.origin.set_otherwise(Reply::Echo);
    let config = files(&site).client();
    let mut clients: Vec<_> = (0..24).map(|_| Client::connect_tls(site.addr(), &config)).collect();
    for round in 0..4 {
        // A third of them ask for the same, so that they wait for one load.
        let cold = |number: usize| format!("{round}-{}", number % 8);
        for (number, client) in clients.iter_mut().enumerate() {
            let cold = cold(number);
            client.send([get("hot"), get("large"), get(&cold), get("large"), get("hot")].concat());
        }
        for (number, client) in clients.iter_mut().enumerate() {
            for expected in ["hot value", &large, &cold(number), &large, "hot value"] {
                client.answer().status(200).body(expected);
            }
        }
        assert!((0..8).all(|number| site.origin.loads_of(cold(number)) == 1), "in round {round}");
    }
}
