//! Any server under test: a child process that becomes ready and is probed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cases::Payload;
use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(5);
const RETRY_EVERY: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What the client needs to know to load a server.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
    /// One whole answer to `request`; all others have its length.
    pub(crate) answer: Vec<u8>,
    /// What every answer begins with.
    pub(crate) prefix: &'static [u8],
}

/// A running server. Another one to compare with is another function that returns this.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// The path of a key in this server's URLs, before the key.
    pub(crate) base: &'static str,
    /// Configuration and data; removed after the process is gone, hence last.
    pub(crate) _files: TempDir,
}

impl Server {
    /// Waits until the port accepts and the value comes back.
    pub(crate) fn wait_until_ready(&mut self, payload: &Payload) -> io::Result<()> {
        let begin = Instant::now();
        loop {
            let Err(error) = self.probe(payload) else {
                return Ok(());
            };
            if let Some(status) = self.process.0.try_wait()? {
                let gone = format!("{} ended before it was ready: {status}", self.name);
                return Err(io::Error::other(gone));
            }
            if begin.elapsed() > READY_WITHIN {
                let late = format!("{} not ready in {READY_WITHIN:?}: {error}", self.name);
                return Err(io::Error::other(late));
            }
            thread::sleep(RETRY_EVERY);
        }
    }

    /// The value as a target. The first answer may tell of a miss; the ones after it must agree.
    pub(crate) fn target(&self, payload: &Payload) -> io::Result<Target> {
        self.probe(payload)?;
        let answer = self.probe(payload)?;
        let again = self.probe(payload)?;
        if answer.len() != again.len() {
            let differ = format!(
                "{}: hits differ in length, {} and {} bytes: {}",
                self.name,
                answer.len(),
                again.len(),
                excerpt(&again)
            );
            return Err(io::Error::other(differ));
        }
        Ok(Target {
            address: self.address,
            request: self.request(payload),
            answer,
            prefix: b"HTTP/1.1 200",
        })
    }

    fn request(&self, payload: &Payload) -> Vec<u8> {
        format!("GET {}{} HTTP/1.1\r\nHost: {}\r\n\r\n", self.base, payload.key, self.address)
            .into_bytes()
    }

    /// One GET on a connection of its own; returns the whole answer if it is the value.
    fn probe(&self, payload: &Payload) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address, PROBE_TIMEOUT)?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        stream.write_all(&self.request(payload))?;

        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < HEAD_BYTES_MAX {
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        let length = format!("content-length: {}\r\n", payload.bytes);
        let head = String::from_utf8_lossy(&answer).to_lowercase();
        if !head.starts_with("http/1.1 200") || !head.contains(&length) {
            let wrong = format!("wanted 200 and {length:?}, got {}", excerpt(&answer));
            return Err(io::Error::other(wrong));
        }
        let head_bytes = answer.len();
        answer.resize(head_bytes + payload.bytes, 0);
        stream.read_exact(&mut answer[head_bytes..])?;
        if answer[head_bytes..] != payload.value() {
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
