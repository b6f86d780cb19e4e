//! Two sessions that talk through memory: however their bytes are cut, the same comes out.

use std::io::{self, IoSlice, Write};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};

use super::{Came, Connector, Contexts, Identity, Session, names_one_of};

const HOST: &str = "cache.example";

/// A client and a server that it trusts, before their handshake.
fn pair() -> (Session, Session) {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a sound name");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("PKCS #8");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it vouches for itself");
    let identity = Identity::new(vec![certificate], key).expect("they belong together");
    let contexts = Contexts::new(identity, [], None, None).expect("the system has random numbers");
    let client = Connector::for_roots(roots, name(HOST)).expect("sound roots");
    (client.connect().expect("a session"), contexts.accept().expect("a session"))
}

fn name(host: &str) -> ServerName<'static> {
    ServerName::try_from(host.to_owned()).expect("a name")
}

/// A socket that takes so many bytes, and then no more until it is emptied.
struct Pipe {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.room - self.bytes.len()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                self.bytes.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends what it can of `text`, and hands what left to the other side: how much of it is out.
fn step(
    from: &mut Session,
    to: &mut Session,
    text: &[u8],
    room: usize,
    got: &mut Vec<u8>,
) -> usize {
    let mut pipe = Pipe { bytes: Vec::new(), room };
    let out = match from.send(&[IoSlice::new(text)], &mut pipe) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    };
    let mut plain = [0; 999];
    let mut rest = &pipe.bytes[..];
    while let Came::Plain(count) = to.read(&mut rest, &mut plain).expect("TLS") {
        got.extend_from_slice(&plain[..count]);
    }
    assert!(rest.is_empty(), "all of it is taken");
    out
}

#[test]
fn plaintext_comes_out_whole_however_the_records_are_cut() {
    let text: Vec<u8> = (0..=250).cycle().take(100_000).collect();
    for room in [1, 7, 1_000, 16_389, 1 << 20] {
        let (mut client, mut server) = pair();
        // A byte at a time it takes long; the records are the same.
        let text = &text[..text.len().min(3_000 * room)];
        let (mut asked, mut got) = (Vec::new(), Vec::new());
        let (mut sent, mut answered) = (0, 0);
        while got.len() < text.len() {
            sent += step(
                &mut client,
                &mut server,
                &text[sent..][..(text.len() - sent).min(50)],
                room,
                &mut asked,
            );
            answered += step(&mut server, &mut client, &text[answered..], room, &mut got);
            assert!(!client.is_handshaking() || got.is_empty(), "nothing before the handshake");
        }
        assert!(got == text && answered == text.len(), "in steps of {room}");
        assert_eq!(asked, text[..asked.len()], "in steps of {room}");
    }
}

#[test]
fn who_does_not_read_makes_a_session_hold_no_more_than_its_limit() {
    let (mut client, mut server) = pair();
    while client.is_handshaking() || server.is_handshaking() {
        step(&mut client, &mut server, b"", 1 << 20, &mut Vec::new());
        step(&mut server, &mut client, b"", 1 << 20, &mut Vec::new());
    }
    let large = vec![7; 1 << 20];
    for _ in 0..100 {
        assert_eq!(step(&mut server, &mut client, &large, 0, &mut Vec::new()), 0);
    }
    let mut pipe = Pipe { bytes: Vec::new(), room: 1 << 20 };
    let out = server.send(&[IoSlice::new(&large)], &mut pipe).expect("there is room");
    assert!(out <= 64 << 10, "{out} bytes were held");
    assert!(pipe.bytes.len() < out + (2 << 10), "{} bytes of records", pipe.bytes.len());
}

#[test]
fn an_end_comes_behind_what_was_sent() {
    let (mut client, mut server) = pair();
    let mut got = Vec::new();
    while step(&mut client, &mut server, b"last", 1 << 20, &mut got) == 0 {
        step(&mut server, &mut client, b"", 1 << 20, &mut Vec::new());
    }
    assert_eq!(got, b"last");
    let mut pipe = Pipe { bytes: Vec::new(), room: 1 << 20 };
    client.send(&[IoSlice::new(b"words")], &mut pipe).expect("there is room");
    client.close();
    client.flush(&mut pipe).expect("there is room");
    let (mut rest, mut plain) = (&pipe.bytes[..], [0; 100]);
    assert_eq!(server.read(&mut rest, &mut plain).expect("TLS"), Came::Plain(5));
    assert_eq!(server.read(&mut rest, &mut plain).expect("TLS"), Came::End);
    assert_eq!(server.read(&mut rest, &mut plain).expect("TLS"), Came::End);
}

#[test]
fn a_certificate_names_hosts_and_addresses() {
    let hosts = ["a.example".to_owned(), "10.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(hosts).expect("sound names");
    let certificate: &CertificateDer<'_> = made.cert.der();
    for (host, expected) in
        [("a.example", true), ("10.0.0.1", true), ("b.example", false), ("10.0.0.2", false)]
    {
        let names = [name("other.example"), name(host)];
        assert_eq!(names_one_of(certificate, &names), expected, "{host}");
    }
    assert!(!names_one_of(&CertificateDer::from(vec![1, 2, 3]), &[name("a.example")]));
}
