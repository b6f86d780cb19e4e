//! Any server under test: a child process that becomes ready and is probed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustls::StreamOwned;
use tempfile::TempDir;

use crate::payload::Payload;
use crate::process::Process;
use crate::secure::Secure;
use crate::speech::{Speech, excerpt};

const READY_WITHIN: Duration = Duration::from_secs(5);
const RETRY_EVERY: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the client needs to know to load a server.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) secure: Option<Secure>,
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
    /// It speaks TLS.
    pub(crate) secure: Option<Secure>,
    pub(crate) speech: Speech,
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
            secure: self.secure.clone(),
            request: self.speech.request(self.address, payload),
            answer,
            prefix: self.speech.prefix(),
        })
    }

    /// One GET on a connection of its own; returns the whole answer if it is the value.
    fn probe(&self, payload: &Payload) -> io::Result<Vec<u8>> {
        let stream = TcpStream::connect_timeout(&self.address, PROBE_TIMEOUT)?;
        stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
        match &self.secure {
            None => self.probe_over(stream, payload),
            Some(secure) => self.probe_over(StreamOwned::new(secure.connect()?, stream), payload),
        }
    }

    fn probe_over(&self, mut stream: impl Read + Write, payload: &Payload) -> io::Result<Vec<u8>> {
        stream.write_all(&self.speech.request(self.address, payload))?;
        self.speech.read(&mut stream, payload)
    }
}
