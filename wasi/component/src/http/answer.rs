//! Answers: from the outcome of a `get` to status, fields and content.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use gocache_core::{
    Error, Found, Status, Value,
    http::{CacheStatus, Extent, etag, matches},
};

use super::question::Question;

const TEXT_PLAIN: &str = "text/plain; charset=utf-8";

/// A response to a GET. Hosts add `Date`, and leave the content out of the response to a HEAD.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// By its status it has none.
    None,
    Bytes(Vec<u8>),
    /// A part of a value, which may be the whole.
    Value(Value, Range<usize>),
}

impl Answer {
    fn new(status: Status) -> Self {
        Self { status: status.code(), fields: Vec::new(), content: Content::None }
    }

    fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_string(), value.as_ref().to_vec()));
        self
    }

    /// A line of text.
    pub(crate) fn line(status: Status, line: impl Into<String>) -> Self {
        let answer = Self::text(status, line);
        match status {
            Status::ServiceUnavailable => answer.field("retry-after", "1"),
            Status::MethodNotAllowed => answer.field("allow", "GET, HEAD"),
            _ => answer,
        }
    }

    fn text(status: Status, line: impl Into<String>) -> Self {
        let text = line.into() + "\n";
        let length = text.len().to_string();
        let answer = Self { content: Content::Bytes(text.into_bytes()), ..Self::new(status) };
        answer.field("content-type", TEXT_PLAIN).field("content-length", length)
    }

    /// To the outcome of a `get`.
    pub(crate) fn outcome(
        result: Result<Found, Error>,
        cache: CacheStatus,
        question: &Question,
        content_type: &str,
    ) -> Self {
        match result {
            Ok(found) => Self::found(found, cache, question, content_type),
            Err(Error::NotFound) => {
                let line = format!("{} not exist", question.key.escape_ascii());
                Self::text(Status::NotFound, line).field("cache-status", cache.of_none())
            }
            Err(error) => Self::line(error.into(), error.to_string()),
        }
    }

    /// A value, or what of it was asked for. If-None-Match comes first (RFC 9110, 13.2.2).
    fn found(
        Found { value, age }: Found,
        cache: CacheStatus,
        question: &Question,
        content_type: &str,
    ) -> Self {
        let (digest, len) = (value.digest(), value.len());
        let validated = |answer: Self| {
            let answer = answer.field("etag", etag(digest)).field("cache-status", cache.of_value());
            match age {
                Some(age) => answer.field("age", age.as_secs().to_string()),
                None => answer,
            }
        };
        if question.if_none_match.as_ref().is_some_and(|tags| matches(tags, digest)) {
            return validated(Self::new(Status::NotModified));
        }
        let wanted = question.wanted.as_ref();
        let (status, range) = match wanted.map(|wanted| wanted.extent(|| digest, len)) {
            None | Some(Extent::Whole) => (Status::Ok, 0..len),
            Some(Extent::Part(range)) => (Status::PartialContent, range),
            Some(Extent::Unsatisfiable) => {
                let line = format!("the value has {len} bytes and none of this range");
                let answer = Self::text(Status::RangeNotSatisfiable, line);
                let answer = answer.field("content-range", format!("bytes */{len}"));
                return answer.field("cache-status", cache.of_value());
            }
        };
        let answer = Self::new(status)
            .field("accept-ranges", "bytes")
            .field("content-type", content_type)
            .field("content-length", range.len().to_string());
        let answer = match status {
            Status::PartialContent => {
                let part = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                answer.field("content-range", part)
            }
            _ => answer,
        };
        Self { content: Content::Value(value, range), ..validated(answer) }
    }

    /// That the settings are wrong. Nobody but who set the host up can mend it, and there is no log.
    pub(crate) fn misconfigured(wrong: &str) -> Self {
        Self::line(Status::InternalServerError, wrong)
    }
}

impl Content {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::None => &[],
            Self::Bytes(bytes) => bytes,
            Self::Value(value, range) => &value[range.clone()],
        }
    }
}
