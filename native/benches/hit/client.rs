//! The load: a closed loop over non-blocking connections that counts answers by their bytes.
//!
//! One thread, as little work for an answer as possible: the client must not be what is measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustls::ClientConnection;

use crate::server::Target;
use crate::speech::excerpt;

const EVENTS_MAX: usize = 256;
const READ_BYTES: usize = 256 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Caches warm up and connections get going before the clock starts.
const WARM_UP: Duration = Duration::from_millis(50);
/// The last answers of a sample arrive within this.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
const STALLED_AFTER: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Loads `target` for `length` and returns its answers per second.
pub(crate) fn sample(
    target: &Target,
    connections: usize,
    in_flight: usize,
    length: Duration,
) -> io::Result<f64> {
    let mut client = Client::connect(target, connections, in_flight)?;
    client.run_until(Instant::now() + WARM_UP)?;
    let begin = Instant::now();
    let answers = client.run_until(begin + length)?;
    let seconds = begin.elapsed().as_secs_f64();
    client.drain()?;
    Ok(answers as f64 / seconds)
}

struct Client<'a> {
    target: &'a Target,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// All requests of a connection, for one write.
    batch: Vec<u8>,
    in_flight: usize,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

struct Connection {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    /// Answers still to come for the requests sent.
    due: usize,
    /// Bytes that arrived of the answer under way.
    at: usize,
}

impl<'a> Client<'a> {
    /// Opens all connections and sends the first requests on each.
    fn connect(target: &'a Target, connections: usize, in_flight: usize) -> io::Result<Self> {
        let mut client = Self {
            target,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(connections),
            batch: target.request.repeat(in_flight),
            in_flight,
            buffer: vec![0; READ_BYTES],
            events: Vec::with_capacity(EVENTS_MAX),
        };
        for index in 0..connections {
            let mut stream = TcpStream::connect_timeout(&target.address, CONNECT_TIMEOUT)?;
            stream.set_nodelay(true)?;
            let mut tls = target.secure.as_ref().map(|secure| secure.connect()).transpose()?;
            if let Some(tls) = &mut tls {
                tls.complete_io(&mut stream)?;
            }
            stream.set_nonblocking(true)?;
            let interest = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            let data = EventData::new_u64(index as u64);
            epoll::add(&client.epoll, &stream, data, interest)?;
            client.connections.push(Connection { stream, tls, due: 0, at: 0 });
        }
        for connection in &mut client.connections {
            connection.send(&client.batch, in_flight)?;
        }
        Ok(client)
    }

    /// Asks again wherever all answers are in, until `deadline`; returns the answers that came.
    fn run_until(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut answers = 0;
        while Instant::now() < deadline {
            answers += self.turn(true)?;
        }
        Ok(answers)
    }

    /// Takes the answers under way and asks no more, so that no server sees a broken connection.
    fn drain(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN_WITHIN;
        while self.connections.iter().any(|connection| connection.due > 0) {
            if Instant::now() > deadline {
                return Err(io::Error::other("some answers never came"));
            }
            self.turn(false)?;
        }
        Ok(())
    }

    fn turn(&mut self, ask_again: bool) -> io::Result<usize> {
        let events = spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, events, Some(&STALLED_AFTER))?;
        if self.events.is_empty() {
            return Err(io::Error::other("no answer for two seconds"));
        }
        let mut answers = 0;
        for event in self.events.drain(..) {
            let token = event.data.u64();
            let index = usize::try_from(token).expect("a token is an index of a connection");
            let connection = &mut self.connections[index];
            answers += connection.receive(&mut self.buffer, self.target)?;
            if connection.due == 0 && ask_again {
                connection.send(&self.batch, self.in_flight)?;
            }
        }
        Ok(answers)
    }
}

impl Connection {
    fn send(&mut self, batch: &[u8], in_flight: usize) -> io::Result<()> {
        let Self { stream, tls, .. } = self;
        let sent = match tls {
            None => stream.write(batch)? == batch.len(),
            Some(tls) => {
                tls.writer().write_all(batch)?;
                tls.write_tls(stream)?;
                !tls.wants_write()
            }
        };
        if !sent {
            return Err(io::Error::other("the server's socket took half a request"));
        }
        self.due = in_flight;
        Ok(())
    }

    /// Reads all that is there and returns the answers it completes.
    fn receive(&mut self, buffer: &mut [u8], target: &Target) -> io::Result<usize> {
        let due_before = self.due;
        loop {
            let got = match self.read(buffer) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.check(&buffer[..got], target)?;
            // A short read emptied the socket; a closed one answers the next write or read.
            if got < buffer.len() && self.tls.is_none() {
                break;
            }
        }
        Ok(due_before - self.due)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { stream, tls: Some(tls), .. } = self else { return self.stream.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                got => return got,
            }
            tls.read_tls(stream)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Walks over the answers in `bytes`: each begins as it should, and none comes unasked.
    fn check(&mut self, bytes: &[u8], target: &Target) -> io::Result<()> {
        let prefix = target.prefix;
        let mut rest = bytes;
        while !rest.is_empty() {
            let begins = prefix.len().saturating_sub(self.at).min(rest.len());
            let as_expected = rest[..begins] == prefix[self.at.min(prefix.len())..][..begins];
            if self.due == 0 || !as_expected {
                let wrong = format!(
                    "expected {}, then {} bytes in all; got {}",
                    excerpt(prefix),
                    target.answer.len(),
                    excerpt(rest)
                );
                return Err(io::Error::other(wrong));
            }
            let step = rest.len().min(target.answer.len() - self.at);
            rest = &rest[step..];
            self.at += step;
            if self.at == target.answer.len() {
                self.at = 0;
                self.due -= 1;
            }
        }
        Ok(())
    }
}
