//! One connection to a peer or an HTTP origin: its state, and the moving of its bytes.

use std::{
    io::{self, IoSlice, Read, Write},
    sync::Arc,
};

use gocache_core::Instant;
use mio::net::TcpStream;
use rustls::Error;

use super::{timers::Timer, upstream::Upstream};
use crate::{
    locks::assert_none_held,
    tls::{Came, Session, tls_error},
    upstream::{Exchange, Outcome},
};

/// Reads of one link in a turn: a large value must not keep the clients of the loop waiting.
pub(super) const READS: usize = 16;

/// A connection that we opened.
pub(super) struct Link {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<Box<Session>>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) number: u64,
    pub(super) timer: Timer,
    pub(super) deadline: Instant,
    /// It carried an exchange before, so that the other side may have closed it meanwhile.
    pub(super) reused: bool,
    /// Which address of its target is being connected to, counted from the preferred one.
    pub(super) attempt: usize,
    /// It has more to read than was its turn, and has its next one in any case.
    pub(super) goes_on: bool,
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
    mut tls: Option<&mut Session>,
    exchange: &mut Exchange,
    scratch: &mut [u8],
    plain: &mut [u8],
) -> io::Result<Moved> {
    assert_none_held();
    for _ in 0..READS {
        send(stream, tls.as_deref_mut(), exchange)?;
        let count = match stream.read(scratch) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Moved::Waits),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let outcome = match &mut tls {
            // Without a word before it, an end within TLS may be anybody's doing (RFC 9112, 9.8).
            Some(_) if count == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(tls) => decipher(tls, &scratch[..count], plain, exchange)?,
            None if count == 0 => Some(end(exchange)?),
            None => exchange.receive(&scratch[..count]),
        };
        if let Some(outcome) = outcome {
            return Ok(Moved::Over(outcome));
        }
    }
    Ok(Moved::More)
}

fn send(
    stream: &mut TcpStream,
    mut tls: Option<&mut Session>,
    exchange: &mut Exchange,
) -> io::Result<()> {
    loop {
        let unsent = exchange.unsent();
        let sent = match &mut tls {
            Some(tls) if tls.wants_write() || !unsent.is_empty() => {
                tls.send(&[IoSlice::new(unsent)], stream)
            }
            None if !unsent.is_empty() => match stream.write(unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                sent => sent,
            },
            _ => return Ok(()),
        };
        match sent {
            // The handshake is not over.
            Ok(0) => return Ok(()),
            Ok(count) => exchange.sent(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn decipher(
    tls: &mut Session,
    mut bytes: &[u8],
    plain: &mut [u8],
    exchange: &mut Exchange,
) -> io::Result<Option<Outcome>> {
    loop {
        let outcome = match tls.read(&mut bytes, plain)? {
            Came::Plain(count) => exchange.receive(&plain[..count]),
            Came::Nothing => return Ok(None),
            Came::End => Some(end(exchange)?),
        };
        if let Some(mut outcome) = outcome {
            // As in plain: what comes behind the answer to the only request, nobody knows.
            outcome.reusable &= matches!(tls.read(&mut bytes, plain), Ok(Came::Nothing));
            return Ok(Some(outcome));
        }
    }
}

/// The other side says that this was all.
fn end(exchange: &mut Exchange) -> io::Result<Outcome> {
    match exchange.is_untouched() {
        true => Err(io::ErrorKind::UnexpectedEof.into()),
        false => Ok(exchange.end()),
    }
}

/// Why a link broke, for the log.
pub(super) fn cause(error: &io::Error) -> &'static str {
    match tls_error(error) {
        None => "the connection broke",
        Some(Error::InvalidCertificate(_)) => "its certificate is not trusted",
        Some(Error::AlertReceived(_)) => "it refuses our side of TLS",
        Some(_) => "it does not speak TLS as we do",
    }
}
