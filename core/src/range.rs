//! The part of a value that a request asks for: Range and If-Range (RFC 9110, 13.1.5 and 14).

use core::ops::Range;

use crate::tag::{etag, list, number};

/// What stands in the fields, each of which says one thing: with a second line it says nothing.
#[derive(Debug, Default)]
pub struct RangeFields<'a> {
    range: Option<&'a [u8]>,
    if_range: Option<&'a [u8]>,
}

impl<'a> RangeFields<'a> {
    /// Takes a line of Range.
    pub fn add_range(&mut self, value: &'a [u8]) {
        self.range = Some(if self.range.is_some() { b"" } else { value });
    }

    /// Takes a line of If-Range.
    pub fn add_if_range(&mut self, value: &'a [u8]) {
        self.if_range = Some(if self.if_range.is_some() { b"" } else { value });
    }

    /// The part of a value that a GET with these fields wants; `None` where it is the whole. A Range
    /// that is malformed, of several ranges or in another unit may be ignored (RFC 9110, 14.2), and
    /// is.
    #[cold]
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        let of = match self.if_range {
            // The comparison is the strong one: neither a weak tag nor a date, nor anything else
            // but 18 bytes, can ever equal a tag of ours.
            Some(tag) => Some(tag.try_into().ok()?),
            None => None,
        };
        Some(Wanted { range: ByteRange::parse(self.range?)?, of })
    }
}

/// A part of a value, before it is known how long the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    range: ByteRange,
    /// Wanted of the value with this entity-tag only; of another one the whole is.
    of: Option<[u8; 18]>,
}

/// One range of bytes (RFC 9110, 14.1.2). What is beyond any length is as good as infinite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteRange {
    /// From one place to another, both included.
    Places(u64, u64),
    /// So many at the end.
    Suffix(u64),
}

/// How much of a value is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// At least one byte, all of them within the value.
    Part(Range<usize>),
    /// The value has none of the bytes that were asked for.
    Unsatisfiable,
}

impl Wanted {
    /// What it comes to for a value of this digest and length.
    pub fn extent(&self, digest: impl FnOnce() -> u64, len: usize) -> Extent {
        if self.of.is_some_and(|tag| tag != etag(digest())) {
            return Extent::Whole;
        }
        // A length is a number of bytes in memory, which 64 bits can count.
        let clip = |place: u64| usize::try_from(place).unwrap_or(len).min(len);
        match self.range {
            // All there is of an empty value, which has no byte that a Content-Range could name.
            ByteRange::Suffix(1..) if len == 0 => Extent::Whole,
            ByteRange::Suffix(count) => Extent::part(len - clip(count), len),
            ByteRange::Places(first, last) => {
                Extent::part(clip(first), clip(last.saturating_add(1)))
            }
        }
    }
}

impl Extent {
    fn part(start: usize, end: usize) -> Self {
        if start < end { Self::Part(start..end) } else { Self::Unsatisfiable }
    }
}

impl ByteRange {
    fn parse(value: &[u8]) -> Option<Self> {
        let (unit, set) = value.split_at_checked(6)?;
        // Names of units are not case-sensitive (RFC 9110, 14.1).
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let mut ranges = list(set);
        let (range, None) = (ranges.next()?, ranges.next()) else { return None };
        let dash = range.iter().position(|&byte| byte == b'-')?;
        match (&range[..dash], &range[dash + 1..]) {
            (b"", count) => Some(Self::Suffix(number(count)?)),
            (first, b"") => Some(Self::Places(number(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Places(first, last))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const DIGEST: u64 = 0xabc;

    fn extent(range: &str, len: usize) -> Extent {
        let fields = RangeFields { range: Some(range.as_bytes()), if_range: None };
        fields.wanted().map_or(Extent::Whole, |wanted| wanted.extent(|| DIGEST, len))
    }

    #[test]
    fn a_range_is_cut_to_the_value() {
        let huge = "9".repeat(60);
        for (range, len, expected) in [
            ("bytes=0-0", 10, 0..1),
            ("bytes=9-9", 10, 9..10),
            ("bytes=0-9", 10, 0..10),
            ("bytes=2-4", 10, 2..5),
            ("bytes=2-10", 10, 2..10),
            ("bytes=2-", 10, 2..10),
            ("bytes=-3", 10, 7..10),
            ("bytes=-10", 10, 0..10),
            ("bytes=-11", 10, 0..10),
            ("bytes=0002-0004", 10, 2..5),
            ("BYTES=2-4", 10, 2..5),
            ("bytes=,2-4 ,", 10, 2..5),
            ("bytes=9-18446744073709551615", 10, 9..10),
            (&format!("bytes=9-{huge}"), 10, 9..10),
            (&format!("bytes=-{huge}"), 10, 0..10),
        ] {
            assert_eq!(extent(range, len), Extent::Part(expected), "{range}");
        }
    }

    #[test]
    fn a_range_without_a_byte_of_the_value_cannot_be_satisfied() {
        let huge = format!("bytes={}-", "9".repeat(60));
        for (range, len) in [
            ("bytes=10-", 10),
            ("bytes=10-10", 10),
            ("bytes=11-12", 10),
            ("bytes=18446744073709551615-", 10),
            (&huge, 10),
            ("bytes=-0", 10),
            ("bytes=-0", 0),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
        ] {
            assert_eq!(extent(range, len), Extent::Unsatisfiable, "{range} of {len}");
        }
        assert_eq!(extent("bytes=-1", 0), Extent::Whole);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=1",
            "bytes=2-1",
            "bytes=0-1,3-4",
            "bytes=-1,0-0",
            "bytes=a-",
            "bytes=0-b",
            "bytes=0-0x1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=--1",
            "bytes=1 - 2",
            "bytes =1-2",
            "bytes:1-2",
            "lines=1-2",
            "byte=1-2",
            "1-2",
            "bytes=1-2-3",
            "bytes=1-2;q=1",
            "bytes=\u{661}-",
        ] {
            assert_eq!(extent(range, 10), Extent::Whole, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_value_is_not_cut_out_of_this_one() {
        let of = |tag: &str| {
            let if_range = Some(tag.as_bytes());
            let fields = RangeFields { range: Some(b"bytes=0-0"), if_range };
            fields.wanted().map_or(Extent::Whole, |wanted| wanted.extent(|| DIGEST, 10))
        };
        assert_eq!(of("\"0000000000000abc\""), Extent::Part(0..1));
        for tag in [
            "",
            "*",
            "\"\"",
            "0000000000000abc",
            "\"0000000000000ABC\"",
            "\"0000000000000abd\"",
            "W/\"0000000000000abc\"",
            "\"0000000000000abc\", \"x\"",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(of(tag), Extent::Whole, "{tag}");
        }
    }

    #[test]
    fn a_second_line_leaves_nothing_of_the_first() {
        let mut fields = RangeFields::default();
        assert_eq!(fields.wanted(), None);
        fields.add_range(b"bytes=0-0");
        assert!(fields.wanted().is_some());
        fields.add_range(b"bytes=0-0");
        assert_eq!(fields.wanted(), None);
        let mut fields = RangeFields { range: Some(b"bytes=0-0"), if_range: None };
        fields.add_if_range(b"\"0000000000000abc\"");
        assert!(fields.wanted().is_some());
        fields.add_if_range(b"\"0000000000000abc\"");
        assert_eq!(fields.wanted(), None);
    }
}
