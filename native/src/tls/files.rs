//! Certificates and keys in PEM files. What is wrong is told in words that go on from the name of
//! the file.

use std::{fs::File, io::Read, path::Path, time::SystemTime};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem, pem::PemObject},
};
use x509_cert::{Certificate, crl::CertificateList, der::Decode};

/// Bytes of a file at the most: the largest bundles of authorities have a tenth of it.
const MAX_BYTES: u64 = 4 << 20;

/// The certificates of a file, in their order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    all(path, "certificate in PEM (-----BEGIN CERTIFICATE-----)")
}

/// The lists of revoked certificates of a file.
pub(crate) fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    all(path, "list of revoked certificates in PEM (-----BEGIN X509 CRL-----)")
}

/// All items of a kind in a file, of which there is one at least.
fn all<T: PemObject>(path: &Path, what: &str) -> Result<Vec<T>, String> {
    let text = read(path)?;
    let items: Vec<T> = T::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("is not PEM: {error}"))?;
    if items.is_empty() { Err(format!("holds no {what}")) } else { Ok(items) }
}

/// The first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => "holds no private key in PEM (PKCS #8, PKCS #1 or SEC1, not \
             encrypted; `openssl pkey -in OLD -out NEW` makes one)"
            .to_owned(),
        error => format!("is not PEM: {error}"),
    })
}

/// The authorities of a file.
pub(crate) fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| format!("holds no authority: {error}"))?;
    }
    Ok(roots)
}

/// The authorities that the machine trusts. Those that rustls cannot read are passed over: systems
/// ship some.
pub(crate) fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("the system has no trusted authorities (Debian: install ca-certificates); \
             name a file of them with `ca`"
            .to_owned());
    }
    Ok(roots)
}

/// From when until when a certificate is valid, if it can be told.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Option<(SystemTime, SystemTime)> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let validity = certificate.tbs_certificate().validity();
    Some((validity.not_before.to_system_time(), validity.not_after.to_system_time()))
}

/// What is wrong with lists of revoked certificates at this time, if anything is.
pub(crate) fn overdue(
    lists: &[CertificateRevocationListDer<'_>],
    now: SystemTime,
) -> Option<String> {
    let next = |list: &CertificateRevocationListDer<'_>| {
        let list: CertificateList = Decode::from_der(list).ok()?;
        Some(list.tbs_cert_list.next_update?.to_system_time())
    };
    let next = lists.iter().filter_map(next).min().filter(|next| *next < now)?;
    let next = humantime::format_rfc3339_seconds(next);
    Some(format!(
        "should have been renewed by {next}; until it is, clients of its authority are refused"
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text));
    file.map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!(
            "is too large for a file of certificates: more than {MAX_BYTES} bytes"
        ));
    }
    Ok(text)
}
