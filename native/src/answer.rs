//! Answers: what a request is owed, from the outcome of a `get` to the bytes of a response.

mod value;

use std::{borrow::Cow, time::Duration};

use gocache_core::{Error, Found, GroupId, Status, http::CacheStatus};

use self::value::Content;
pub(crate) use self::value::write_lent;
use crate::{
    http1::{AnswerHead, BodyError, CONTINUE, Persist, Reject, Wanted},
    memory::escaped,
    meter::{Outcome, Tally},
    output::{HEAD, Output},
    turn::Turn,
};

/// The form that a request asks its answer to have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) head_only: bool,
    pub(crate) persist: Persist,
}

impl Form {
    pub(crate) const fn whole(persist: Persist) -> Self {
        Self { head_only: false, persist }
    }
}

/// A response, but for what its request has to say about its form.
#[derive(Debug)]
pub(crate) enum Answer {
    Value {
        found: Found,
        group: GroupId,
        cache: CacheStatus,
        content: Content,
    },
    /// There is a value of this length, which has none of the bytes that were asked for.
    Unsatisfiable {
        len: usize,
        cache: CacheStatus,
    },
    Text(Text),
    /// A write is done.
    Done,
    /// Not an answer yet: a word to go on.
    Continue,
}

/// One line, or a page of the operations plane.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) status: Status,
    pub(crate) content_type: &'static str,
    pub(crate) body: Cow<'static, str>,
    /// A field that goes with the status.
    pub(crate) field: Option<(&'static str, &'static str)>,
}

impl Text {
    /// In place of a text that there is no memory to send.
    const NO_MEMORY: Self = Self {
        status: Status::ServiceUnavailable,
        content_type: TEXT_PLAIN,
        body: Cow::Borrowed("out of memory, try again later\n"),
        field: Some(RETRY),
    };

    pub(crate) fn plain(status: Status, text: String) -> Self {
        Self { status, content_type: TEXT_PLAIN, body: Cow::Owned(text), field: None }
    }
}

const RETRY: (&str, &str) = ("Retry-After", "1");

pub(crate) const TEXT_PLAIN: &str = "text/plain; charset=utf-8";

impl Answer {
    /// One line.
    pub(crate) fn line(status: Status, line: impl Into<String>) -> Self {
        let field = match status {
            Status::ServiceUnavailable => Some(RETRY),
            Status::MethodNotAllowed => Some(("Allow", "GET, HEAD")),
            Status::Unauthorized => Some(("WWW-Authenticate", "Bearer realm=\"gocache\"")),
            Status::UnsupportedMediaType => Some(("Accept-Encoding", "identity")),
            _ => None,
        };
        Self::Text(Text { field, ..Text::plain(status, line.into() + "\n") })
    }

    /// That a key has other methods only.
    pub(crate) fn not_allowed(is_writable: bool) -> Self {
        if !is_writable {
            return Self::line(Status::MethodNotAllowed, "a key has GET and HEAD only");
        }
        Self::Text(Text {
            status: Status::MethodNotAllowed,
            content_type: TEXT_PLAIN,
            body: Cow::Borrowed("a key has GET, HEAD, PUT and DELETE only\n"),
            field: Some(("Allow", "GET, HEAD, PUT, DELETE")),
        })
    }

    #[inline(always)]
    pub(crate) fn value(
        found: Found,
        group: GroupId,
        cache: CacheStatus,
        if_none_match: Option<&[u8]>,
        wanted: Option<&Wanted>,
    ) -> Self {
        let value = &found.value;
        match Content::of(value.len(), &|| value.digest(), if_none_match, wanted) {
            Some(content) => Self::Value { found, group, cache, content },
            None => Self::Unsatisfiable { len: found.value.len(), cache },
        }
    }

    pub(crate) fn error(error: Error, key: &[u8], cache: CacheStatus) -> Self {
        if error != Error::NotFound {
            return Self::failed(error);
        }
        match escaped("", key, " not exist\n") {
            Ok(text) => {
                let field = Some(("Cache-Status", cache.of_none()));
                Self::Text(Text { field, ..Text::plain(Status::NotFound, text) })
            }
            Err(error) => Self::failed(error.into()),
        }
    }

    /// One line about an error that needs no key.
    pub(crate) fn failed(error: Error) -> Self {
        if error == Error::OutOfMemory {
            return Self::Text(Text::NO_MEMORY);
        }
        Self::line(Status::from(error), error.to_string())
    }

    /// Bytes that it holds beyond a value, which the cache holds anyway.
    pub(crate) fn weight(&self) -> usize {
        let text = match self {
            Self::Text(text) => text.body.len(),
            Self::Value { .. } | Self::Unsatisfiable { .. } | Self::Done | Self::Continue => 0,
        };
        size_of::<Self>() + text
    }

    pub(crate) fn body_error(error: BodyError, limit: u64) -> Self {
        match error {
            BodyError::Malformed => Self::line(Status::BadRequest, "the chunked body is malformed"),
            BodyError::Overhead => {
                let text = "the chunked body has too many extensions or trailers";
                Self::line(Status::BadRequest, text)
            }
            BodyError::TooLarge => {
                let text = format!("the request body is longer than {limit} bytes");
                Self::line(Status::ContentTooLarge, text)
            }
        }
    }

    /// Appends the bytes of the response.
    pub(crate) fn write(self, out: &mut Output, turn: &Turn<'_>, form: Form) {
        let Form { head_only, persist } = form;
        let date = turn.clock.date();
        let count = |status| turn.tally.meter.answer(status);
        match self {
            Self::Continue => out.write(|out| out.extend_from_slice(CONTINUE)),
            Self::Done => {
                out.write(|out| AnswerHead::begin(out, Status::NoContent, date, persist).end());
            }
            Self::Text(text) => {
                let text = if out.reserve(HEAD + text.body.len()) { text } else { Text::NO_MEMORY };
                count(text.status);
                out.write(|out| {
                    let head = AnswerHead::begin(out, text.status, date, persist)
                        .field("Content-Type", text.content_type.as_bytes())
                        .number_field("Content-Length", text.body.len() as u64);
                    match text.field {
                        Some((name, value)) => head.field(name, value.as_bytes()).end(),
                        None => head.end(),
                    }
                    if !head_only {
                        out.extend_from_slice(text.body.as_bytes());
                    }
                });
            }
            Self::Unsatisfiable { len, cache } => out.write(|out| {
                count(Status::RangeNotSatisfiable);
                let line = format!("the value has {len} bytes and none of this range\n");
                AnswerHead::begin(out, Status::RangeNotSatisfiable, date, persist)
                    .field("Content-Type", TEXT_PLAIN.as_bytes())
                    .number_field("Content-Length", line.len() as u64)
                    .no_content_range(len)
                    .field("Cache-Status", cache.of_value().as_bytes())
                    .end();
                out.extend_from_slice(line.as_bytes());
            }),
            Self::Value { found, group, cache, content } => {
                value::write(out, (found, group), cache, content, turn, form);
            }
        }
    }
}

impl From<Reject> for Answer {
    fn from(reject: Reject) -> Self {
        Self::line(reject.status, reject.text)
    }
}

/// What an answer needs that waits for a load.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) serial: u32,
    /// When its request was taken up.
    pub(crate) began: Duration,
    pub(crate) group: GroupId,
    pub(crate) key: Box<[u8]>,
    pub(crate) if_none_match: Option<Box<[u8]>>,
    pub(crate) wanted: Option<Wanted>,
    pub(crate) cache: CacheStatus,
}

impl Pending {
    /// Bytes that it holds.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.key.len()
            + self.if_none_match.as_ref().map_or(0, |tags| tags.len())
    }

    pub(crate) fn settle(&self, result: Result<Found, Error>, tally: &Tally) -> Answer {
        tally.answered(self.group, Outcome::of(&result, self.cache), self.began);
        match result {
            Ok(found) => {
                let (tags, wanted) = (self.if_none_match.as_deref(), self.wanted.as_ref());
                Answer::value(found, self.group, self.cache, tags, wanted)
            }
            Err(error) => Answer::error(error, &self.key, self.cache),
        }
    }
}
