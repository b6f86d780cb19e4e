//! `Contexts`: what sessions are made with. They are made of files, whole or not at all.

use std::{sync::Arc, time::SystemTime};

use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, Error, RootCertStore, ServerConfig,
    ServerConnection,
    client::{WantsClientCert, verify_server_name},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{Protocol, Session, files::validity};

/// Who we are: our certificate, those that lead from it to an authority, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// # Errors
    /// If the certificate or the key is none, or they do not belong together
    /// ([`Error::InconsistentKeys`]).
    pub(crate) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map(Self)
    }

    /// What is wrong with the certificate at this time, if anything is.
    pub(crate) fn untimely(&self, now: SystemTime) -> Option<String> {
        let (from, until) = self.validity()?;
        let show = humantime::format_rfc3339_seconds;
        if now < from {
            Some(format!("is valid only from {} on; clients refuse it until then", show(from)))
        } else if now > until {
            Some(format!("expired at {}; clients refuse it: renew it", show(until)))
        } else {
            None
        }
    }

    /// Whether the certificate names one of these as its subject (RFC 9525).
    pub(crate) fn names_one_of(&self, names: &[ServerName<'_>]) -> bool {
        self.0.cert.first().is_some_and(|certificate| names_one_of(certificate, names))
    }

    fn validity(&self) -> Option<(SystemTime, SystemTime)> {
        self.0.cert.first().and_then(validity)
    }
}

/// Who the server is, by the host that a client asks for (RFC 6066, 3): the first to whoever names
/// none, or one that is in no certificate.
#[derive(Debug)]
struct Identities(Vec<Identity>);

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().filter(|_| self.0.len() > 1);
        let name = asked.and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| {
            self.0.iter().find(|identity| identity.names_one_of(std::slice::from_ref(&name)))
        });
        named.or(self.0.first()).map(|Identity(certified)| Arc::clone(certified))
    }
}

/// How clients show who they are.
pub(crate) struct ClientAuth(Arc<dyn ClientCertVerifier>);

impl ClientAuth {
    /// By certificates of these authorities, which have not revoked them. Where there are lists of
    /// revoked ones, there has to be one of each authority, and one that is overdue lets nobody in.
    /// Who shows no certificate is turned away if one is `required`.
    ///
    /// # Errors
    /// If a list is none.
    pub(crate) fn new(
        roots: RootCertStore,
        required: bool,
        revoked: Vec<CertificateRevocationListDer<'static>>,
    ) -> Result<Self, String> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
        let verifier = verifier.with_crls(revoked).enforce_revocation_expiration();
        verifier.build().map(Self).map_err(|error| error.to_string())
    }
}

/// What new sessions are made with.
#[derive(Debug)]
pub(crate) struct Contexts {
    server: Arc<ServerConfig>,
    /// For the other nodes of the cluster.
    peers: Option<Arc<ClientConfig>>,
    until: Option<SystemTime>,
}

/// How a server is reached: what sessions with it are made with, and the name that it has to show.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Contexts {
    /// The first identity is the one that other nodes are shown, too.
    ///
    /// # Errors
    /// If rustls cannot do it, as without random numbers.
    pub(crate) fn new(
        first: Identity,
        others: impl IntoIterator<Item = Identity>,
        clients: Option<ClientAuth>,
        peers: Option<RootCertStore>,
    ) -> Result<Self, Error> {
        let peers = peers.map(|roots| {
            let shown = SingleCertAndKey::from(Arc::clone(&first.0));
            let client = client_config(roots)?.with_client_cert_resolver(Arc::new(shown));
            Ok::<_, Error>(finish(client))
        });
        let identities: Vec<Identity> = [first].into_iter().chain(others).collect();
        let until = identities.iter().filter_map(|it| it.validity().map(|(_, until)| until)).min();
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let server = match clients {
            None => server.with_no_client_auth(),
            Some(ClientAuth(verifier)) => server.with_client_cert_verifier(verifier),
        };
        let mut server = server.with_cert_resolver(Arc::new(Identities(identities)));
        server.alpn_protocols = Protocol::offered();
        server.ticketer = ring::Ticketer::new()?;
        Ok(Self { server: Arc::new(server), peers: peers.transpose()?, until })
    }

    /// A session with a client.
    pub(crate) fn accept(&self) -> Result<Session, Error> {
        ServerConnection::new(Arc::clone(&self.server)).map(Session::new)
    }

    /// For sessions with the other nodes, if there are any.
    pub(crate) fn peers(&self) -> Option<&Arc<ClientConfig>> {
        self.peers.as_ref()
    }

    /// When the first of our certificates ends, if that can be told.
    pub(crate) const fn until(&self) -> Option<SystemTime> {
        self.until
    }
}

impl Connector {
    pub(crate) fn new(config: Arc<ClientConfig>, name: ServerName<'static>) -> Self {
        Self { config, name }
    }

    /// For a server that these authorities vouch for. We show it no certificate.
    pub(crate) fn for_roots(
        roots: RootCertStore,
        name: ServerName<'static>,
    ) -> Result<Self, Error> {
        let config = client_config(roots)?.with_no_client_auth();
        Ok(Self::new(finish(config), name))
    }

    pub(crate) fn connect(&self) -> Result<Session, Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map(Session::new)
    }
}

/// Whether a certificate names one of these as its subject (RFC 9525).
pub(crate) fn names_one_of(certificate: &CertificateDer<'_>, names: &[ServerName<'_>]) -> bool {
    ParsedCertificate::try_from(certificate).is_ok_and(|certificate| {
        names.iter().any(|name| verify_server_name(&certificate, name).is_ok())
    })
}

fn client_config(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots))
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = Protocol::offered();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
