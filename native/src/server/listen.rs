//! Listening sockets: one for each loop, all on the same port.

use std::{io, net::SocketAddr};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;

/// Connections that may wait to be accepted.
pub(super) const BACKLOG: usize = 1024;

/// Binds so many sockets to one address. With port 0 the system chooses the port.
pub(super) fn bind(
    address: &SocketAddr,
    count: usize,
    set: &str,
) -> Result<Vec<TcpListener>, StartError> {
    let explain = |error: io::Error| {
        StartError::Listen(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "{set}: {address} is in use; stop the program that listens there or choose another port"
            ),
            _ => format!("{set}: {address} cannot be listened on: {error}"),
        })
    };
    // SO_REUSEPORT lets a second server of the same user bind the same port, and the two would
    // share its connections. A socket without it finds out whether the port is taken.
    let probe = socket(*address, false).map_err(explain)?;
    let address = probe.local_addr().map_err(explain)?;
    let address = address.as_socket().ok_or_else(|| explain(io::ErrorKind::Unsupported.into()))?;
    drop(probe);
    (0..count)
        .map(|_| {
            let socket = socket(address, true)?;
            socket.listen(BACKLOG as i32)?;
            Ok(TcpListener::from_std(socket.into()))
        })
        .collect::<io::Result<_>>()
        .map_err(explain)
}

/// Makes as many of a socket that was handed over. All of them have one queue: each loop wakes up for
/// a connection, and one of them gets it.
pub(super) fn share(socket: std::net::TcpListener, count: usize) -> io::Result<Vec<TcpListener>> {
    socket.set_nonblocking(true)?;
    let mut sockets = Vec::with_capacity(count);
    for _ in 1..count {
        sockets.push(TcpListener::from_std(socket.try_clone()?));
    }
    sockets.push(TcpListener::from_std(socket));
    Ok(sockets)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let kind = Type::STREAM;
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Connections of a server that ran before may still be fading away on the port.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
