//! `Route`: a request target <-> group and key, both ways.
//!
//! The target is split first and percent-decoded once afterwards (RFC 3986, 2.4), to bytes: `%2F`
//! is a byte of the key and no separator. Nothing else is done to it: no dot-segments are removed,
//! no slashes merged, `+` is a plus sign.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

/// The path under which a node serves its keys, unless configured otherwise.
pub const DEFAULT_BASE: &str = "/_gocache/";

/// The group and the key that a target names. Borrowed from it where it holds no `%`.
#[derive(Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// Up to the first slash after the base.
    pub group: Cow<'a, [u8]>,
    /// All that follows, up to `?` or the end.
    pub key: Cow<'a, [u8]>,
}

/// Why a target names no key. The client's fault, each of them but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// It does not begin with the base.
    OutsideBase,
    /// It ends before a group, or its group is empty.
    NoGroup,
    /// It ends before a key, or its key is empty.
    NoKey,
    /// At this byte stands a `%` without two hexadecimal digits.
    BadEscape(usize),
    /// At this byte stands a control character. (Percent-encoded it is a byte of the key.)
    Control(usize),
    /// There is no memory to decode it: try again a little later.
    OutOfMemory,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideBase => f.write_str("nothing is served under this path"),
            Self::NoGroup => f.write_str("the group is missing: the path is BASE/GROUP/KEY"),
            Self::NoKey => f.write_str("the key is missing: the path is BASE/GROUP/KEY"),
            Self::BadEscape(at) => write!(f, "bad percent-encoding at byte {at} of the target"),
            Self::Control(at) => write!(f, "control character at byte {at} of the target"),
            Self::OutOfMemory => f.write_str("out of memory, try again later"),
        }
    }
}

impl core::error::Error for RouteError {}

impl<'a> Route<'a> {
    /// Reads a target in origin-form or absolute-form (RFC 9112, 3.2). Only what is percent-encoded
    /// takes memory.
    ///
    /// # Errors
    /// If it names no key, or there is no memory for it.
    pub fn parse(base: &str, target: &'a [u8]) -> Result<Self, RouteError> {
        let path = path(target);
        let offset = target.len() - path.len();
        let rest = path.strip_prefix(base.as_bytes()).ok_or(RouteError::OutsideBase)?;
        let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?'));
        let (group, key) = rest.split_at(end.unwrap_or(rest.len()));
        if group.is_empty() {
            return Err(RouteError::NoGroup);
        }
        let key = key.strip_prefix(b"/").filter(|key| !matches!(key, [] | [b'?', ..]));
        let key = key.ok_or(RouteError::NoKey)?;
        let start = offset + base.len();
        Ok(Self { group: decode(group, start)?, key: decode(key, start + group.len() + 1)? })
    }

    /// The target of a key, such that `parse` reads the same group and key from it.
    pub fn target(base: &str, group: &[u8], key: &[u8]) -> impl Iterator<Item = char> {
        base.chars().chain(encode(group)).chain(['/']).chain(encode(key))
    }
}

/// The target from its path on: absolute-form has a scheme and an authority before it.
fn path(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return target;
    }
    let scheme = target.windows(3).position(|three| three == b"://");
    let Some(scheme) = scheme else { return target };
    let authority = &target[scheme + 3..];
    let end = authority.iter().position(|&byte| matches!(byte, b'/' | b'?'));
    &authority[end.unwrap_or(authority.len())..]
}

/// Whether no URL can carry these bytes as one path segment: dots mean another path there (RFC 3986,
/// 5.2.4), percent-encoded or not.
#[must_use]
pub const fn is_dot_segment(bytes: &[u8]) -> bool {
    matches!(bytes, b"." | b"..")
}

/// Bytes as one path segment of a URL: all but the unreserved characters (RFC 3986, 2.3) are
/// encoded, slashes too.
pub fn encode(bytes: &[u8]) -> impl Iterator<Item = char> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    bytes.iter().flat_map(|&byte| {
        let (text, len) = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => ([byte; 3], 1),
            _ => ([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]], 3),
        };
        text.into_iter().take(len).map(char::from)
    })
}

/// The bytes that do not stand for themselves: controls, `%` and `?`.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < special.len() {
        special[byte] = byte < 0x20 || matches!(byte as u8, b'%' | b'?' | 0x7f);
        byte += 1;
    }
    special
};

/// Decodes a part up to its end or a `?`, once. `start` is where it stands in the target, for the
/// error.
#[inline(always)]
fn decode(part: &[u8], start: usize) -> Result<Cow<'_, [u8]>, RouteError> {
    // Of most parts all bytes are as they stand, and one look at each is enough.
    let is_special = |&byte: &u8| SPECIAL[usize::from(byte)];
    let first = part.iter().position(is_special).unwrap_or(part.len());
    match part.get(first) {
        None | Some(b'?') => Ok(Cow::Borrowed(&part[..first])),
        Some(_) => decode_from(first, part, start),
    }
}

#[cold]
fn decode_from(first: usize, part: &[u8], start: usize) -> Result<Cow<'_, [u8]>, RouteError> {
    let part = part.split(|&byte| byte == b'?').next().unwrap_or_default();
    if let Some(at) = part.iter().position(u8::is_ascii_control) {
        return Err(RouteError::Control(start + at));
    }
    let mut decoded = Vec::new();
    decoded.try_reserve_exact(part.len()).map_err(|_| RouteError::OutOfMemory)?;
    decoded.extend_from_slice(&part[..first]);
    let mut at = first;
    while let Some(&byte) = part.get(at) {
        if byte != b'%' {
            decoded.push(byte);
            at += 1;
            continue;
        }
        let digits =
            part.get(at + 1..at + 3).and_then(|two| Some((digit(two[0])?, digit(two[1])?)));
        let (high, low) = digits.ok_or(RouteError::BadEscape(start + at))?;
        decoded.push(high << 4 | low);
        at += 3;
    }
    Ok(Cow::Owned(decoded))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn parse(target: &[u8]) -> Result<(Vec<u8>, Vec<u8>), RouteError> {
        let route = Route::parse(DEFAULT_BASE, target)?;
        Ok((route.group.into_owned(), route.key.into_owned()))
    }

    #[test]
    fn group_and_key_are_split_first_and_decoded_once() {
        let cases: [(&[u8], &[u8], &[u8]); 11] = [
            (b"/_gocache/g/k", b"g", b"k"),
            (b"/_gocache/g/a/b", b"g", b"a/b"),
            (b"/_gocache/g/a%2Fb", b"g", b"a/b"),
            (b"/_gocache/g%2Fh/k", b"g/h", b"k"),
            (b"/_gocache/g/a/../b", b"g", b"a/../b"),
            (b"/_gocache/g//x", b"g", b"/x"),
            (b"/_gocache/g/a+b%20c", b"g", b"a+b c"),
            (b"/_gocache/g/%2541", b"g", b"%41"),
            (b"/_gocache/g/k?q=/1%zz", b"g", b"k"),
            (b"/_gocache/g/%00%ff\xfe", b"g", b"\x00\xff\xfe"),
            (b"http://host:1/_gocache/g/http://x", b"g", b"http://x"),
        ];
        for (target, group, key) in cases {
            let expected = Ok((group.to_vec(), key.to_vec()));
            assert_eq!(parse(target), expected, "{}", target.escape_ascii());
        }
    }

    #[test]
    fn what_names_no_key_says_why() {
        let cases: [(&[u8], RouteError); 13] = [
            (b"/", RouteError::OutsideBase),
            (b"/_gocache", RouteError::OutsideBase),
            (b"/_gocachex/g/k", RouteError::OutsideBase),
            (b"*", RouteError::OutsideBase),
            (b"http://host", RouteError::OutsideBase),
            (b"/_gocache/", RouteError::NoGroup),
            (b"/_gocache//k", RouteError::NoGroup),
            (b"/_gocache/g", RouteError::NoKey),
            (b"/_gocache/g/?k", RouteError::NoKey),
            (b"/_gocache/g/a%2", RouteError::BadEscape(13)),
            (b"/_gocache/%zz/a", RouteError::BadEscape(10)),
            (b"http://h/_gocache/g/%+1", RouteError::BadEscape(20)),
            (b"/_gocache/g/a\x7fb", RouteError::Control(13)),
        ];
        for (target, error) in cases {
            assert_eq!(parse(target), Err(error), "{}", target.escape_ascii());
        }
    }

    #[test]
    fn all_but_unreserved_characters_are_encoded() {
        assert_eq!(encode(b"aZ09-._~").collect::<String>(), "aZ09-._~");
        assert_eq!(encode(b"a b/%\xff\0+").collect::<String>(), "a%20b%2F%25%FF%00%2B");
    }

    #[test]
    fn every_group_and_key_comes_back_from_its_target() {
        let every_byte: Vec<u8> = (0..=255).collect();
        for key in [b"..".as_slice(), b"/", b"%2F", b"a b+c?d#e", &every_byte] {
            let target: String = Route::target(DEFAULT_BASE, key, key).collect();
            assert!(target.is_ascii());
            assert_eq!(parse(target.as_bytes()), Ok((key.to_vec(), key.to_vec())), "{target}");
        }
    }
}
