//! What the origin can be told to do with a key, and the bytes that this makes.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the origin does when a key is asked for.
#[derive(Clone)]
pub(crate) enum Reply {
    /// 200 with these bytes.
    Value(Vec<u8>),
    /// 200 with the bytes of the key itself, as they arrived here.
    Echo,
    /// 404.
    NotFound,
    /// These bytes instead of an answer, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes as an answer, after which the connection stays open.
    RawKept(Vec<u8>),
    /// 200 with these bytes in chunks of various sizes.
    Chunked(Vec<u8>),
    /// The same after a while.
    After(Duration, Box<Reply>),
    /// The same as soon as the test opens the gate.
    Held(Gate, Box<Reply>),
    /// Never an answer.
    Hang,
}

impl Reply {
    pub(crate) fn value(bytes: impl AsRef<[u8]>) -> Self {
        Self::Value(bytes.as_ref().to_vec())
    }

    /// An answer with a status that is neither 200 nor 404.
    pub(crate) fn status(code: u16) -> Self {
        let answer = format!("HTTP/1.1 {code} Scripted\r\nContent-Length: 6\r\n\r\nsecret");
        Self::RawKept(answer.into_bytes())
    }

    /// The end of the connection in place of an answer.
    pub(crate) fn close() -> Self {
        Self::Raw(Vec::new())
    }
}

/// Holds answers back until the test opens it; it opens by itself when the origin ends.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().expect("no gatekeeper panics") = true;
        self.0.1.notify_all();
    }

    pub(super) fn pass(&self) {
        let open = self.0.0.lock().expect("no gatekeeper panics");
        drop(self.0.1.wait_while(open, |open| !*open).expect("no gatekeeper panics"));
    }
}

pub(super) fn with_length(value: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", value.len());
    [head.as_bytes(), value].concat()
}

/// Chunks that grow, an extension and a trailer: all that the coding allows.
pub(super) fn in_chunks(value: &[u8]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let mut rest = value;
    let mut size = 1;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        bytes.extend_from_slice(format!("{:X};step=\"{size}\"\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = after;
        size *= 3;
    }
    bytes.extend_from_slice(b"0\r\nX-Checked: yes\r\n\r\n");
    bytes
}
