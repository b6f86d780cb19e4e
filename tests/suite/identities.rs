//! Who is who: which of several certificates the server shows, and which of its clients' it takes no
//! more because their authority has revoked them.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};

use super::tls::{files, handshake_with};
use crate::harness::{
    Asked, Authority, Client, Credentials, Frontend, Setup, Site, TlsFiles, eventually, get,
};

promises! { in native for Native:
    the_certificate_goes_by_the_host_that_is_asked_for,
    every_certificate_is_read_anew,
    every_certificate_has_to_be_sound,
    a_revoked_certificate_is_refused,
    a_list_that_is_overdue_lets_nobody_in,
    a_list_has_to_be_one
}
promises! { in wasi for Wasi:
    the_certificate_goes_by_the_host_that_is_asked_for,
    a_revoked_certificate_is_refused
}

/// Files with a second and a third certificate, and what these are.
fn several() -> (TlsFiles, [Credentials; 2]) {
    let files = TlsFiles::new();
    let others =
        [&["b.example", "*.b.example"][..], &["c.example"]].map(|it| files.authority.issue(it));
    let mut more = String::new();
    for (name, Credentials { certificate, key, .. }) in ["b", "c"].into_iter().zip(&others) {
        let certificate = files.put(&format!("{name}.pem"), certificate);
        let key = files.put(&format!("{name}.key"), key);
        more += &format!(
            "[[tls.certificates]]\ncertificate = \"{}\"\nkey = \"{}\"\n",
            certificate.display(),
            key.display()
        );
    }
    (files.with(&more), others)
}

fn der(credentials: &Credentials) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(credentials.certificate.as_bytes()).expect("it was just made")
}

/// The certificate that is shown to who asks for this host, or why that is not taken.
fn shown(
    site: &Site,
    config: &Arc<ClientConfig>,
    host: &str,
) -> Result<CertificateDer<'static>, String> {
    let name = ServerName::try_from(host.to_owned()).expect("a name or an address");
    let tls = handshake_with(site, config, name).map_err(|error| error.to_string())?;
    Ok(tls.peer_certificates().expect("it was shown one")[0].clone())
}

fn the_certificate_goes_by_the_host_that_is_asked_for<F: Frontend>() {
    let (tls, [b, c]) = several();
    let site = Setup::new().tls(tls).start::<F>();
    for version in [&TLS12, &TLS13] {
        let config = files(&site).authority.client_with(&[version], None);
        let first = shown(&site, &config, "localhost").expect("it has that name");
        for (host, expected) in [
            ("127.0.0.1", &first),
            ("b.example", &der(&b)),
            ("x.b.example", &der(&b)),
            ("B.EXAMPLE", &der(&b)),
            ("c.example", &der(&c)),
        ] {
            assert_eq!(shown(&site, &config, host).as_ref(), Ok(expected), "{host}");
        }
        // Who asks for another host is shown the first, and sees that it is not that.
        for host in ["d.example", "x.c.example"] {
            let why = shown(&site, &config, host).expect_err("no certificate names it");
            assert!(why.contains("localhost"), "{host}: {why}");
        }
    }
}

fn every_certificate_is_read_anew<F: Frontend>() {
    let (tls, [b, c]) = several();
    let site = Setup::new().tls(tls).start::<F>();
    let config = files(&site).client();
    let next = files(&site).authority.issue(&["b.example"]);
    files(&site).put("b.pem", &next.certificate);
    files(&site).put("b.key", &next.key);
    assert_eq!(shown(&site, &config, "b.example"), Ok(der(&b)));
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    eventually("it is shown", || shown(&site, &config, "b.example") == Ok(der(&next)));
    assert_eq!(shown(&site, &config, "c.example"), Ok(der(&c)));
}

fn every_certificate_has_to_be_sound<F: Frontend>() {
    let (tls, [b, c]) = several();
    let site = Setup::new().tls(tls).start::<F>();
    let text = Setup::new().text(&site.origin);
    files(&site).put("c.key", &b.key);
    let why = site.reload(&text).expect_err("a key of another certificate");
    assert!(why.contains("c.key is not the key of the certificate in "), "{why}");
    files(&site).put("c.key", &c.key);
    files(&site).put("b.pem", "");
    let why = site.reload(&text).expect_err("no certificate");
    assert!(why.contains("b.pem holds no certificate in PEM"), "{why}");
    let config = files(&site).client();
    assert_eq!(shown(&site, &config, "b.example"), Ok(der(&b)), "nothing has changed");
}

/// Files with a list of revoked certificates of clients, which is still to be written.
fn with_list(client_certificate: &str) -> TlsFiles {
    let files = TlsFiles::with_client_ca(client_certificate);
    let line = format!("client_crl = \"{}\"\n", files.path().join("revoked.pem").display());
    files.with(&line)
}

/// Whether who shows this certificate is served.
fn is_served(site: &Site, shows: Option<&Credentials>) -> bool {
    let config = files(site).authority.client_with(rustls::ALL_VERSIONS, shows);
    let mut client = Client::connect_tls(site.addr(), &config);
    client.offer(get("hot"));
    client.next_answer(Asked::Get).ok().flatten().is_some_and(|answer| answer.status == 200)
}

fn a_revoked_certificate_is_refused<F: Frontend>() {
    let tls = with_list("optional");
    let [good, revoked] = ["one", "other"].map(|host| tls.clients.issue(&[host]));
    tls.put("revoked.pem", &tls.clients.revoke(&[&revoked], 2100));
    let site = Setup::new().tls(tls).start::<F>();
    assert!(is_served(&site, None) && is_served(&site, Some(&good)));
    assert!(!is_served(&site, Some(&revoked)));
    // Of two lists, each is of another authority.
    let other = Authority::new("that has nothing to do with it");
    let lists = other.revoke(&[&revoked], 2100) + &files(&site).clients.revoke(&[&good], 2100);
    files(&site).put("revoked.pem", &lists);
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    eventually("the new list is gone by", || is_served(&site, Some(&revoked)));
    assert!(!is_served(&site, Some(&good)));
}

fn a_list_that_is_overdue_lets_nobody_in<F: Frontend>() {
    let tls = with_list("optional");
    let good = tls.clients.issue(&["a client"]);
    tls.put("revoked.pem", &tls.clients.revoke(&[], 2022));
    let site = Setup::new().tls(tls).start::<F>();
    assert!(is_served(&site, None) && !is_served(&site, Some(&good)));
    let other = Authority::new("that has nothing to do with it");
    files(&site).put("revoked.pem", &other.revoke(&[], 2100));
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    assert!(!is_served(&site, Some(&good)), "there is no list of its authority");
    files(&site).put("revoked.pem", &files(&site).clients.revoke(&[], 2100));
    assert_eq!(site.reload(&Setup::new().text(&site.origin)), Ok(vec![]));
    eventually("it is renewed", || is_served(&site, Some(&good)));
}

fn a_list_has_to_be_one<F: Frontend>() {
    let tls = with_list("required");
    tls.put("revoked.pem", &tls.clients.revoke(&[], 2100));
    let site = Setup::new().tls(tls).start::<F>();
    let text = Setup::new().text(&site.origin);
    let not_one = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    for (list, expected) in [
        ("", "revoked.pem holds no list of revoked certificates in PEM (-----BEGIN X509 CRL-----)"),
        (not_one, "revoked.pem cannot be used: "),
    ] {
        files(&site).put("revoked.pem", list);
        let why = site.reload(&text).expect_err("no list");
        assert!(why.contains(expected), "{why}");
    }
    let alone = TlsFiles::new().with("client_crl = \"revoked.pem\"\n");
    let why = site.reload(&(text + &alone.table())).expect_err("no clients to revoke");
    assert!(why.contains("client_crl needs a client_ca"), "{why}");
}
