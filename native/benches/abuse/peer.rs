//! One connection to a server, by whom it is used well or badly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, Stream};
use socket2::{Domain, SockRef, Socket, Type};

use crate::secure::Secure;

/// A server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 << 10;

/// A request for a key.
pub(crate) fn request(key: &str) -> Vec<u8> {
    request_of("bench", key)
}

/// The same for a key of another group.
pub(crate) fn request_of(group: &str, key: &str) -> Vec<u8> {
    format!("GET /_gocache/{group}/{key} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes()
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// Its handshake goes on with what is sent and read.
    tls: Option<Box<ClientConnection>>,
    unread: Vec<u8>,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of all of it.
    pub(crate) bytes: usize,
    pub(crate) body: Vec<u8>,
}

/// What there is on a connection that does not block.
pub(crate) enum Heard {
    Nothing,
    Bytes(Vec<u8>),
    /// Closed or reset.
    End,
}

impl Peer {
    pub(crate) fn connect(to: SocketAddr) -> io::Result<Self> {
        Self::over(Socket::new(Domain::for_address(to), Type::STREAM, None)?, to)
    }

    /// One whose system takes no more than so many bytes for it.
    pub(crate) fn connect_narrow(to: SocketAddr, bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        socket.set_recv_buffer_size(bytes)?;
        Self::over(socket, to)
    }

    fn over(socket: Socket, to: SocketAddr) -> io::Result<Self> {
        socket.connect_timeout(&to.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, tls: None, unread: Vec::new() })
    }

    /// The same over TLS, if that is what the server speaks.
    pub(crate) fn secured(mut self, secure: Option<&Secure>) -> io::Result<Self> {
        self.tls = secure.map(Secure::connect).transpose()?.map(Box::new);
        Ok(self)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    /// A value that is there.
    pub(crate) fn get(&mut self, key: &str) -> io::Result<Answer> {
        self.send(&request(key))?;
        let answer = self.answer()?;
        match answer.status {
            200 => Ok(answer),
            status => Err(io::Error::other(format!("{status} for {key}"))),
        }
    }

    /// A page of the operations plane.
    pub(crate) fn page(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes())?;
        self.answer().map(|answer| answer.body)
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(answer) = self.take_answer()? {
                return Ok(answer);
            }
            match self.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn take_answer(&mut self) -> io::Result<Option<Answer>> {
        let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|end| end + 4) else {
            return match self.unread.len() {
                0..HEAD_BYTES_MAX => Ok(None),
                _ => Err(io::Error::other("a head without end")),
            };
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let (Some(status), Some(length)) = (status, length.and_then(|it| it.parse::<usize>().ok()))
        else {
            return Err(io::Error::other(format!("no answer: {head:?}")));
        };
        let bytes = end + length;
        if self.unread.len() < bytes {
            return Ok(None);
        }
        let body = self.unread[end..bytes].to_vec();
        self.unread.drain(..bytes);
        Ok(Some(Answer { status, bytes, body }))
    }

    /// What has come meanwhile, up to so many bytes, on a connection that does not block.
    pub(crate) fn hear(&mut self, most: usize) -> Heard {
        let mut buffer = vec![0; most];
        match self.read(&mut buffer) {
            Ok(0) => Heard::End,
            Ok(count) => {
                buffer.truncate(count);
                Heard::Bytes(buffer)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            Err(_) => Heard::End,
        }
    }

    /// Goes without a farewell.
    pub(crate) fn reset(self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read(buffer),
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).read(buffer),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => Stream::new(&mut **tls, &mut self.stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
