//! A client that sends exactly the bytes it is told to and reads the answers one by one.
//!
//! It reads no further than the answer it is asked for and keeps the rest, so whatever stands
//! between two answers is found by the next one. Every read has a bound: a server that keeps silent
//! fails the test instead of hanging it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use super::answer::{Answer, Asked, escaped};
use super::patience::PATIENCE;
use super::site::TOKEN;
use super::stream::Stream;

/// A plain request for a key of the group that every test has.
pub(crate) fn get(key: &str) -> String {
    format!("GET /_gocache/scores/{key} HTTP/1.1\r\nHost: gocache\r\n\r\n")
}

/// The same for its fields alone.
pub(crate) fn head(key: &str) -> String {
    format!("HEAD /_gocache/scores/{key} HTTP/1.1\r\nHost: gocache\r\n\r\n")
}

/// A write by one who may, with these further field lines.
pub(crate) fn write(method: &str, key: &str, fields: &str, body: &str) -> String {
    format!(
        "{method} /_gocache/scores/{key} HTTP/1.1\r\nHost: gocache\r\n\
         Authorization: Bearer {TOKEN}\r\n{fields}\r\n{body}"
    )
}

pub(crate) fn put(key: &str, value: &str) -> String {
    write("PUT", key, &format!("Content-Length: {}\r\n", value.len()), value)
}

pub(crate) fn delete(key: &str) -> String {
    write("DELETE", key, "", "")
}

pub(crate) struct Client {
    stream: Stream,
    sent: Vec<u8>,
    unread: Vec<u8>,
    was_reset: bool,
    /// TLS ended without the word that says so.
    was_cut: bool,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::over(Stream::Plain(Self::dial(to)))
    }

    /// A client that speaks TLS.
    #[track_caller]
    pub(crate) fn connect_tls(to: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::over(Stream::secure(Self::dial(to), config))
    }

    #[track_caller]
    fn dial(to: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(to).expect("the server accepts connections");
        // Segments leave as the test cuts them, not as Nagle would join them.
        stream.set_nodelay(true).expect("a fresh socket takes options");
        stream.set_read_timeout(Some(PATIENCE)).expect("a fresh socket takes options");
        stream.set_write_timeout(Some(PATIENCE)).expect("a fresh socket takes options");
        stream
    }

    /// What lies under all this, to say or do something that no client should.
    pub(crate) fn socket(&mut self) -> &TcpStream {
        self.stream.socket()
    }

    fn over(stream: Stream) -> Self {
        Self { stream, sent: Vec::new(), unread: Vec::new(), was_reset: false, was_cut: false }
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.stream.certificate().expect("the handshake is over")
    }

    /// Sends what the server must be willing to take.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let taken = self.offer(bytes);
        assert!(taken, "\n  sent: {}\n  expected: the server reads on\n", escaped(&self.sent));
        self
    }

    /// Sends what the server may refuse by closing: whether it all went out.
    pub(crate) fn offer(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.sent.extend_from_slice(bytes.as_ref());
        self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Says that nothing more will come, and keeps listening.
    pub(crate) fn finish_sending(&mut self) -> &mut Self {
        // A server that has already gone away is found by the next read, with a better message.
        let _ = self.stream.finish();
        self
    }

    #[track_caller]
    pub(crate) fn get(&mut self, key: &str) -> Answer {
        self.send(get(key)).answer()
    }

    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to(Asked::Get)
    }

    #[track_caller]
    pub(crate) fn answer_to(&mut self, asked: Asked) -> Answer {
        match self.next_answer(asked) {
            Ok(Some(answer)) => answer,
            Ok(None) => panic!("{}", self.complaint("an answer", "the end of the connection")),
            Err(error) => panic!("{}", self.complaint("an answer", &error)),
        }
    }

    /// Nothing more comes: the server closes.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        match self.next_answer(Asked::Get) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                panic!("{}", self.complaint("the end of the connection", &answer.to_string()))
            }
            Err(error) => panic!("{}", self.complaint("the end of the connection", &error)),
        }
    }

    /// The same, and the server was patient: it did not cut off what it had been sent.
    #[track_caller]
    pub(crate) fn end_without_reset(&mut self) {
        self.end();
        assert!(!self.was_reset, "{}", self.complaint("the end of the connection", "a reset"));
        assert!(!self.was_cut, "{}", self.complaint("close_notify", "the end without it"));
    }

    /// All that is still to come until the server closes, as answers to GET.
    #[track_caller]
    pub(crate) fn answers_to_the_end(&mut self) -> Vec<Answer> {
        match self.try_answers_to_the_end() {
            Ok(answers) => answers,
            Err(error) => panic!("{}", self.complaint("answers and then the end", &error)),
        }
    }

    /// The same for one who has more to say about a failure.
    pub(crate) fn try_answers_to_the_end(&mut self) -> Result<Vec<Answer>, String> {
        let mut answers: Vec<Answer> = Vec::new();
        loop {
            match self.next_answer(Asked::Get) {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => return Ok(answers),
                Err(error) => {
                    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
                    return Err(format!("{statuses:?}, then {error}"));
                }
            }
        }
    }

    /// The next answer, `None` at a clean end, or what is wrong with what came.
    pub(crate) fn next_answer(&mut self, asked: Asked) -> Result<Option<Answer>, String> {
        loop {
            if !self.unread.is_empty() {
                let parsed = Answer::parse(&self.unread, asked);
                let parsed =
                    parsed.map_err(|error| format!("{error}: {}", escaped(&self.unread)))?;
                if let Some((mut answer, length)) = parsed {
                    self.unread.drain(..length);
                    answer.sent = escaped(&self.sent);
                    return Ok(Some(answer));
                }
            }
            match self.read_more() {
                Ok(true) => {}
                Ok(false) if self.unread.is_empty() => return Ok(None),
                Ok(false) => {
                    return Err(format!("cut within an answer: {}", escaped(&self.unread)));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for a key that there is, again and again and so many times at once, until the server
    /// closes. All answers are whole, and the last one says that it is the last. (Who has been answered
    /// and asks a moment too late finds nobody.)
    pub(crate) fn ask_until_closed(mut self, key: &str, at_once: usize, answered: &AtomicUsize) {
        let asked = get(key).repeat(at_once);
        loop {
            self.offer(&asked);
            for nth in 0..at_once {
                let answer = self.next_answer(Asked::Get).expect("a whole one, or the end");
                let Some(answer) = answer else {
                    assert_eq!(nth, 0, "the end, and nothing had said so");
                    return;
                };
                let is_last = answer.status(200).says("close");
                answered.fetch_add(1, Ordering::Relaxed);
                if is_last {
                    return self.end();
                }
            }
        }
    }

    /// Reads up to `limit` bytes as they come, without looking at them: how many, 0 at the end of
    /// the connection.
    pub(crate) fn swallow(&mut self, limit: usize) -> usize {
        let mut taken = std::mem::take(&mut self.unread).len();
        let mut buffer = vec![0; limit];
        while taken < limit {
            match self.stream.read(&mut buffer[..limit - taken]) {
                Ok(0) | Err(_) => break,
                Ok(count) => taken += count,
            }
        }
        taken
    }

    /// Whether nothing comes for so long, neither bytes nor the end.
    pub(crate) fn silent_for(&mut self, wait: Duration) -> bool {
        assert!(self.unread.is_empty(), "read what has come before asking for silence");
        let mut byte = [0];
        self.stream.socket().set_read_timeout(Some(wait)).expect("a socket takes a timeout");
        let silent = match self.stream.read(&mut byte) {
            Ok(count) => {
                self.unread.extend_from_slice(&byte[..count]);
                false
            }
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.stream.socket().set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        silent
    }

    /// `false` at the end, which a reset also is: the peer is gone and nothing more will come.
    fn read_more(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.unread.extend_from_slice(&buffer[..count]);
                    return Ok(true);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::UnexpectedEof => {
                        self.was_cut = true;
                        return Ok(false);
                    }
                    ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe => {
                        self.was_reset = true;
                        return Ok(false);
                    }
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        let so_far = escaped(&self.unread);
                        return Err(format!("silence for {PATIENCE:?} after {so_far}"));
                    }
                    _ => return Err(error.to_string()),
                },
            }
        }
    }

    fn complaint(&self, expected: &str, got: &str) -> String {
        let sent = escaped(&self.sent);
        format!("\n  sent: {sent}\n  expected: {expected}\n  got: {got}\n")
    }
}
