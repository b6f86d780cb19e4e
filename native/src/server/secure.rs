//! What TLS adds to a client: its bytes in between the socket and the connection, and its end.

use std::{
    io::{self, IoSlice, Read, Write},
    net::Shutdown,
};

use gocache_core::{Instant, Status};
use mio::net::TcpStream;

use super::{clients::Client, planes::AnyPlane};
use crate::{
    answer::Answer,
    config::Config,
    conn::Conn,
    engine::Engine,
    locks::assert_none_held,
    meter::Handshake,
    output::MAX_SLICES,
    phase::Next,
    tls::{Came, Protocol, Session},
    turn::Turn,
};

/// The TLS of one client.
pub(super) struct Secure {
    session: Session,
    /// When the handshake has to be over.
    until: Instant,
    /// Whether the client is a node of the cluster by its certificate, once that was looked at.
    is_node: Option<bool>,
    /// The client has said that this was all. Its connection is told when it has taken up what came
    /// before.
    has_ended: bool,
}

impl Secure {
    /// TLS for a new client, if the data port has it.
    ///
    /// # Errors
    /// If rustls cannot begin a session.
    pub(super) fn accept(config: &Config, now: Instant) -> io::Result<Option<Box<Self>>> {
        let Some(tls) = &config.tls else { return Ok(None) };
        let session = tls.contexts().accept().map_err(io::Error::other)?;
        let until = now.after(config.deadlines.head);
        Ok(Some(Box::new(Self { session, until, is_node: None, has_ended: false })))
    }

    /// Sends plaintext, and says how much of it is out; and adds up what the socket took.
    #[inline(never)]
    pub(super) fn send(
        &mut self,
        plain: &[IoSlice<'_>],
        stream: &mut TcpStream,
        bytes: &mut usize,
    ) -> io::Result<usize> {
        self.session.send(plain, &mut Counted { stream, bytes })
    }

    #[inline(never)]
    fn is_node(&mut self, config: &Config) -> bool {
        // Nobody knows before the handshake is over, nor asks.
        if self.session.is_handshaking() {
            return false;
        }
        *self.is_node.get_or_insert_with(|| {
            let tls = config.tls.as_ref().zip(self.session.certificate());
            tls.is_some_and(|(tls, certificate)| tls.is_node(certificate))
        })
    }
}

/// A socket that counts what it takes.
struct Counted<'a> {
    stream: &'a mut TcpStream,
    bytes: &'a mut usize,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = self.stream.write_vectored(slices)?;
        *self.bytes += sent;
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Client {
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.is_handshaking())
    }

    /// Whether it has shown the certificate of a node.
    pub(super) fn is_node(&mut self, config: &Config) -> bool {
        self.tls.as_mut().is_some_and(|tls| tls.is_node(config))
    }

    /// Another configuration may have other nodes.
    pub(super) fn forget_node(&mut self) {
        self.tls.iter_mut().for_each(|tls| tls.is_node = None);
    }

    /// Reads from the socket, where there can be more.
    pub(super) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        assert_none_held();
        match &self.tls {
            Some(tls) if tls.has_ended => Ok(0),
            _ => self.stream.read(scratch),
        }
    }

    /// Gives the socket what it takes of what there is to send. Says how much of that is sent, and adds to
    /// `bytes` what went over the wire.
    pub(super) fn send(&mut self, bytes: &mut usize) -> io::Result<usize> {
        match (&self.tls, self.conn.front()) {
            (None, (all, true)) => self.stream.write(all).inspect(|sent| *bytes += sent),
            _ => self.send_slices(bytes),
        }
    }

    #[inline(never)]
    fn send_slices(&mut self, bytes: &mut usize) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.conn.slices(&mut slices);
        let slices = &slices[..count];
        match &mut self.tls {
            None => self.stream.write_vectored(slices).inspect(|sent| *bytes += sent),
            Some(tls) => tls.send(slices, &mut self.stream, bytes),
        }
    }

    /// Whether to read from the socket. A handshake goes on whatever there is to say afterwards.
    pub(super) fn wants_read(&self, next: Next) -> bool {
        matches!(next, Next::Read | Next::Shut) || self.is_handshaking()
    }

    /// Whether there is something that the socket should take.
    pub(super) fn wants_write(&self) -> bool {
        match &self.tls {
            None => self.conn.has_output(),
            Some(tls) if tls.session.is_handshaking() => tls.session.wants_write(),
            Some(tls) => tls.session.wants_write() || self.conn.has_output(),
        }
    }

    pub(super) fn deadline(&self, turn: &Turn<'_>) -> Option<Instant> {
        match &self.tls {
            Some(tls) if tls.session.is_handshaking() => Some(tls.until),
            _ => self.conn.deadline(turn),
        }
    }

    /// The deadline has passed. Says whether the client is to be dropped at once.
    pub(super) fn expire(&mut self, turn: &Turn<'_>) -> bool {
        if self.is_handshaking() {
            return true;
        }
        let is_over = self.conn.expire(turn);
        if is_over && !self.conn.has_output() {
            self.take_leave();
        }
        is_over
    }

    /// Takes what came over TLS. (Inlined, it would cost a plain connection some instructions.)
    #[inline(never)]
    pub(super) fn decipher<E: Engine>(
        &mut self,
        bytes: &[u8],
        plain: &mut [u8],
        plane: &mut AnyPlane<'_, E>,
        turn: &Turn<'_>,
    ) {
        let began = self.is_handshaking();
        self.take(bytes, plain, plane, turn);
        if began && self.tls.is_some() && !self.is_handshaking() {
            turn.tally.meter.handshake(Handshake::Done);
        }
    }

    fn take<E: Engine>(
        &mut self,
        bytes: &[u8],
        plain: &mut [u8],
        plane: &mut AnyPlane<'_, E>,
        turn: &Turn<'_>,
    ) {
        let Some(tls) = &mut self.tls else { return };
        let mut rest = bytes;
        loop {
            match tls.session.read(&mut rest, plain) {
                Ok(Came::Plain(count)) => match tls.session.protocol() {
                    Protocol::Http1 => {
                        plane.vouch(tls.is_node(turn.config));
                        self.conn.receive(&mut plain[..count], plane, turn);
                    }
                },
                Ok(Came::Nothing) => return,
                Ok(Came::End) => {
                    tls.has_ended = true;
                    self.readable = true;
                    return;
                }
                Err(error) => return self.break_off(&error, bytes, turn),
            }
        }
    }

    /// Ends the client's TLS, which has failed. What is said after that is said in the clear, so it
    /// is nothing but why.
    fn break_off(&mut self, error: &io::Error, bytes: &[u8], turn: &Turn<'_>) {
        let Some(mut tls) = self.tls.take() else { return };
        let peer = self.stream.peer_addr().ok();
        tracing::debug!(?peer, %error, "TLS with a client failed");
        let is_handshaking = tls.session.is_handshaking();
        if is_handshaking {
            turn.tally.meter.handshake(Handshake::Failed);
        }
        if is_handshaking && bytes.first().is_some_and(u8::is_ascii_uppercase) {
            // No record begins like this, but a method does.
            let text = "this port speaks TLS: ask for https://";
            self.conn = Conn::refused(Answer::line(Status::BadRequest, text), turn);
            return;
        }
        // The alert. It is lost where the socket takes nothing.
        drop(tls.session.flush(&mut self.stream));
        drop(self.stream.shutdown(Shutdown::Write));
        self.conn = Conn::new(turn.clock.now(), 0);
        self.conn.shut(turn.clock.now());
    }

    /// Says to a client with TLS that this was all (RFC 8446, 6.1), if the socket takes it at once.
    /// What still comes is dropped, and need not be read.
    #[inline(never)]
    pub(super) fn take_leave(&mut self) {
        if let Some(mut tls) = self.tls.take() {
            tls.session.close();
            drop(tls.session.flush(&mut self.stream));
        }
    }
}
