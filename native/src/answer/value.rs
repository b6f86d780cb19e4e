//! Answers with a value: how much of it they have, their heads, and their bytes.

use std::{ops::Range, time::Duration};

use gocache_core::{
    Found, GroupId, Status,
    http::{CacheStatus, matches},
};

use super::{Answer, Form};
use crate::{
    asks::Lent,
    http1::{AnswerHead, Extent, Persist, Wanted},
    output::{INLINE, Output},
    turn::Turn,
};

/// How much of its value an answer has.
#[derive(Debug)]
pub(crate) enum Content {
    Whole,
    Part(Range<usize>),
    /// None of it: the client has it.
    NotModified,
}

impl Content {
    /// What a request wants of a value; `None` where the value does not have it.
    #[inline(always)]
    pub(super) fn of(
        len: usize,
        digest: &dyn Fn() -> u64,
        tags: Option<&[u8]>,
        wanted: Option<&Wanted>,
    ) -> Option<Self> {
        match (tags, wanted) {
            (None, None) => Some(Self::Whole),
            _ => Self::on_conditions(len, digest, tags, wanted),
        }
    }

    /// If-None-Match comes first (RFC 9110, 13.2.2): who has the value needs no part of it.
    #[inline(never)]
    fn on_conditions(
        len: usize,
        digest: &dyn Fn() -> u64,
        tags: Option<&[u8]>,
        wanted: Option<&Wanted>,
    ) -> Option<Self> {
        if tags.is_some_and(|tags| matches(tags, digest())) {
            return Some(Self::NotModified);
        }
        match wanted.map(|wanted| wanted.extent(digest, len)) {
            None | Some(Extent::Whole) => Some(Self::Whole),
            Some(Extent::Part(range)) => Some(Self::Part(range)),
            Some(Extent::Unsatisfiable) => None,
        }
    }
}

/// What the head of an answer says of its value.
#[derive(Clone, Copy)]
struct About {
    len: usize,
    digest: u64,
    age: Option<Duration>,
}

/// Appends a response with a value, or with a part or none of it.
#[inline(always)]
pub(super) fn write(
    out: &mut Output,
    (found, group): (Found, GroupId),
    cache: CacheStatus,
    content: Content,
    turn: &Turn<'_>,
    form: Form,
) {
    let Found { value, age } = found;
    let about = About { len: value.len(), digest: value.digest(), age };
    write_head(out, (about, group), cache, &content, turn, form);
    match content {
        Content::Whole if !form.head_only => out.push(value),
        Content::Part(range) if !form.head_only => out.push_part(value, range),
        _ => {}
    }
}

/// The same for a hit that is lent. What is too long to be copied behind its head is left to the
/// caller, who has it as long as it is lent.
pub(crate) fn write_lent<'a>(
    out: &mut Output,
    (lent, group): (Lent<'a>, GroupId),
    (tags, wanted): (Option<&[u8]>, Option<&Wanted>),
    turn: &Turn<'_>,
    form: Form,
) -> Option<&'a [u8]> {
    let (Lent { bytes, digest, age }, cache) = (lent, CacheStatus::Hit);
    let about = About { len: bytes.len(), digest, age };
    let Some(content) = Content::of(about.len, &|| digest, tags, wanted) else {
        Answer::Unsatisfiable { len: about.len, cache }.write(out, turn, form);
        return None;
    };
    write_head(out, (about, group), cache, &content, turn, form);
    let bytes = match content {
        _ if form.head_only => return None,
        Content::Whole => bytes,
        Content::Part(range) => &bytes[range],
        Content::NotModified => return None,
    };
    if bytes.len() > INLINE {
        return Some(bytes);
    }
    out.write(|out| out.extend_from_slice(bytes));
    None
}

#[inline(always)]
fn write_head(
    out: &mut Output,
    (About { len, digest, age }, group): (About, GroupId),
    cache: CacheStatus,
    content: &Content,
    turn: &Turn<'_>,
    Form { persist, .. }: Form,
) {
    let status = match content {
        Content::Part(_) => Status::PartialContent,
        Content::NotModified => Status::NotModified,
        Content::Whole => Status::Ok,
    };
    turn.tally.meter.answer(status);
    let date = turn.clock.date();
    let ready = match (content, cache, persist) {
        (Content::Whole, CacheStatus::Hit, Persist::Keep) => turn.recurring.hit(group),
        _ => None,
    };
    out.write(|out| {
        let head = match ready {
            Some(ready) => ready.write(out),
            None => {
                let head = AnswerHead::begin(out, status, date, persist);
                let head = match content {
                    Content::NotModified => head,
                    Content::Whole | Content::Part(_) => {
                        head.content(turn.config.numbered(group).content_type.as_bytes())
                    }
                };
                head.field("Cache-Status", cache.of_value().as_bytes())
            }
        };
        let head = head.etag(digest);
        let head = match age {
            Some(age) => head.number_field("Age", age.as_secs()),
            None => head,
        };
        match content {
            Content::Part(range) => {
                head.content_range(range, len).end_with_length(range.len());
            }
            Content::Whole => head.end_with_length(len),
            Content::NotModified => head.end(),
        }
    });
}
