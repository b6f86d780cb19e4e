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

const OK_TO_DATE: &[u8] = b"HTTP/1.1 200 OK\r\nDate: ";

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
        if status == Status::Ok {
            out.extend_from_slice(OK_TO_DATE);
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

    /// The last field: the length of the content.
    #[inline(always)]
    pub(crate) fn end_with_length(self, len: usize) {
        const NAME: &[u8; 16] = b"Content-Length: ";
        const END: &[u8; 4] = b"\r\n\r\n";
        const LONGEST: usize = NAME.len() + LONGEST_NUMBER + END.len();
        // Written from its end, and moved at once.
        let mut field = [0; 2 * LONGEST];
        field[LONGEST - END.len()..LONGEST].copy_from_slice(END);
        let digits = &mut field[..LONGEST - END.len()];
        let start = write_digits(digits, len as u64) - NAME.len();
        field[start..start + NAME.len()].copy_from_slice(NAME);
        let end = self.0.len() + LONGEST - start;
        self.0.extend_from_slice(&field[start..start + LONGEST]);
        self.0.truncate(end);
    }

    /// The type of content that can be had in parts. `Accept-Ranges` (RFC 9110, 14.3) tells a
    /// client whose download was cut that it need not begin anew.
    pub(crate) fn content(self, content_type: &[u8]) -> Self {
        self.field("Accept-Ranges: bytes\r\nContent-Type", content_type)
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
        let mut field = *b"ETag: \"0123456789abcdef\"\r\n";
        field[6..24].copy_from_slice(&etag(digest));
        self.0.extend_from_slice(&field);
        self
    }

    pub(crate) fn end(self) {
        self.0.extend_from_slice(b"\r\n");
    }
}

/// How the head of a hit begins, kept ready: all but its date is the same for a whole group.
#[derive(Debug)]
pub(crate) struct HitHead(Vec<u8>);

impl HitHead {
    pub(crate) fn new(content_type: &[u8], cache_status: &[u8], date: &[u8; DATE_LEN]) -> Self {
        let mut head = Vec::new();
        AnswerHead::begin(&mut head, Status::Ok, date, Persist::Keep)
            .content(content_type)
            .field("Cache-Status", cache_status);
        Self(head)
    }

    pub(crate) fn set_date(&mut self, date: &[u8; DATE_LEN]) {
        let place = self.0.get_mut(OK_TO_DATE.len()..OK_TO_DATE.len() + DATE_LEN);
        place.into_iter().for_each(|place| place.copy_from_slice(date));
    }

    #[inline]
    pub(crate) fn write<'a>(&self, out: &'a mut Vec<u8>) -> AnswerHead<'a> {
        out.extend_from_slice(&self.0);
        AnswerHead(out)
    }
}

const LONGEST_NUMBER: usize = 20;

/// Appends a number in decimal.
fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; LONGEST_NUMBER];
    let start = write_digits(&mut digits, value);
    out.extend_from_slice(&digits[start..]);
}

/// Writes a number in decimal that ends where `digits` do. Says where it starts.
#[inline(always)]
fn write_digits(digits: &mut [u8], mut value: u64) -> usize {
    let mut start = digits.len();
    while start > 0 {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    start
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
    fn a_head_that_is_kept_ready_is_one_that_is_written() {
        let dates = [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Mon, 07 Nov 1994 08:49:37 GMT"];
        let mut ready = HitHead::new(b"text/plain", b"gocache; hit", dates[0]);
        for date in dates {
            ready.set_date(date);
            let (mut written, mut expected) = (Vec::new(), Vec::new());
            ready.write(&mut written).end();
            AnswerHead::begin(&mut expected, Status::Ok, date, Persist::Keep)
                .content(b"text/plain")
                .field("Cache-Status", b"gocache; hit")
                .end();
            assert_eq!(written, expected);
        }
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
