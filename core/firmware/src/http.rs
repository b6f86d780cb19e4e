//! gocache speaks HTTP in a microcontroller, without sockets: requests come in as bytes, their answers
//! go out as bytes, over whatever line the chip has. Here that is semihosting: QEMU's own input and
//! output, be they pipes or a socket.
//!
//! ```text
//! printf 'GET /_gocache/squares/12 HTTP/1.1\r\n\r\n' | cargo run --release --bin http
//! ```
//!
//! A line cannot be closed: what is no request that this program understands takes all with it that has
//! come by then.
#![no_std]
#![no_main]

#[path = "flash/region.rs"]
mod region;

use core::{mem::MaybeUninit, panic::PanicInfo, str};

use cortex_m_rt::entry;
use gocache_core::{
    DEFAULT_BASE, Getter, Group, Instant, LoadError, Loader, Route, Seed, Settings, Status, Value,
};
use httparse::{EMPTY_HEADER, Request};
use semihosting::{
    eprintln,
    io::{self, Read, Write},
    process,
};

/// The longest head of a request.
const HEAD_BYTES: usize = 1 << 10;
const FIELDS: usize = 16;

#[entry]
fn main() -> ! {
    // The runtime hands it out once, as `&'static mut`.
    static mut RAM: [MaybeUninit<u8>; 16 << 10] = [MaybeUninit::uninit(); 16 << 10];
    let settings = Settings { budget: region::claim(RAM) / 4 * 3, ..Settings::default() };
    let group = Group::new("squares", settings, Seed::new(0x5eed)).expect("the region has room");
    match serve(&group.with_getter(square)) {
        Ok(()) => process::exit(0),
        Err(error) => panic!("the line is broken: {error}"),
    }
}

/// A panic ends the run with its message and a code; a product would reset here.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(1)
}

/// The source of truth, for want of a sensor.
fn square(key: &[u8]) -> Result<Value, LoadError> {
    let number = str::from_utf8(key).ok().and_then(|key| key.parse::<u32>().ok());
    let square = u64::from(number.ok_or(LoadError::NotFound)?).pow(2);
    let mut text = [0; 20];
    let mut rest = &mut text[..];
    write!(rest, "{square}").map_err(|_| LoadError::Failed)?;
    let unused = rest.len();
    Ok(Value::new(&text[..text.len() - unused])?)
}

/// Answers one request after the other, until the line ends.
fn serve<G: Getter>(squares: &Loader<G>) -> io::Result<()> {
    let (mut input, mut output) = (io::stdin()?, io::stdout()?);
    let mut bytes = [0; HEAD_BYTES];
    let mut len = 0;
    loop {
        while let Some(head) = Head::read(&bytes[..len]) {
            let taken = answer(&head, squares, &mut output)?;
            bytes.copy_within(taken..len, 0);
            len -= taken;
        }
        match input.read(&mut bytes[len..])? {
            0 => return Ok(()),
            more => len += more,
        }
    }
}

/// The head at the front of some bytes.
struct Head<'a> {
    /// All that is left of them where they are no request that we understand.
    len: usize,
    is_head: bool,
    target: Result<&'a str, Status>,
}

impl<'a> Head<'a> {
    /// `None`: more bytes are needed.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = [EMPTY_HEADER; FIELDS];
        let mut request = Request::new(&mut fields);
        let refused = |status| Self { len: bytes.len(), is_head: false, target: Err(status) };
        let len = match request.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(_) if bytes.len() < HEAD_BYTES => return None,
            Ok(_) | Err(httparse::Error::TooManyHeaders) => {
                return Some(refused(Status::RequestHeaderFieldsTooLarge));
            }
            Err(_) => return Some(refused(Status::BadRequest)),
        };
        let has_body = |name: &str| {
            ["content-length", "transfer-encoding"].iter().any(|it| it.eq_ignore_ascii_case(name))
        };
        Some(match (request.method, request.path) {
            _ if request.headers.iter().any(|field| has_body(field.name)) => {
                refused(Status::ContentTooLarge)
            }
            (Some(method @ ("GET" | "HEAD")), Some(target)) => {
                Self { len, is_head: method == "HEAD", target: Ok(target) }
            }
            _ => refused(Status::MethodNotAllowed),
        })
    }
}

/// Answers a request. Says how many bytes it had.
fn answer<G: Getter>(
    head: &Head<'_>,
    squares: &Loader<G>,
    output: &mut impl Write,
) -> io::Result<usize> {
    let hits = squares.group().stats().hits;
    let found = head.target.and_then(|target| {
        let route = Route::parse(DEFAULT_BASE, target.as_bytes())?;
        if *route.group != *squares.group().name() {
            return Err(Status::NotFound);
        }
        Ok(squares.get(&route.key, Instant::ZERO)?)
    });
    let status = found.as_ref().err().copied().unwrap_or(Status::Ok);
    let body = found.as_deref().unwrap_or(status.reason().as_bytes());
    write!(output, "HTTP/1.1 {} {}\r\n", status.code(), status.reason())?;
    write!(output, "Content-Type: text/plain\r\nContent-Length: {}\r\n", body.len())?;
    if status == Status::MethodNotAllowed {
        write!(output, "Allow: GET, HEAD\r\n")?;
    }
    let state = if squares.group().stats().hits > hits { "hit" } else { "fwd=miss" };
    write!(output, "Cache-Status: gocache; {state}\r\n\r\n")?;
    output.write_all(if head.is_head { b"" } else { body })?;
    Ok(head.len)
}
