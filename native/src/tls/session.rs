//! `Session`: one TLS connection without its socket. Ciphertext goes in and plaintext comes out, and
//! back.

use std::{
    io::{self, IoSlice, Read, Write},
    mem,
};

use rustls::{Connection, Error, pki_types::CertificateDer};

use super::Protocol;

/// Bytes of plaintext that are in records at the most, and not sent.
const UNSENT: usize = 32 << 10;

pub(crate) struct Session {
    tls: Connection,
    /// Bytes of plaintext that are in records already, of which some are still unsent.
    taken: usize,
}

/// What came out of a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// So many bytes of plaintext.
    Plain(usize),
    /// Nothing more, until there is more ciphertext.
    Nothing,
    /// The other side has said that it sends no more (RFC 8446, 6.1).
    End,
}

impl Session {
    pub(super) fn new(tls: impl Into<Connection>) -> Self {
        let mut tls = tls.into();
        tls.set_buffer_limit(Some(UNSENT));
        Self { tls, taken: 0 }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// What the two sides agreed to speak. Settled when the handshake is over.
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol::settled(self.tls.alpn_protocol())
    }

    /// The certificate that the other side has shown, and proved to be its own.
    pub(crate) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.peer_certificates().and_then(<[_]>::first)
    }

    /// Takes from `bytes`, and puts what comes of it into `plain`; to be called until it says that
    /// there is nothing more.
    ///
    /// # Errors
    /// If the other side does not hold to TLS, or we do not trust it. There may be an alert to send.
    pub(crate) fn read(&mut self, bytes: &mut &[u8], plain: &mut [u8]) -> io::Result<Came> {
        loop {
            match self.tls.reader().read(plain) {
                Ok(0) => return Ok(Came::End),
                Ok(count) => return Ok(Came::Plain(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if bytes.is_empty() {
                return Ok(Came::Nothing);
            }
            self.tls.read_tls(bytes)?;
            self.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// There are records to send.
    pub(crate) fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// Sends plaintext, as far as the handshake and the socket let it, and says how much of it is
    /// out. Until all is out that was taken up, none of it is: the next call has to begin with the
    /// same bytes.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` where it did not take everything.
    pub(crate) fn send(
        &mut self,
        plain: &[IoSlice<'_>],
        socket: &mut impl Write,
    ) -> io::Result<usize> {
        if self.taken == 0 && !self.is_handshaking() {
            self.taken = self.tls.writer().write_vectored(plain)?;
        }
        self.flush(socket)?;
        Ok(mem::take(&mut self.taken))
    }

    /// Sends the records that there are.
    ///
    /// # Errors
    /// As with [`Session::send`].
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Says that we send no more, behind what is unsent.
    pub(crate) fn close(&mut self) {
        self.tls.send_close_notify();
    }
}

/// The error of a session among those of its socket.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|error| error.downcast_ref())
}
