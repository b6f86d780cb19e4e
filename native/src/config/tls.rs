//! TLS: the table as it is written, the files that it names, and what is in them now.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use gocache_core::PeerId;
use parking_lot::RwLock;
use rustls::{
    Error, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use toml::Spanned;

use super::{
    ConfigError,
    error::{NamedFile, Place, Source},
    raw,
};
use crate::tls::{
    self, ClientAuth, Connector, Contexts, Identity, Session, certificates, private_key,
    system_roots,
};

/// TLS on the data port, and between nodes.
#[derive(Debug)]
pub struct TlsConfig {
    files: Files,
    /// What was in them when they were read last.
    contexts: RwLock<Arc<Contexts>>,
}

#[derive(Debug)]
struct Files {
    certificate: NamedFile,
    key: NamedFile,
    client_ca: Option<NamedFile>,
    /// Clients without a certificate are turned away.
    required: bool,
    peers: Option<Peers>,
}

/// The nodes of the cluster, this one included.
#[derive(Debug)]
struct Peers {
    /// By their [`PeerId`].
    names: Vec<ServerName<'static>>,
    roots: Roots,
}

/// Where the authorities are from that servers are trusted by.
#[derive(Debug)]
enum Roots {
    File(NamedFile),
    /// From the system, for what stands there.
    System(Place),
}

impl TlsConfig {
    /// Reads the files anew. New connections are made with what is in them; those that stand go on
    /// as they are.
    ///
    /// # Errors
    /// If anything is wrong with the files. Then nothing changes.
    pub(crate) fn reload(&self) -> Result<(), ConfigError> {
        let contexts = Arc::new(self.files.load()?);
        *self.contexts.write() = contexts;
        self.warn();
        Ok(())
    }

    /// Tells the log what [`TlsConfig::warning`] says.
    pub(crate) fn warn(&self) {
        if let Some(warning) = self.warning() {
            tracing::warn!("{warning}");
        }
    }

    /// What is wrong with the certificate that can be served all the same: its time is over, or has
    /// not come.
    pub(crate) fn warning(&self) -> Option<ConfigError> {
        let text = self.contexts().untimely(SystemTime::now())?;
        Some(self.files.certificate.error(&text))
    }

    pub(super) fn check(
        source: &Source<'_>,
        raw: &raw::Tls,
        nodes: Option<(&raw::Cluster, &[String])>,
    ) -> Result<Self, ConfigError> {
        let required = match &raw.client_certificate {
            None => true,
            Some(text) if raw.client_ca.is_none() => {
                return Err(source.at(text, "client_certificate needs a client_ca"));
            }
            Some(text) => match text.get_ref().as_str() {
                "required" => true,
                "optional" => false,
                _ => {
                    let message = "client_certificate is \"required\" or \"optional\"";
                    return Err(source.at(text, message));
                }
            },
        };
        let files = Files {
            certificate: source.named(&raw.certificate),
            key: source.named(&raw.key),
            client_ca: raw.client_ca.as_ref().map(|path| source.named(path)),
            required,
            peers: nodes.map(|(raw, nodes)| Peers::new(source, raw, nodes)).transpose()?,
        };
        let contexts = RwLock::new(Arc::new(files.load()?));
        Ok(Self { files, contexts })
    }

    /// What new sessions are made with.
    pub(crate) fn contexts(&self) -> Arc<Contexts> {
        Arc::clone(&self.contexts.read())
    }

    /// A session with another node.
    pub(crate) fn connect(&self, PeerId(peer): PeerId) -> Result<Session, Error> {
        let name = self.files.peers.as_ref().and_then(|peers| peers.names.get(usize::from(peer)));
        match (self.contexts().peers(), name) {
            (Some(config), Some(name)) => Connector::new(config.clone(), name.clone()).connect(),
            _ => Err(Error::General("there is no such node".to_owned())),
        }
    }

    /// Whether who shows this certificate is a node of the cluster: it names the host of one.
    pub(crate) fn is_node(&self, certificate: &CertificateDer<'_>) -> bool {
        self.files.peers.as_ref().is_some_and(|peers| tls::names_one_of(certificate, &peers.names))
    }
}

impl Files {
    fn load(&self) -> Result<Contexts, ConfigError> {
        let Self { certificate, key, client_ca, required, peers } = self;
        let identity = Identity {
            chain: certificates(&certificate.path).map_err(|why| certificate.error(&why))?,
            key: private_key(&key.path).map_err(|why| key.error(&why))?,
        };
        let clients = client_ca.as_ref().map(|file| {
            let roots = tls::roots(&file.path).map_err(|why| file.error(&why))?;
            Ok(ClientAuth { roots, required: *required })
        });
        let peers = peers.as_ref().map(|peers| peers.roots.load());
        Contexts::new(identity, clients.transpose()?, peers.transpose()?).map_err(|error| {
            match error {
                Error::InconsistentKeys(_) => {
                    let certificate = certificate.path.display();
                    key.error(&format!("is not the key of the certificate in {certificate}"))
                }
                Error::InvalidCertificate(_) => certificate.error(&format!("is no use: {error}")),
                error => key.error(&format!("cannot be used: {error}")),
            }
        })
    }
}

impl Peers {
    fn new(source: &Source<'_>, raw: &raw::Cluster, nodes: &[String]) -> Result<Self, ConfigError> {
        let name = |node: &String| {
            let name = node.parse().ok().and_then(|authority| server_name(&authority));
            name.ok_or_else(|| {
                source.at(&raw.own, format!("the host of {node} is neither a name nor an address"))
            })
        };
        let names = nodes.iter().map(name).collect::<Result<_, _>>()?;
        Ok(Self { names, roots: Roots::new(source, raw.ca.as_ref(), &raw.own) })
    }
}

impl Roots {
    /// From a file or, for what `otherwise` says, from the system.
    fn new(
        source: &Source<'_>,
        ca: Option<&Spanned<PathBuf>>,
        otherwise: &Spanned<String>,
    ) -> Self {
        match ca {
            Some(path) => Self::File(source.named(path)),
            None => Self::System(source.place(otherwise.span())),
        }
    }

    fn load(&self) -> Result<RootCertStore, ConfigError> {
        match self {
            Self::File(file) => tls::roots(&file.path).map_err(|why| file.error(&why)),
            Self::System(place) => system_roots().map_err(|why| place.error(why)),
        }
    }
}

/// The name by which a server has to be known that has this authority (RFC 9110, 4.3.4).
fn server_name(authority: &http::uri::Authority) -> Option<ServerName<'static>> {
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

/// How an origin is reached over TLS.
pub(super) fn connector(
    source: &Source<'_>,
    url: &Spanned<String>,
    authority: &http::uri::Authority,
    ca: Option<&Spanned<PathBuf>>,
) -> Result<Connector, ConfigError> {
    let name = server_name(authority)
        .ok_or_else(|| source.at(url, "the host of url is neither a name nor an address"))?;
    let roots = Roots::new(source, ca, url).load()?;
    Connector::for_roots(roots, name)
        .map_err(|error| source.at(url, format!("TLS cannot be used: {error}")))
}
