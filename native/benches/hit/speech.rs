//! What a server is asked, and how its answer is read: HTTP, or memcached's own protocol.

use std::io::{self, Read};
use std::net::SocketAddr;

use crate::payload::Payload;

const HEAD_BYTES_MAX: usize = 16 << 10;

#[derive(Clone, Copy)]
pub(crate) enum Speech {
    Http {
        /// The path of a key in this server's URLs, before the key.
        base: &'static str,
    },
    Memcached,
}

impl Speech {
    pub(crate) fn request(self, to: SocketAddr, payload: &Payload) -> Vec<u8> {
        let key = payload.key;
        match self {
            Self::Http { base } => format!("GET {base}{key} HTTP/1.1\r\nHost: {to}\r\n\r\n"),
            Self::Memcached => format!("get {key}\r\n"),
        }
        .into_bytes()
    }

    /// What every answer begins with.
    pub(crate) const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Http { .. } => b"HTTP/1.1 200",
            Self::Memcached => b"VALUE ",
        }
    }

    /// Reads one whole answer, which has to be the value.
    pub(crate) fn read(self, from: &mut impl Read, payload: &Payload) -> io::Result<Vec<u8>> {
        let (end, length, tail) = match self {
            Self::Http { .. } => ("\r\n\r\n", format!("content-length: {}\r\n", payload.bytes), ""),
            Self::Memcached => ("\r\n", format!(" {}\r\n", payload.bytes), "\r\nEND\r\n"),
        };
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(end.as_bytes()) && answer.len() < HEAD_BYTES_MAX {
            from.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&answer).to_lowercase();
        if !answer.starts_with(self.prefix()) || !head.contains(&length) {
            let wrong = format!("wanted the value and {length:?}, got {}", excerpt(&answer));
            return Err(io::Error::other(wrong));
        }
        let head_bytes = answer.len();
        answer.resize(head_bytes + payload.bytes + tail.len(), 0);
        from.read_exact(&mut answer[head_bytes..])?;
        if answer[head_bytes..] != [&payload.value(), tail.as_bytes()].concat() {
            return Err(io::Error::other("the body is not the value"));
        }
        Ok(answer)
    }
}

/// The beginning of an answer, printable.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(200)];
    format!("\"{}\"", start.escape_ascii())
}
