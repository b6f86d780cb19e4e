//! A server's side of TLS: the files that its configuration names, and who trusts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use tempfile::TempDir;

use super::pki::{Authority, Credentials};

/// What the certificates of test servers are for.
pub(crate) const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// Files in a directory of their own, which goes when this value does.
pub(crate) struct TlsFiles {
    pub(crate) authority: Authority,
    /// Who vouches for clients.
    pub(crate) clients: Authority,
    directory: TempDir,
    more: String,
}

impl TlsFiles {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("of servers");
        let clients = Authority::new("of clients");
        let directory = tempfile::tempdir().expect("a directory");
        let files = Self { authority, clients, directory, more: String::new() };
        files.install(&files.authority.issue(&HOSTS));
        fs::write(files.path().join("client-ca.pem"), files.clients.pem()).expect("writable");
        files
    }

    /// The same, and clients are asked for certificates.
    pub(crate) fn with_client_ca(client_certificate: &str) -> Self {
        let files = Self::new();
        let file = files.path().join("client-ca.pem");
        let more = format!(
            "client_ca = \"{}\"\nclient_certificate = \"{client_certificate}\"\n",
            file.display()
        );
        Self { more, ..files }
    }

    /// The same with further lines in the table.
    pub(crate) fn with(mut self, more: &str) -> Self {
        self.more.push_str(more);
        self
    }

    /// Puts a file among the others; says where that is.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        fs::write(&file, text).expect("writable");
        file
    }

    /// Puts a certificate and its key where the server looks for them.
    pub(crate) fn install(&self, credentials: &Credentials) {
        fs::write(self.path().join("cert.pem"), &credentials.certificate).expect("writable");
        fs::write(self.path().join("key.pem"), &credentials.key).expect("writable");
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What the configuration says of it.
    pub(crate) fn table(&self) -> String {
        let (path, more) = (self.path().display(), &self.more);
        format!("[tls]\ncertificate = \"{path}/cert.pem\"\nkey = \"{path}/key.pem\"\n{more}")
    }

    /// A client that trusts the server.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.authority.client()
    }
}
