//! `Contexts`: what sessions are made with. They are made of files, whole or not at all.

use std::{sync::Arc, time::SystemTime};

use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, Error, RootCertStore, ServerConfig,
    ServerConnection,
    client::{WantsClientCert, verify_server_name},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::{ParsedCertificate, WebPkiClientVerifier},
};

use super::{Protocol, Session, files::validity};

/// Who we are: our certificate, those that lead from it to an authority, and its key.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// By which authorities clients show who they are.
pub(crate) struct ClientAuth {
    pub(crate) roots: RootCertStore,
    /// Who shows no certificate is turned away.
    pub(crate) required: bool,
}

/// What new sessions are made with.
#[derive(Debug)]
pub(crate) struct Contexts {
    server: Arc<ServerConfig>,
    /// For the other nodes of the cluster.
    peers: Option<Arc<ClientConfig>>,
    validity: Option<(SystemTime, SystemTime)>,
}

/// How a server is reached: what sessions with it are made with, and the name that it has to show.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Contexts {
    /// # Errors
    /// If the certificate or the key is none, or they do not belong together
    /// ([`Error::InconsistentKeys`]).
    pub(crate) fn new(
        identity: Identity,
        clients: Option<ClientAuth>,
        peers: Option<RootCertStore>,
    ) -> Result<Self, Error> {
        let Identity { chain, key } = identity;
        let validity = chain.first().and_then(validity);
        let peers = peers.map(|roots| {
            let client =
                client_config(roots)?.with_client_auth_cert(chain.clone(), key.clone_key());
            client.map(finish)
        });
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let server = match clients {
            None => server.with_no_client_auth(),
            Some(ClientAuth { roots, required }) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
                let verifier =
                    verifier.build().map_err(|error| Error::General(error.to_string()))?;
                server.with_client_cert_verifier(verifier)
            }
        };
        let mut server = server.with_single_cert(chain, key)?;
        server.alpn_protocols = Protocol::offered();
        server.ticketer = ring::Ticketer::new()?;
        Ok(Self { server: Arc::new(server), peers: peers.transpose()?, validity })
    }

    /// A session with a client.
    pub(crate) fn accept(&self) -> Result<Session, Error> {
        ServerConnection::new(Arc::clone(&self.server)).map(Session::new)
    }

    /// For sessions with the other nodes, if there are any.
    pub(crate) fn peers(&self) -> Option<&Arc<ClientConfig>> {
        self.peers.as_ref()
    }

    /// When our certificate ends, if that can be told.
    pub(crate) fn until(&self) -> Option<SystemTime> {
        self.validity.map(|(_, until)| until)
    }

    /// What is wrong with our certificate at this time, if anything is.
    pub(crate) fn untimely(&self, now: SystemTime) -> Option<String> {
        let (from, until) = self.validity?;
        let show = humantime::format_rfc3339_seconds;
        if now < from {
            Some(format!("is valid only from {} on; clients refuse it until then", show(from)))
        } else if now > until {
            Some(format!("expired at {}; clients refuse it: renew it", show(until)))
        } else {
            None
        }
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
