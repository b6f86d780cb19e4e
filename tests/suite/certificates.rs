//! Certificates, keys and authorities are taken up with the configuration while the server runs:
//! who comes finds the new ones, who stands goes on.

use std::fs;

use rustls::HandshakeKind;

use super::tls::{files, handshake, site};
use crate::harness::{
    Asked, Client, Credentials, Frontend, HOSTS, Setup, Site, TlsFiles, eventually, get,
};

promises! { in native for Native:
    new_files_are_for_new_connections,
    a_file_that_is_no_use_changes_nothing,
    clients_have_to_show_certificates_from_now_on,
    tls_comes_and_goes
}
promises! { in wasi for Wasi:
    new_files_are_for_new_connections,
    a_file_that_is_no_use_changes_nothing,
    tls_comes_and_goes
}

fn new_files_are_for_new_connections<F: Frontend>() {
    let site = site::<F>();
    let mut old = site.connect();
    old.get("hot").status(200);
    let before = old.certificate();
    let config = files(&site).client();
    Client::connect_tls(site.addr(), &config).get("hot").status(200);
    files(&site).install(&files(&site).authority.issue(&HOSTS));
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    eventually("the new certificate is shown", || {
        let mut client = site.connect();
        client.get("hot").status(200);
        client.certificate() != before
    });
    old.get("hot").status(200).body("hot value");
    assert_eq!(old.certificate(), before);
    let tls = handshake(&site, &config).expect("the server speaks it");
    let kind = tls.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Full), "what was agreed on before is not resumed");
}

fn a_file_that_is_no_use_changes_nothing<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    client.get("hot").status(200);
    let (before, other) = (client.certificate(), files(&site).authority.issue(&HOSTS));
    let text = Setup::new().url("http://127.0.0.1:1/").text(&site.origin);
    let sound = fs::read_to_string(files(&site).path().join("cert.pem")).expect("it is there");
    files(&site).install(&Credentials { certificate: sound, ..other });
    let why = site.reload(&text).expect_err("a key of another certificate");
    assert!(why.contains("key.pem is not the key of the certificate in "), "{why}");
    fs::remove_file(files(&site).path().join("cert.pem")).expect("it is there");
    let why = site.reload(&text).expect_err("no certificate");
    assert!(why.contains("cert.pem cannot be read: No such file"), "{why}");
    let mut client = site.connect();
    client.get("cold").status(404);
    assert_eq!(client.certificate(), before, "nor has anything else changed");
}

/// Who stands is served on, and by what was agreed on before nobody comes in.
fn clients_have_to_show_certificates_from_now_on<F: Frontend>() {
    let site = site::<F>();
    let config = files(&site).client();
    let mut old = Client::connect_tls(site.addr(), &config);
    old.get("hot").status(200);
    let ca = files(&site).path().join("client-ca.pem");
    let table = format!("{}client_ca = \"{}\"\n", files(&site).table(), ca.display());
    assert_eq!(site.reload(&(Setup::new().text(&site.origin) + &table)), Ok(vec![]));
    eventually("who shows no certificate is refused", || {
        let mut client = Client::connect_tls(site.addr(), &config);
        client.offer(get("hot"));
        client.next_answer(Asked::Get).is_err()
    });
    old.get("hot").status(200);
    let shown = files(&site).clients.issue(&["a client"]);
    let config = files(&site).authority.client_with(rustls::ALL_VERSIONS, Some(&shown));
    Client::connect_tls(site.addr(), &config).get("hot").status(200);
}

fn tls_comes_and_goes<F: Frontend>() {
    let (site, tls) = (Site::new::<F>(), TlsFiles::new());
    let mut plain = Client::connect(site.addr());
    plain.get("hot").status(200);
    let text = Setup::new().text(&site.origin);
    let (with_tls, config) = (text.clone() + &tls.table(), tls.client());
    assert_eq!(site.reload(&with_tls), Ok(vec![]));
    let asked = |mut client: Client| {
        client.offer(get("hot"));
        client.next_answer(Asked::Get).ok().flatten().is_some_and(|it| it.status == 200)
    };
    eventually("TLS is spoken", || asked(Client::connect_tls(site.addr(), &config)));
    assert!(!asked(Client::connect(site.addr())), "and nothing else, with who comes now");
    plain.get("hot").status(200);
    let mut secure = Client::connect_tls(site.addr(), &config);
    secure.get("hot").status(200);
    assert_eq!(site.reload(&text), Ok(vec![]));
    eventually("there is none any more", || asked(Client::connect(site.addr())));
    secure.get("hot").status(200);
}
