//! The heads of answers: fixed parts and numbers, appended to a buffer without formatting.

use std::ops::Range;

use gocache_core::{Status, http::etag};

use crate::clock::DATE_LEN;

/// The interim answer to who waits before sending a body (RFC 9110, 15.2.1).
pub(crate) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Whether the connection lives on after an answer, and whether the answer says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persist {
    Keep,
    /// To an HTTP/1.0 client, which takes silence for a close.
    KeepSaid,
    Close,
}

/// Most heads are shorter, so that their parts need to make no room.
const USUAL_HEAD: usize = 256;

/// Writes one head, field by field. What is inlined here turns names into a few moves each.
pub(crate) struct AnswerHead<'a>(&'a mut Vec<u8>);

impl<'a> AnswerHead<'a> {
    /// The status line and the fields that every answer has.
    #[inline]
    pub(crate) fn begin(
        out: &'a mut Vec<u8>,
        status: Status,
        date: &[u8; DATE_LEN],
        persist: Persist,
    ) -> Self {
        out.reserve(USUAL_HEAD);
        if status == Status::Ok {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\nDate: ");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            number(out, u64::from(status.code()));
            out.push(b' ');
            out.extend_from_slice(status.reason().as_bytes());
            out.extend_from_slice(b"\r\nDate: ");
        }
        out.extend_from_slice(date);
        match persist {
            Persist::Keep => out.extend_from_slice(b"\r\n"),
            Persist::KeepSaid => out.extend_from_slice(b"\r\nConnection: keep-alive\r\n"),
            Persist::Close => out.extend_from_slice(b"\r\nConnection: close\r\n"),
        }
        Self(out)
    }

    #[inline(always)]
    pub(crate) fn field(self, name: &str, value: &[u8]) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    #[inline(always)]
    pub(crate) fn number_field(self, name: &str, value: u64) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
        number(self.0, value);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// The fields of content that can be had in parts. `Accept-Ranges` (RFC 9110, 14.3) tells a
    /// client whose download was cut that it need not begin anew; it costs a hit a few moves, for
    /// it is one constant with the name after it.
    #[inline(always)]
    pub(crate) fn content(self, content_type: &[u8], len: usize) -> Self {
        self.field("Accept-Ranges: bytes\r\nContent-Type", content_type)
            .number_field("Content-Length", len as u64)
    }

    /// Which bytes of a value of `len` bytes these are, of which there is at least one (RFC 9110,
    /// 14.4).
    pub(crate) fn content_range(self, range: &Range<usize>, len: usize) -> Self {
        self.0.extend_from_slice(b"Content-Range: bytes ");
        number(self.0, range.start as u64);
        self.0.push(b'-');
        number(self.0, range.end as u64 - 1);
        self.0.push(b'/');
        number(self.0, len as u64);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// That a value of `len` bytes has none of the range (RFC 9110, 14.4).
    pub(crate) fn no_content_range(self, len: usize) -> Self {
        self.0.extend_from_slice(b"Content-Range: bytes */");
        number(self.0, len as u64);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// A strong validator of 16 hexadecimal digits.
    #[inline]
    pub(crate) fn etag(self, digest: u64) -> Self {
        self.0.extend_from_slice(b"ETag: ");
        self.0.extend_from_slice(&etag(digest));
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn end(self) {
        self.0.extend_from_slice(b"\r\n");
    }
}

/// Appends a number in decimal.
fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_what_it_should_be() {
        let mut out = Vec::new();
        AnswerHead::begin(
            &mut out,
            Status::NotFound,
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            Persist::Close,
        )
        .field("Content-Type", b"text/plain")
        .number_field("Content-Length", 120)
        .content_range(&(10..130), 1_000)
        .no_content_range(10)
        .etag(0x0123_4567_89ab_cdef)
        .end();
        let expected = "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                        Connection: close\r\nContent-Type: text/plain\r\nContent-Length: 120\r\n\
                        Content-Range: bytes 10-129/1000\r\nContent-Range: bytes */10\r\n\
                        ETag: \"0123456789abcdef\"\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 9, 10, 1_048_576, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().into_bytes());
        }
    }
}
