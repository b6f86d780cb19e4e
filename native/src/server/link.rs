//! One connection to a peer or an HTTP origin: its state, and the moving of its bytes.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use gocache_core::Instant;
use mio::net::TcpStream;

use super::{timers::Timer, upstream::Upstream};
use crate::upstream::{Exchange, Outcome};

/// Reads of one link in a turn: a large value must not keep the clients of the loop waiting.
const READS: usize = 16;

/// A connection that we opened.
pub(super) struct Link {
    pub(super) stream: TcpStream,
    pub(super) upstream: Arc<Upstream>,
    pub(super) number: u64,
    pub(super) timer: Timer,
    pub(super) deadline: Instant,
    /// It carried an exchange before, so that the other side may have closed it meanwhile.
    pub(super) reused: bool,
    /// Which address of its target is being connected to, counted from the preferred one.
    pub(super) attempt: usize,
    pub(super) state: State,
}

pub(super) enum State {
    Idle,
    Connecting(Exchange),
    Busy(Exchange),
}

/// What became of a link after its bytes were moved.
pub(super) enum Moved {
    /// It waits for the other side.
    Waits,
    /// There is more to read.
    More,
    Over(Outcome),
}

/// Whether a connection that was begun stands by now.
pub(super) fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends what is unsent and takes what has come, until neither goes on or the turn is over.
pub(super) fn move_bytes(
    stream: &mut TcpStream,
    exchange: &mut Exchange,
    scratch: &mut [u8],
) -> io::Result<Moved> {
    while !exchange.unsent().is_empty() {
        match stream.write(exchange.unsent()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => exchange.sent(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    for _ in 0..READS {
        match stream.read(scratch) {
            Ok(0) if exchange.is_untouched() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(Moved::Over(exchange.end())),
            Ok(count) => {
                if let Some(outcome) = exchange.receive(&scratch[..count]) {
                    return Ok(Moved::Over(outcome));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Moved::Waits),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Moved::More)
}
