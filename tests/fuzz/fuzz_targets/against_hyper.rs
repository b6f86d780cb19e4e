//! Another reader of HTTP/1.1 is given the same bytes: where it sees fewer requests, one of ours would
//! be smuggled past it. (That it sees more is no danger: we refuse what is in doubt.)
#![no_main]

use std::{
    cell::Cell,
    convert::Infallible,
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let ours = gocache::check::requests(input);
    let (theirs, refused) = requests(input);
    // Who refuses and closes sees nothing of what follows, but only where it may refuse.
    assert!(
        ours <= theirs || refused && (names_a_newer_version(input) || has_empty_codings(input)),
        "{ours} requests, and hyper sees {theirs}: {}",
        input.escape_ascii()
    );
});

/// We take HTTP/1.2 for HTTP/1.1, as RFC 9110, 2.5 wants it, and hyper refuses it.
fn names_a_newer_version(input: &[u8]) -> bool {
    input.windows(8).any(|eight| eight.starts_with(b"HTTP/1.") && matches!(eight[7], b'2'..=b'9'))
}

/// We pass over empty elements of a list, as RFC 9110, 5.6.1.2 wants it, and hyper refuses a
/// `Transfer-Encoding` that ends in one.
fn has_empty_codings(input: &[u8]) -> bool {
    const NAME: &[u8] = b"transfer-encoding:";
    input.split(|&byte| byte == b'\n').any(|line| {
        let value = line.split_at_checked(NAME.len());
        let value = value.filter(|(name, _)| name.eq_ignore_ascii_case(NAME));
        let last = value.and_then(|(_, value)| value.rsplit(|&byte| byte == b',').next());
        last.is_some_and(|last| last.trim_ascii().is_empty())
    })
}

/// How many of them hyper sees, and whether it refuses the next.
fn requests(input: &[u8]) -> (usize, bool) {
    let Some((_, bytes)) = input.split_first() else { return (0, false) };
    let seen = Cell::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        seen.set(seen.get() + 1);
        async move {
            let mut body = pin!(request.into_body());
            while let Some(Ok(_)) = std::future::poll_fn(|at| body.as_mut().poll_frame(at)).await {}
            Ok::<_, Infallible>(Response::new(String::new()))
        }
    });
    let mut server = http1::Builder::new();
    server.half_close(true).header_read_timeout(None);
    let mut serving = pin!(server.serve_connection(Whole(bytes), service));
    let mut context = Context::from_waker(Waker::noop());
    // All bytes are there, so that it waits for nothing but itself.
    for _ in 0..10_000 {
        if let Poll::Ready(ended) = serving.as_mut().poll(&mut context) {
            return (seen.get(), ended.is_err_and(|error| error.is_parse()));
        }
    }
    (seen.get(), false)
}

/// A connection on which these bytes have come, and the end.
struct Whole<'a>(&'a [u8]);

impl Read for Whole<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (next, rest) = self.0.split_at(self.0.len().min(into.remaining()));
        into.put_slice(next);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

impl Write for Whole<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
