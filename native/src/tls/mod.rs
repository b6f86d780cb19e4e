//! TLS 1.2 and 1.3 without sockets: what is read from files, and sessions. rustls does the speaking,
//! as a state machine; the loops move its bytes as they move all others.
//!
//! | decided | why |
//! | --- | --- |
//! | `ring` does the cryptography | it builds in seconds, with a C compiler alone |
//! | sessions are resumed by tickets (RFC 8446, 4.6.1) | nothing is kept for who has gone |
//! | a reload draws their keys anew | nobody comes back by what the files no longer allow |
//! | no early data (RFC 8446, 8) | it can be replayed |
//! | no OCSP, neither stapled nor asked | authorities give it up; who revokes hands us a list |
//! | no renegotiation, no compression | rustls has neither |
//! | no kTLS | a value is copied once into its records either way, and not every kernel has it |
//!
//! # HTTP/2
//!
//! [`Protocol`] is where a second protocol comes in: what ALPN settled on decides, when the
//! handshake is over, what the plaintext goes to. For `h2` (RFC 9113) there would have to be:
//!
//! - its name before `http/1.1` in [`Protocol::OFFERED`], and a `Conn` that is an enum of two
//!   engines with the methods that it has now (`receive`, `resume`, `land`, `written`,
//!   `slices`, `sent`, `next`, `deadline`...), so that the loops go on as they are;
//! - a sans-io engine: frames, HPACK with its table bounded, flow control of the connection and each
//!   stream, `SETTINGS`, `PING` and `GOAWAY` (which is its drain). The library for it, `h2`, is
//!   driven through `AsyncRead`: it would get an adapter over memory, or the frames be our own;
//! - limits where HTTP/1 has `pipeline`: concurrent streams, and the rates of resets, pings and
//!   empty frames that are known as attacks;
//! - answers that leave in any order: `owed` keeps them in the order of requests, which only HTTP/1
//!   asks for, and `output` would take turns between streams;
//! - `Request` made from pseudo-fields. The planes, `answer` and all behind them stay as they are.

mod contexts;
mod files;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use contexts::{ClientAuth, Connector, Contexts, Identity, names_one_of};
pub(crate) use files::{certificates, overdue, private_key, revoked, roots, system_roots};
pub(crate) use session::{Came, Session, tls_error};

/// What is spoken inside TLS, as ALPN (RFC 7301) settled it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
}

impl Protocol {
    /// What is offered, the preferred one first.
    const OFFERED: [&[u8]; 1] = [b"http/1.1"];

    fn offered() -> Vec<Vec<u8>> {
        Self::OFFERED.iter().map(|name| name.to_vec()).collect()
    }

    /// Who names no protocol speaks the one that was there before ALPN.
    fn settled(_name: Option<&[u8]>) -> Self {
        Self::Http1
    }
}
