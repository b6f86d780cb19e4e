//! One exchange with a peer or an HTTP origin: a request out, a response in, and what that means to
//! whoever asked. Sockets, timers and the pool of idle connections are the server's.

use std::{mem, time::Duration};

use gocache_core::{Error, Fetch, Instant, Load, LoadError, OutOfMemory, encode};

use crate::{
    config::Target,
    http1::{Body, BodyError, Decoder, PEER_FIELD, Response, ResponseHead},
    memory::{room, value},
};

/// Longest head of a response.
const MAX_HEAD: usize = 32 << 10;

const TOO_LONG: &str = "the value is longer than value_bytes allows";
const NO_MEMORY: &str = "there is no memory for the value";
const TOO_LATE: &str = "it did not answer in time";

/// Who is asked. Their answers mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Origin,
    Peer,
}

/// What an exchange is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    Load(Fetch),
    /// A peer's part in a write: its place among those that are under way.
    Write(usize),
}

/// A request, and its response as far as it has come.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) purpose: Purpose,
    pub(crate) began: Instant,
    request: Vec<u8>,
    sent: usize,
    /// Bytes received before the body; the head ends somewhere in them.
    head: Vec<u8>,
    body: Option<(ResponseHead, Decoder)>,
    content: Vec<u8>,
    max_content: usize,
}

/// How an exchange ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    end: End,
    /// The connection can carry another exchange.
    pub(crate) reusable: bool,
    /// Whoever was asked answered, if only to say that it cannot help.
    pub(crate) alive: bool,
}

/// A whole response with this content, or why there is none, in words for the log.
#[derive(Debug)]
enum End {
    Response(ResponseHead, Vec<u8>),
    TimedOut,
    OutOfMemory,
    Failed(&'static str),
}

impl Exchange {
    /// An exchange whose response may have content of up to `max_content` bytes.
    pub(crate) fn new(
        purpose: Purpose,
        request: Vec<u8>,
        max_content: usize,
        began: Instant,
    ) -> Self {
        Self {
            purpose,
            began,
            request,
            sent: 0,
            head: Vec::new(),
            body: None,
            content: Vec::new(),
            max_content,
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
        if self.head.try_reserve(bytes.len()).is_err() {
            return Some(Outcome::OUT_OF_MEMORY);
        }
        self.head.extend_from_slice(bytes);
        match Response::parse(&self.head) {
            Response::Partial if self.head.len() > MAX_HEAD => {
                Some(Outcome::failed("the head of its answer is too long"))
            }
            Response::Partial => None,
            Response::Broken => Some(Outcome::failed("its answer is no HTTP")),
            Response::Complete(ResponseHead { body: Body::Length(length), .. }, _)
                if length > self.max_content as u64 =>
            {
                Some(Outcome::failed(TOO_LONG))
            }
            Response::Complete(head, used) => {
                let decoder = Decoder::new(head.body, self.max_content as u64);
                self.body = Some((head, decoder));
                let came = mem::take(&mut self.head);
                self.receive_body(&came[used..])
            }
        }
    }

    /// The other side has closed the connection.
    pub(crate) fn end(&mut self) -> Outcome {
        match self.body.take() {
            Some((head, decoder)) if decoder.may_end() => self.complete(head, false),
            _ => Outcome::failed("it closed the connection within its answer"),
        }
    }

    fn receive_body(&mut self, mut bytes: &[u8]) -> Option<Outcome> {
        loop {
            let (_, decoder) = self.body.as_mut()?;
            if decoder.is_done() {
                let (head, _) = self.body.take()?;
                // Bytes after the answer to the only request: what they are, nobody knows.
                let reusable = head.persists && bytes.is_empty() && self.unsent().is_empty();
                return Some(self.complete(head, reusable));
            }
            if bytes.is_empty() {
                return None;
            }
            let step = match decoder.step(bytes) {
                Ok(step) => step,
                Err(BodyError::TooLarge) => return Some(Outcome::failed(TOO_LONG)),
                Err(BodyError::Malformed | BodyError::Overhead) => {
                    return Some(Outcome::failed("the chunks of its answer are malformed"));
                }
            };
            bytes = &bytes[step.used..];
            if self.content.try_reserve(step.content.len()).is_err() {
                return Some(Outcome::OUT_OF_MEMORY);
            }
            self.content.extend_from_slice(step.content);
        }
    }

    fn complete(&mut self, head: ResponseHead, reusable: bool) -> Outcome {
        let end = End::Response(head, mem::take(&mut self.content));
        Outcome { end, reusable, alive: true }
    }
}

impl Outcome {
    /// That is this node's fault: whoever was asked is fine.
    const OUT_OF_MEMORY: Self = Self { end: End::OutOfMemory, reusable: false, alive: true };

    /// No response, or none to make sense of.
    pub(crate) fn failed(cause: &'static str) -> Self {
        Self { end: End::Failed(cause), reusable: false, alive: false }
    }

    pub(crate) fn timed_out() -> Self {
        Self { end: End::TimedOut, reusable: false, alive: false }
    }

    /// What it comes to for a load, and where that went wrong.
    pub(crate) fn load(&self, from: Kind) -> (Result<Load, LoadError>, &'static str) {
        let failed = match from {
            Kind::Origin => LoadError::Failed,
            Kind::Peer => LoadError::PeerDown,
        };
        let (head, content) = match &self.end {
            End::Response(head, content) => (head, content),
            End::Failed(cause) => return (Err(failed), cause),
            End::OutOfMemory => return (Err(LoadError::OutOfMemory), NO_MEMORY),
            End::TimedOut => {
                let is_peer = from == Kind::Peer;
                let error = if is_peer { LoadError::PeerDown } else { LoadError::TimedOut };
                return (Err(error), TOO_LATE);
            }
        };
        match (from, head.status) {
            (_, 200) if head.is_encoded => (Err(failed), "its answer has a Content-Encoding"),
            (_, 200) => match value(content) {
                Ok(value) => {
                    // What comes from the origin is new to us, however long another cache had it.
                    let age = if from == Kind::Peer { head.age } else { 0 };
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
        }
    }

    /// What it comes to for a write that a peer was to do, and where that went wrong.
    pub(crate) fn write(&self) -> (Result<(), Error>, &'static str) {
        let head = match &self.end {
            End::Response(head, _) => head,
            End::Failed(cause) => return (Err(Error::Failed), cause),
            End::OutOfMemory => return (Err(Error::Failed), NO_MEMORY),
            End::TimedOut => return (Err(Error::TimedOut), TOO_LATE),
        };
        match head.status {
            204 => (Ok(()), ""),
            413 => (Err(Error::TooLarge), "the value is too large for it"),
            401 | 403 => (Err(Error::Failed), "it has another secret"),
            405 => (Err(Error::Failed), "it does not allow writes"),
            404 => (Err(Error::Failed), "it has no such group"),
            _ => (Err(Error::Failed), "its answer is not 204"),
        }
    }
}

/// The bytes of a request for a key, with content where the method has some. One for a peer is
/// marked.
///
/// # Errors
/// If there is no memory for them.
pub(crate) fn request(
    method: &str,
    target: &Target,
    key: &[u8],
    mark: Option<&str>,
    content: Option<&[u8]>,
) -> Result<Vec<u8>, OutOfMemory> {
    /// The lines that are always the same, and the length of the content.
    const REST: usize = 256;
    let content_len = content.map_or(0, <[u8]>::len);
    let names = target.path.len() + target.authority.len() + mark.map_or(0, str::len);
    let mut request = room(REST + names + 3 * key.len() + content_len)?;
    let mut say = |text: &str| request.extend_from_slice(text.as_bytes());
    say(method);
    say(" ");
    say(&target.path);
    encode(key).for_each(|char| say(char.encode_utf8(&mut [0; 4])));
    say(" HTTP/1.1\r\nHost: ");
    say(&target.authority);
    say("\r\nUser-Agent: gocache\r\nAccept-Encoding: identity\r\n");
    if let Some(mark) = mark {
        [PEER_FIELD, ": ", mark, "\r\n"].into_iter().for_each(&mut say);
    }
    if content.is_some() {
        ["Content-Length: ", &content_len.to_string(), "\r\n"].into_iter().for_each(&mut say);
    }
    say("\r\n");
    request.extend_from_slice(content.unwrap_or_default());
    Ok(request)
}
