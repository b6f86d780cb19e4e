//! The floor: a bare epoll loop that finds the ends of heads and answers fixed bytes to each.
//!
//! It parses nothing and looks nothing up: what it does, every HTTP server on epoll has to do.
//! It is a process of its own, as the servers beside it are, and sends as many bytes as they do.

use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::cores::Cores;
use crate::process::Process;
use crate::server::Target;

/// First argument of the bench when it is the floor.
pub(crate) const ROLE: &str = "--floor";

const LISTENER: u64 = u64::MAX;
const BACKLOG: i32 = 1024;
const EVENTS_MAX: usize = 256;
const READ_BYTES: usize = 64 << 10;
const REPLY_BYTES: usize = 1 << 20;
const HEADS_A_WRITE_MAX: usize = 64;
/// Without a client for so long, the bench is gone.
const IDLE_MAX: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

const HEAD_END: &[u8; 4] = b"\r\n\r\n";
/// The most bytes of an unfinished head that can belong to its end.
const TAIL_MAX: usize = HEAD_END.len() - 1;

/// Starts the floor with the answer of `like`, and returns how to load it.
pub(crate) fn start(like: &Target, cores: &Cores) -> io::Result<(Process, Target)> {
    let loops = cores.loops().to_string();
    let mut process = Process::spawn(env::current_exe()?, &[ROLE, &loops], cores, |command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped())
    })?;
    let (Some(mut input), Some(output)) = (process.0.stdin.take(), process.0.stdout.take()) else {
        unreachable!("both were asked for as pipes");
    };
    input.write_all(&like.answer)?;
    drop(input);
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    let address = address
        .trim()
        .parse()
        .map_err(|_| io::Error::other(format!("the floor did not start: {address:?}")))?;
    let target = Target {
        address,
        secure: None,
        request: like.request.clone(),
        answer: like.answer.clone(),
        prefix: like.prefix,
    };
    Ok((process, target))
}

/// The floor itself, on so many loops: the answer comes on stdin, the address goes to stdout.
pub(crate) fn serve(loops: &[String]) -> io::Result<()> {
    let loops: usize = loops.iter().find_map(|it| it.parse().ok()).unwrap_or(1);
    let mut answer = Vec::new();
    io::stdin().read_to_end(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::other("the floor got no answer to give"));
    }
    let first = listen((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = first.local_addr()?;
    let others = (1..loops).map(|_| listen(address)).collect::<io::Result<Vec<_>>>()?;
    println!("{address}");
    thread::scope(|scope| {
        for listener in others {
            scope.spawn(|| answer_all(listener, &answer));
        }
        answer_all(first, &answer)
    })
}

/// One loop's socket of all that share the address.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One loop.
fn answer_all(listener: TcpListener, answer: &[u8]) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let replies = Replies::new(answer);
    let mut connections = Slab::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut events = Vec::with_capacity(EVENTS_MAX);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), Some(&IDLE_MAX))?;
        if events.is_empty() {
            return Ok(());
        }
        for event in events.drain(..) {
            let token = event.data.u64();
            if token == LISTENER {
                accept(&listener, &epoll, &mut connections)?;
                continue;
            }
            let index = usize::try_from(token).expect("a token is an index of the slab");
            let connection: &mut Connection = &mut connections[index];
            let flags = event.flags;
            if connection.turn(flags, &mut buffer, &replies).is_err() {
                connections.remove(index);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    epoll: impl rustix::fd::AsFd,
    connections: &mut Slab<Connection>,
) -> io::Result<()> {
    let stream = match listener.accept() {
        Ok((stream, _)) => stream,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let entry = connections.vacant_entry();
    // Edge-triggered and for both directions at once: no call but wait, read and write from here.
    let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
    epoll::add(epoll, &stream, EventData::new_u64(entry.key() as u64), interest)?;
    entry.insert(Connection {
        stream,
        tail: [0; TAIL_MAX],
        tail_bytes: 0,
        owed_bytes: 0,
        sent_bytes: 0,
    });
    Ok(())
}

/// The answer, repeated, so that several go out in one write.
struct Replies {
    bytes: Vec<u8>,
    one: usize,
}

impl Replies {
    fn new(answer: &[u8]) -> Self {
        let times = (REPLY_BYTES / answer.len()).clamp(1, HEADS_A_WRITE_MAX);
        Self { bytes: answer.repeat(times), one: answer.len() }
    }
}

struct Connection {
    stream: TcpStream,
    /// The last bytes of an unfinished head: its end may straddle two reads.
    tail: [u8; TAIL_MAX],
    tail_bytes: usize,
    owed_bytes: usize,
    /// Of the answer that is on its way.
    sent_bytes: usize,
}

impl Connection {
    /// Reads what is there and answers it; an error means that the connection is over.
    fn turn(&mut self, flags: EventFlags, buffer: &mut [u8], replies: &Replies) -> io::Result<()> {
        let closing = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        if !flags.contains(EventFlags::IN) && !closing {
            return self.flush(replies);
        }
        loop {
            buffer[..self.tail_bytes].copy_from_slice(&self.tail[..self.tail_bytes]);
            let room = buffer.len() - self.tail_bytes;
            let got = match self.stream.read(&mut buffer[self.tail_bytes..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let heads = self.scan(&buffer[..self.tail_bytes + got]);
            self.owed_bytes += heads * replies.one;
            self.flush(replies)?;
            // A short read emptied the socket; only its end would not announce itself again.
            if got < room && !closing {
                return Ok(());
            }
        }
    }

    /// Counts the heads that end in `bytes` and keeps what may begin the end of the next.
    fn scan(&mut self, bytes: &[u8]) -> usize {
        let mut heads = 0;
        let mut rest = bytes;
        while let Some(end) = head_end(rest) {
            heads += 1;
            rest = &rest[end..];
        }
        let tail = &rest[rest.len() - rest.len().min(TAIL_MAX)..];
        self.tail[..tail.len()].copy_from_slice(tail);
        self.tail_bytes = tail.len();
        heads
    }

    fn flush(&mut self, replies: &Replies) -> io::Result<()> {
        while self.owed_bytes > 0 {
            let end = replies.bytes.len().min(self.sent_bytes + self.owed_bytes);
            match self.stream.write(&replies.bytes[self.sent_bytes..end]) {
                Ok(sent) => {
                    self.owed_bytes -= sent;
                    self.sent_bytes = (self.sent_bytes + sent) % replies.one;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where the first head of `bytes` ends. Horspool's search: most steps skip four bytes.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut last = HEAD_END.len() - 1;
    while last < bytes.len() {
        last += match bytes[last] {
            b'\n' if bytes[last - 3..last] == HEAD_END[..3] => return Some(last + 1),
            b'\n' => 2,
            b'\r' => 1,
            _ => 4,
        };
    }
    None
}
