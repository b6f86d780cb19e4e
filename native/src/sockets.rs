//! Sockets that another program has opened and hands over: systemd's socket activation
//! (sd_listen_fds(3)), or a parent that keeps a port while servers come and go.

use std::{env, net::TcpListener};

use listenfd::ListenFd;
use socket2::SockRef;

/// The names by which they are told apart.
const DATA: &str = "data";
const OPS: &str = "ops";

/// Sockets to listen on in place of the addresses in the configuration.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where clients and peers are answered.
    pub data: Option<TcpListener>,
    /// Where operators are answered.
    pub ops: Option<TcpListener>,
}

impl Sockets {
    /// Takes what was handed over to this process. `LISTEN_FDNAMES` tells them apart, by the names
    /// `data` and `ops`; without these names the first one is for data and the second for operators.
    ///
    /// To be called once, before there are other threads: it takes the variables out of the
    /// environment, so that no child takes them for its own.
    ///
    /// # Errors
    /// If one of them does not listen for TCP, or there is one that nobody wants.
    pub(crate) fn inherited() -> Result<Self, String> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed = ListenFd::from_env();
        let mut sockets = Self::default();
        for at in 0..handed.len() {
            let name = names.next().unwrap_or_default();
            let socket = handed.take_tcp_listener(at).map_err(|error| {
                format!("LISTEN_FDS: the socket {at}, {name:?}, is not one for TCP: {error}")
            })?;
            let Some(socket) = socket else { continue };
            if !SockRef::from(&socket).is_listener().unwrap_or(false) {
                return Err(format!("LISTEN_FDS: the socket {at}, {name:?}, does not listen"));
            }
            let place = match name {
                DATA => &mut sockets.data,
                OPS => &mut sockets.ops,
                _ if sockets.data.is_none() => &mut sockets.data,
                _ => &mut sockets.ops,
            };
            if place.replace(socket).is_some() {
                return Err(format!(
                    "LISTEN_FDS: the socket {at}, {name:?}, is one too many; there are {DATA} and \
                     {OPS}, each once"
                ));
            }
        }
        Ok(sockets)
    }
}
