//! Questions: what a request asks for, or why it cannot be answered.

use alloc::{format, string::ToString, vec::Vec};

use gocache_core::{
    Route, Status,
    http::{RangeFields, Wanted},
};

use super::answer::Answer;

/// What of a method matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// Another one of RFC 9110 or RFC 5789.
    Known,
    Unknown,
}

/// What of the fields of a request matters: the values of the lines of each.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) if_none_match: Vec<Vec<u8>>,
    pub(crate) range: Vec<Vec<u8>>,
    pub(crate) if_range: Vec<Vec<u8>>,
}

/// A value, or a part of one, that is asked for.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) group: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) if_none_match: Option<Vec<u8>>,
    pub(crate) wanted: Option<Wanted>,
}

impl Question {
    pub(crate) fn read(
        base: &str,
        method: Method,
        target: &str,
        fields: &Fields,
    ) -> Result<Self, Answer> {
        if method == Method::Unknown {
            return Err(Answer::line(Status::NotImplemented, "this method is not known here"));
        }
        let route = Route::parse(base, target.as_bytes());
        let route = route.map_err(|error| Answer::line(error.into(), error.to_string()))?;
        if method == Method::Known {
            return Err(Answer::line(Status::MethodNotAllowed, "a key has GET and HEAD only"));
        }
        let mut parts = RangeFields::default();
        // A HEAD has no parts (RFC 9110, 14.2).
        if method == Method::Get {
            fields.range.iter().for_each(|line| parts.add_range(line));
            fields.if_range.iter().for_each(|line| parts.add_if_range(line));
        }
        Ok(Self {
            group: route.group.into_owned(),
            key: route.key.into_owned(),
            if_none_match: (!fields.if_none_match.is_empty())
                .then(|| fields.if_none_match.join(b", ".as_slice())),
            wanted: parts.wanted(),
        })
    }

    /// That the group is not there.
    pub(crate) fn no_such_group(&self) -> Answer {
        Answer::line(Status::NotFound, format!("no such group: {}", self.group.escape_ascii()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn read(method: Method, target: &str, fields: &Fields) -> Result<Question, u16> {
        Question::read("/_gocache/", method, target, fields).map_err(|answer| answer.status)
    }

    #[test]
    fn a_request_for_a_key_is_one() {
        let question = read(Method::Get, "/_gocache/g/a%2Fb?x", &Fields::default());
        let question = question.expect("a key");
        assert_eq!((&*question.group, &*question.key), (&b"g"[..], &b"a/b"[..]));
        assert!(question.if_none_match.is_none() && question.wanted.is_none());
    }

    #[test]
    fn lines_of_one_field_are_one_list() {
        let fields =
            Fields { if_none_match: vec![b"\"a\"".into(), b"\"b\"".into()], ..Fields::default() };
        let question = read(Method::Get, "/_gocache/g/k", &fields).expect("a key");
        assert_eq!(question.if_none_match.as_deref(), Some(&b"\"a\", \"b\""[..]));
    }

    #[test]
    fn parts_are_of_a_get() {
        let fields = Fields { range: vec![b"bytes=0-1".into()], ..Fields::default() };
        assert!(read(Method::Get, "/_gocache/g/k", &fields).expect("a key").wanted.is_some());
        assert!(read(Method::Head, "/_gocache/g/k", &fields).expect("a key").wanted.is_none());
    }

    #[test]
    fn what_is_no_question_has_a_status_of_its_own() {
        for (method, target, status) in [
            (Method::Unknown, "/_gocache/g/k", 501),
            (Method::Known, "/_gocache/g/k", 405),
            (Method::Known, "/x", 404),
            (Method::Get, "", 404),
            (Method::Get, "/_gocache/g", 400),
            (Method::Get, "/_gocache/g/%", 400),
        ] {
            let refused = read(method, target, &Fields::default()).expect_err(target);
            assert_eq!(refused, status, "{method:?} {target}");
        }
    }
}
