//! TLS for a bench: a certificate for the server, and the client's side.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// The tables of a configuration with that certificate.
pub(crate) const TABLE: &str = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";

/// A client that trusts the certificate of one server.
#[derive(Clone)]
pub(crate) struct Secure(Arc<ClientConfig>);

impl Secure {
    /// Makes a certificate, and puts it and its key into a directory: `cert.pem` and `key.pem`.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let names = vec![Ipv4Addr::LOCALHOST.to_string()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        fs::write(directory.join("cert.pem"), made.cert.pem())?;
        fs::write(directory.join("key.pem"), made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    pub(crate) fn connect(&self) -> io::Result<ClientConnection> {
        let name = IpAddr::from(Ipv4Addr::LOCALHOST).into();
        ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)
    }
}
