//! memcached, which is asked in its own protocol and filled by us.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use super::Stand;
use crate::cases::PAYLOADS;
use crate::server::Server;
use crate::speech::Speech;

const LISTENS_WITHIN: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn start(stand: Stand<'_>) -> io::Result<Server> {
    let address = stand.address;
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let (loops, largest) = (stand.cores.loops().to_string(), "2m");
    let mut arguments =
        vec!["-l", &host, "-p", &port, "-U", "0", "-t", &loops, "-m", "256", "-I", largest];
    // It does not run as root unless it is told to.
    if geteuid().is_root() {
        arguments.extend(["-u", "root"]);
    }
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    let server = stand.run("memcached", &arguments, Speech::Memcached)?;
    let begin = Instant::now();
    let mut stream = loop {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => break stream,
            Err(error) if begin.elapsed() > LISTENS_WITHIN => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    stream.set_read_timeout(Some(TIMEOUT))?;
    for payload in &PAYLOADS {
        write!(stream, "set {} 0 0 {}\r\n", payload.key, payload.bytes)?;
        stream.write_all(&payload.value())?;
        stream.write_all(b"\r\n")?;
        let mut answer = [0; 8];
        stream.read_exact(&mut answer)?;
        if answer != *b"STORED\r\n" {
            return Err(io::Error::other(format!("{} is not stored", payload.key)));
        }
    }
    Ok(server)
}
