//! One exchange with a peer or an HTTP origin: a GET out, a value or the lack of one in. Sockets,
//! timers and the pool of idle connections are the server's.

use std::time::Duration;

use gocache_core::{Fetch, Instant, Load, LoadError, Value, encode};

use crate::{
    config::Target,
    http1::{Body, BodyError, Decoder, PEER_FIELD, Response, ResponseHead},
};

/// Longest head of a response.
const MAX_HEAD: usize = 32 << 10;

const TOO_LONG: &str = "the value is longer than value_bytes allows";
const NO_MEMORY: &str = "there is no memory for the value";

/// Who is asked. Their answers mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Origin,
    Peer,
}

/// A load that is done over HTTP.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) fetch: Fetch,
    pub(crate) began: Instant,
    kind: Kind,
    request: Vec<u8>,
    sent: usize,
    /// Bytes received before the body; the head ends somewhere in them.
    head: Vec<u8>,
    body: Option<(ResponseHead, Decoder)>,
    value: Vec<u8>,
    max_value: usize,
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Load, LoadError>,
    /// The connection can carry another exchange.
    pub(crate) reusable: bool,
    /// Whoever was asked answered, if only to say that it cannot help.
    pub(crate) alive: bool,
    /// For the log, where it went wrong.
    pub(crate) cause: &'static str,
}

impl Exchange {
    pub(crate) fn new(
        fetch: Fetch,
        kind: Kind,
        request: Vec<u8>,
        max_value: usize,
        began: Instant,
    ) -> Self {
        Self {
            fetch,
            began,
            kind,
            request,
            sent: 0,
            head: Vec::new(),
            body: None,
            value: Vec::new(),
            max_value,
        }
    }

    /// What is still to be sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.request[self.sent..]
    }

    pub(crate) fn sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Nothing has come back yet: on a connection that lay idle this is no sign that the other
    /// side is in trouble, and the request may be sent again on a new one.
    pub(crate) fn is_untouched(&self) -> bool {
        self.head.is_empty() && self.body.is_none()
    }

    /// Begins anew on another connection.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Takes bytes of the response.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Option<Outcome> {
        if self.body.is_some() {
            return self.receive_body(bytes);
        }
        self.head.extend_from_slice(bytes);
        match Response::parse(&self.head) {
            Response::Partial if self.head.len() > MAX_HEAD => {
                Some(self.failed("the head of its answer is too long"))
            }
            Response::Partial => None,
            Response::Broken => Some(self.failed("its answer is no HTTP")),
            Response::Complete(ResponseHead { body: Body::Length(length), .. }, _)
                if length > self.max_value as u64 =>
            {
                Some(self.failed(TOO_LONG))
            }
            Response::Complete(head, used) => {
                let decoder = Decoder::new(head.body, self.max_value as u64);
                self.body = Some((head, decoder));
                let rest = self.head.split_off(used);
                self.receive_body(&rest)
            }
        }
    }

    /// The other side has closed the connection.
    pub(crate) fn end(&mut self) -> Outcome {
        match self.body.take() {
            Some((head, decoder)) if decoder.may_end() => self.complete(&head, false),
            _ => self.failed("it closed the connection within its answer"),
        }
    }

    /// Something outside the exchange ended it.
    pub(crate) fn failed(&self, cause: &'static str) -> Outcome {
        let error = match self.kind {
            Kind::Origin => LoadError::Failed,
            Kind::Peer => LoadError::PeerDown,
        };
        Outcome { result: Err(error), reusable: false, alive: false, cause }
    }

    pub(crate) fn timed_out(&self) -> Outcome {
        let error = match self.kind {
            Kind::Origin => LoadError::TimedOut,
            Kind::Peer => LoadError::PeerDown,
        };
        let cause = "it did not answer in time";
        Outcome { result: Err(error), reusable: false, alive: false, cause }
    }

    fn receive_body(&mut self, mut bytes: &[u8]) -> Option<Outcome> {
        loop {
            let (_, decoder) = self.body.as_mut()?;
            if decoder.is_done() {
                let (head, _) = self.body.take()?;
                // Bytes after the answer to the only request: what they are, nobody knows.
                let reusable = head.persists && bytes.is_empty() && self.unsent().is_empty();
                return Some(self.complete(&head, reusable));
            }
            if bytes.is_empty() {
                return None;
            }
            let step = match decoder.step(bytes) {
                Ok(step) => step,
                Err(BodyError::TooLarge) => {
                    return Some(self.failed(TOO_LONG));
                }
                Err(BodyError::Malformed | BodyError::Overhead) => {
                    return Some(self.failed("the chunks of its answer are malformed"));
                }
            };
            bytes = &bytes[step.used..];
            if self.value.try_reserve(step.content.len()).is_err() {
                let result = Err(LoadError::OutOfMemory);
                // That is this node's fault: whoever was asked is fine.
                return Some(Outcome { result, reusable: false, alive: true, cause: NO_MEMORY });
            }
            self.value.extend_from_slice(step.content);
        }
    }

    fn complete(&self, head: &ResponseHead, reusable: bool) -> Outcome {
        let (result, cause) = match (self.kind, head.status) {
            (_, 200) if head.is_encoded => {
                let outcome = self.failed("its answer has a Content-Encoding");
                return Outcome { reusable, alive: true, ..outcome };
            }
            (_, 200) => match Value::new(&self.value) {
                Ok(value) => {
                    // What comes from the origin is new to us, however long another cache had it.
                    let age = if self.kind == Kind::Peer { head.age } else { 0 };
                    (Ok(Load { age: Duration::from_secs(age), ..value.into() }), "")
                }
                Err(error) => (Err(error.into()), NO_MEMORY),
            },
            (Kind::Origin, 404) => (Err(LoadError::NotFound), ""),
            (Kind::Origin, _) => (Err(LoadError::Failed), "its answer is neither 200 nor 404"),
            // A 404 without the field means that the peer knows no such group: no help at all.
            (Kind::Peer, 404) if head.has_cache_status => (Err(LoadError::NotFound), ""),
            // What the origin told the owner, it would tell us.
            (Kind::Peer, 502) => (Err(LoadError::Failed), "the origin failed it"),
            (Kind::Peer, 504) => (Err(LoadError::TimedOut), "the origin was too late for it"),
            (Kind::Peer, _) => (Err(LoadError::PeerDown), "it cannot serve the key"),
        };
        Outcome { result, reusable, alive: true, cause }
    }
}

/// The bytes of a GET for a key. One for a peer is marked.
pub(crate) fn request(target: &Target, key: &[u8], mark: Option<&str>) -> Vec<u8> {
    let mut request = String::with_capacity(256 + 3 * key.len());
    request.push_str("GET ");
    request.push_str(&target.path);
    request.extend(encode(key));
    request.push_str(" HTTP/1.1\r\nHost: ");
    request.push_str(&target.authority);
    request.push_str("\r\nUser-Agent: gocache\r\nAccept-Encoding: identity\r\n");
    if let Some(mark) = mark {
        for part in [PEER_FIELD, ": ", mark, "\r\n"] {
            request.push_str(part);
        }
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// A key that a URL cannot carry to an origin: a path segment of dots means another path to it
/// (RFC 3986, 5.2.4), percent-encoded or not.
pub(crate) fn is_dot_segment(key: &[u8]) -> bool {
    key == b"." || key == b".."
}
