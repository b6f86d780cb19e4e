//! The fields of a request that matter here, and what they say together.

use std::borrow::Cow;

use gocache_core::{
    Error, Status,
    http::{RangeFields, list, number},
};
use httparse::Header;

use super::{Body, request::Reject, write::Persist, writes::WriteFields};
use crate::memory::room;

/// The field by which a node says that it is one.
pub(crate) const PEER_FIELD: &str = "Gocache-Peer";

/// The fields that matter, as they are read line by line.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) hosts: usize,
    pub(super) host: &'a [u8],
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    pub(super) expects_continue: bool,
    pub(super) if_none_match: Option<Cow<'a, [u8]>>,
    pub(super) rare: Option<Box<RareFields<'a>>>,
    pub(super) peer_secret: Option<&'a [u8]>,
}

/// What few requests have, in a box for all are moved.
#[derive(Debug, Default)]
pub(super) struct RareFields<'a> {
    pub(super) range: RangeFields<'a>,
    pub(super) write: WriteFields<'a>,
}

/// The transfer codings of a message, across all its field lines.
#[derive(Default)]
struct Codings {
    present: bool,
    chunked: bool,
    others: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn read(&mut self, header: &Header<'a>) -> Result<(), Reject> {
        let Header { name, value } = *header;
        // Most fields of most requests matter here to nobody: their length alone says so.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                self.hosts += 1;
                self.host = value;
            }
            5 if name.eq_ignore_ascii_case("range") => self.rare().range.add_range(value),
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue |=
                    list(value).any(|each| each.eq_ignore_ascii_case(b"100-continue"));
            }
            8 if name.eq_ignore_ascii_case("if-range") => self.rare().range.add_if_range(value),
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in list(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            12 if name.eq_ignore_ascii_case(PEER_FIELD) => self.peer_secret = Some(value),
            13 if name.eq_ignore_ascii_case("if-none-match") => self.add_if_none_match(value)?,
            14 if name.eq_ignore_ascii_case("content-length") => self.add_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.codings.add(value)?,
            _ => {}
        }
        Ok(())
    }

    #[cold]
    pub(super) fn rare(&mut self) -> &mut RareFields<'a> {
        self.rare.get_or_insert_default()
    }

    fn add_if_none_match(&mut self, value: &'a [u8]) -> Result<(), Reject> {
        self.if_none_match = Some(match self.if_none_match.take() {
            None => Cow::Borrowed(value),
            Some(list) => {
                let parts = [&list, b", ".as_slice(), value];
                let both = room(parts.iter().map(|part| part.len()).sum());
                let mut both = both.map_err(|error| {
                    Reject::new(Status::ServiceUnavailable, Error::from(error).to_string())
                })?;
                parts.into_iter().for_each(|part| both.extend_from_slice(part));
                Cow::Owned(both)
            }
        });
        Ok(())
    }

    /// One field line of digits. A second one or a list, equal or not, is refused: nobody sends it
    /// in good faith.
    fn add_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.length.is_some() {
            return Err(Reject::bad("Content-Length stands there more than once"));
        }
        let length = number(value).ok_or_else(|| Reject::bad("Content-Length is no number"))?;
        self.length = Some(length);
        Ok(())
    }

    pub(super) fn persist(&self, is_1_1: bool) -> Persist {
        match (is_1_1, self.close, self.keep_alive) {
            (_, true, _) | (false, _, false) => Persist::Close,
            (true, ..) => Persist::Keep,
            (false, _, true) => Persist::KeepSaid,
        }
    }

    /// RFC 9112, 6.3.
    pub(super) fn body(&self, is_1_1: bool) -> Result<Body, Reject> {
        if !self.codings.present {
            return Ok(self.length.map_or(Body::Empty, Body::Length));
        }
        if self.length.is_some() {
            return Err(Reject::bad("both Content-Length and Transfer-Encoding are there"));
        }
        if !is_1_1 {
            return Err(Reject::bad("HTTP/1.0 has no Transfer-Encoding"));
        }
        match (self.codings.chunked, self.codings.others) {
            (true, false) => Ok(Body::Chunked),
            (true, true) => Err(unknown_coding()),
            (false, _) => Err(Reject::bad("the last transfer coding is not chunked")),
        }
    }
}

impl Codings {
    fn add(&mut self, value: &[u8]) -> Result<(), Reject> {
        self.present = true;
        for coding in list(value) {
            if self.chunked {
                return Err(Reject::bad("chunked is not the last transfer coding"));
            }
            let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
            if is(b"chunked") {
                self.chunked = true;
            } else if [b"gzip".as_slice(), b"x-gzip", b"deflate", b"compress", b"x-compress"]
                .into_iter()
                .any(is)
            {
                self.others = true;
            } else {
                return Err(unknown_coding());
            }
        }
        Ok(())
    }
}

fn unknown_coding() -> Reject {
    Reject::new(Status::NotImplemented, "no transfer coding but chunked is known here")
}
