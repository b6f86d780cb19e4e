//! A server that is asked over HTTP, peer or origin: where it is, and which of its addresses answer.

use std::{
    borrow::Cow,
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicUsize, Ordering},
};

use gocache_core::{Instant, encode};

use crate::{
    cluster::Breaker,
    config::Target,
    locks::assert_none_held,
    tls::{Connector, Session},
};

/// What is kept of a node of the cluster. What has begun with it ends with it, also where the cluster of
/// the next configuration is another one, or none.
pub(super) struct Peer {
    pub(super) breaker: Breaker,
    /// By what it knows our requests as a node's.
    pub(super) mark: String,
}

pub(super) struct Upstream {
    /// Its place among all that are asked over HTTP.
    pub(super) slot: usize,
    pub(super) name: String,
    /// What a peer has and an origin has not.
    pub(super) peer: Option<Peer>,
    addresses: Vec<SocketAddr>,
    /// The one of them that was reached last.
    preferred: AtomicUsize,
    target: Target,
}

impl Upstream {
    /// Resolves the name of its host, which may take a while.
    pub(super) fn new(slot: usize, name: &str, peer: Option<Peer>, target: Target) -> Self {
        // A name without a port means the port of HTTP, or that of HTTPS.
        let named = match target.authority.parse::<http::uri::Authority>() {
            Ok(authority) if authority.port().is_none() => {
                let port = if target.tls.is_some() { 443 } else { 80 };
                Cow::Owned(format!("{}:{port}", target.authority))
            }
            _ => Cow::Borrowed(target.authority.as_str()),
        };
        assert_none_held();
        let addresses = named.to_socket_addrs().map(Iterator::collect);
        let addresses = addresses.unwrap_or_else(|error| {
            tracing::warn!(host = %named, %error, "the name cannot be resolved; loads from it fail");
            Vec::new()
        });
        let (name, preferred) = (name.to_owned(), AtomicUsize::new(0));
        Self { slot, name, peer, addresses, preferred, target }
    }

    /// TLS for a new connection to it, if that is how it is asked.
    pub(super) fn session(&self) -> io::Result<Option<Box<Session>>> {
        let session = self.target.tls.as_ref().map(Connector::connect).transpose();
        session.map(|session| session.map(Box::new)).map_err(io::Error::other)
    }

    /// Whether to ask it now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.peer.as_ref().is_none_or(|peer| peer.breaker.admits(now))
    }

    /// The address to try after so many others, the preferred one first.
    pub(super) fn address(&self, attempt: usize) -> Option<SocketAddr> {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let count = self.addresses.len();
        (attempt < count).then(|| self.addresses[(preferred + attempt) % count])
    }

    pub(super) fn has_address(&self, attempt: usize) -> bool {
        attempt < self.addresses.len()
    }

    /// Takes note that the address after so many others was reached.
    pub(super) fn prefer(&self, attempt: usize) {
        if attempt > 0 {
            let preferred = self.preferred.load(Ordering::Relaxed) + attempt;
            self.preferred.store(preferred % self.addresses.len().max(1), Ordering::Relaxed);
        }
    }

    /// Where the keys of a group are: a peer has all groups under its base, an origin is one.
    pub(super) fn target(&self, group: &str) -> Cow<'_, Target> {
        if self.peer.is_none() {
            return Cow::Borrowed(&self.target);
        }
        let mut target = self.target.clone();
        target.path.extend(encode(group.as_bytes()));
        target.path.push('/');
        Cow::Owned(target)
    }
}
