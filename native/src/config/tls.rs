//! TLS: the table as it is written, and what is in the files that it names.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use gocache_core::PeerId;
use rustls::{
    Error, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use toml::Spanned;

use super::{ClusterConfig, ConfigError, error::Source, raw};
use crate::tls::{
    self, ClientAuth, Connector, Contexts, Identity, certificates, overdue, private_key,
    system_roots,
};

/// TLS on the data port, and between nodes: what the files had in them when they were read.
#[derive(Debug)]
pub struct TlsConfig {
    contexts: Contexts,
    /// The hosts of all nodes of the cluster, this one included, by their [`PeerId`].
    nodes: Vec<ServerName<'static>>,
    /// What is wrong with the certificate that can be served all the same.
    pub(super) warnings: Vec<String>,
}

impl TlsConfig {
    /// Reads the files.
    pub(super) fn check(
        source: &Source<'_>,
        raw: &raw::Tls,
        cluster: Option<(&raw::Cluster, &ClusterConfig)>,
    ) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let mut warn = |file, what: Option<String>| {
            warnings.extend(what.map(|what| about(source, file, &what).to_string()));
        };
        let now = SystemTime::now();
        let clients = client_auth(source, raw, &mut warn, now)?;
        let mut identity = |certificate, key| {
            let identity = identity(source, certificate, key)?;
            warn(certificate, identity.untimely(now));
            Ok(identity)
        };
        let first = identity(&raw.certificate, &raw.key)?;
        let others = raw.certificates.iter().map(|it| identity(&it.certificate, &it.key));
        let others: Vec<Identity> = others.collect::<Result<_, _>>()?;
        let nodes = cluster.map(|(raw, cluster)| names(source, raw, &cluster.nodes));
        let nodes = nodes.transpose()?.unwrap_or_default();
        warn(
            &raw.certificate,
            cluster.and_then(|(raw, cluster)| {
                let own = nodes.get(usize::from(cluster.own.0))?;
                let is_named = first.names_one_of(std::slice::from_ref(own));
                let own = raw.own.get_ref();
                (!is_named)
                    .then(|| format!("does not name the host of {own}; other nodes refuse it"))
            }),
        );
        let peers = cluster.map(|(raw, _)| roots(source, raw.ca.as_ref(), &raw.own)).transpose()?;
        let contexts = Contexts::new(first, others, clients, peers);
        let contexts = contexts
            .map_err(|error| source.at(&raw.key, format!("TLS cannot be used: {error}")))?;
        Ok(Self { warnings, contexts, nodes })
    }

    /// What new sessions are made with.
    pub(crate) const fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    /// When the certificate ends, in seconds since 1970, if that can be told.
    pub(crate) fn expires_at(&self) -> Option<u64> {
        let until = self.contexts.until()?;
        until.duration_since(UNIX_EPOCH).ok().map(|until| until.as_secs())
    }

    /// How another node is reached.
    pub(crate) fn connector(&self, PeerId(peer): PeerId) -> Option<Connector> {
        let name = self.nodes.get(usize::from(peer))?;
        Some(Connector::new(self.contexts.peers()?.clone(), name.clone()))
    }

    /// Whether who shows this certificate is a node of the cluster: it names the host of one.
    pub(crate) fn is_node(&self, certificate: &CertificateDer<'_>) -> bool {
        tls::names_one_of(certificate, &self.nodes)
    }
}

/// A certificate and its key.
fn identity(
    source: &Source<'_>,
    certificate: &Spanned<PathBuf>,
    key: &Spanned<PathBuf>,
) -> Result<Identity, ConfigError> {
    let chain = read(source, certificate, certificates)?;
    let identity = Identity::new(chain, read(source, key, private_key)?);
    identity.map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            let certificate = source.path(certificate);
            let what = format!("is not the key of the certificate in {}", certificate.display());
            about(source, key, &what)
        }
        Error::InvalidCertificate(_) => about(source, certificate, &format!("is no use: {error}")),
        error => about(source, key, &format!("cannot be used: {error}")),
    })
}

/// How clients show who they are, if they are asked to.
fn client_auth<'a>(
    source: &Source<'_>,
    raw: &'a raw::Tls,
    mut warn: impl FnMut(&'a Spanned<PathBuf>, Option<String>),
    now: SystemTime,
) -> Result<Option<ClientAuth>, ConfigError> {
    let required = is_required(source, raw)?;
    let Some(ca) = &raw.client_ca else {
        let needless = raw.client_crl.as_ref();
        let error = needless.map(|crl| source.at(crl, "client_crl needs a client_ca"));
        return error.map_or(Ok(None), Err);
    };
    let roots = read(source, ca, tls::roots)?;
    let revoked = match &raw.client_crl {
        None => Vec::new(),
        Some(crl) => {
            let revoked = read(source, crl, tls::revoked)?;
            warn(crl, overdue(&revoked, now));
            revoked
        }
    };
    let file = raw.client_crl.as_ref().unwrap_or(ca);
    let auth = ClientAuth::new(roots, required, revoked);
    auth.map(Some).map_err(|why| about(source, file, &format!("cannot be used: {why}")))
}

/// Whether clients without a certificate are turned away.
fn is_required(source: &Source<'_>, raw: &raw::Tls) -> Result<bool, ConfigError> {
    let Some(text) = &raw.client_certificate else { return Ok(true) };
    if raw.client_ca.is_none() {
        return Err(source.at(text, "client_certificate needs a client_ca"));
    }
    match text.get_ref().as_str() {
        "required" => Ok(true),
        "optional" => Ok(false),
        _ => Err(source.at(text, "client_certificate is \"required\" or \"optional\"")),
    }
}

/// Takes something from a file, with the folder of the configuration as the place to look for it.
fn read<T>(
    source: &Source<'_>,
    file: &Spanned<PathBuf>,
    read: impl FnOnce(&Path) -> Result<T, String>,
) -> Result<T, ConfigError> {
    read(&source.path(file)).map_err(|why| about(source, file, &why))
}

/// What is wrong with a file, in words that go on from its name.
fn about(source: &Source<'_>, file: &Spanned<PathBuf>, what: &str) -> ConfigError {
    source.at(file, format!("{} {what}", source.path(file).display()))
}

fn names(
    source: &Source<'_>,
    raw: &raw::Cluster,
    nodes: &[String],
) -> Result<Vec<ServerName<'static>>, ConfigError> {
    let name = |node: &String| {
        let name = node.parse().ok().and_then(|authority| server_name(&authority));
        let text = || format!("the host of {node} is neither a name nor an address");
        name.ok_or_else(|| source.at(&raw.own, text()))
    };
    nodes.iter().map(name).collect()
}

/// The authorities of a file or, for what `otherwise` says, of the system.
fn roots(
    source: &Source<'_>,
    ca: Option<&Spanned<PathBuf>>,
    otherwise: &Spanned<String>,
) -> Result<RootCertStore, ConfigError> {
    match ca {
        Some(file) => read(source, file, tls::roots),
        None => system_roots().map_err(|why| source.at(otherwise, why)),
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
    Connector::for_roots(roots(source, ca, url)?, name)
        .map_err(|error| source.at(url, format!("TLS cannot be used: {error}")))
}
