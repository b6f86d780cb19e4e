//! Requests whose fields are known: a client sends the same ones with nearly every request, and what was
//! read of them once need not be read again. So it is with the beginnings of the paths that it asks for.
//!
//! Note is taken only of a GET for a path with fields that say nothing to this server. The fields go up to
//! the empty line: so the same bytes have the same meaning again, and what is found here is what
//! [`Head::parse`](super::Head::parse) would find.

use gocache_core::GroupId;

use super::{
    HeadLimits, Request,
    class::{PATH, PLAIN_PATH},
};

/// Places for fields. Connections share them by their numbers, so that they take no memory of each.
const PLACES: usize = 64;
/// Longest fields that are remembered, and longest beginnings.
const LONGEST: usize = 512;

const METHOD: &[u8] = b"GET ";
const ANY_PATH: &[u8] = b"GET /";
const VERSION: &[u8] = b" HTTP/1.1\r\n";

/// What is known of the last requests.
#[derive(Debug)]
pub(crate) struct KnownFields([Known; PLACES]);

#[derive(Debug)]
struct Known {
    /// How the request-line begins, up to the key or to the last slash of the path: most requests of a
    /// client differ only behind it.
    begin: Vec<u8>,
    /// The group whose keys follow.
    group: Option<GroupId>,
    /// From behind the target to the empty line.
    rest: Vec<u8>,
}

impl Known {
    const NOTHING: Self = Self { begin: Vec::new(), group: None, rest: Vec::new() };
}

impl Default for KnownFields {
    fn default() -> Self {
        Self([Known::NOTHING; PLACES])
    }
}

impl KnownFields {
    /// The request at the beginning of `bytes`, and the length of its head, if its fields are those that
    /// stood there last time. The limits have to be the same as then.
    #[inline]
    pub(crate) fn request<'a>(
        &self,
        place: u8,
        bytes: &'a [u8],
        limits: &HeadLimits,
    ) -> Option<(Request<'a>, usize)> {
        let Known { begin, group, rest } = self.0.get(usize::from(place) % PLACES)?;
        if rest.is_empty() {
            return None;
        }
        let (path, mut group) = match bytes.strip_prefix(&**begin) {
            Some(path) => (path, *group),
            None => (bytes.strip_prefix(ANY_PATH)?, None),
        };
        let mut end = bytes.len() - path.len() + PLAIN_PATH.prefix(path);
        if bytes.get(end) != Some(&b' ') {
            group = None;
            end += PATH.prefix(bytes.get(end..)?);
        }
        let target = bytes.get(METHOD.len()..end)?;
        let used = end + rest.len();
        let is_within = target.len() <= limits.target && used <= limits.bytes;
        if !is_within || !bytes.get(end..)?.starts_with(rest) {
            return None;
        }
        let key = group.and_then(|group| Some((group, bytes.get(begin.len()..end)?)));
        Some((Request::plain(target, key.filter(|(_, key)| !key.is_empty())), used))
    }

    /// Takes note of the fields of a request that was read from this head, and of how it begins: where
    /// `group` says of how many bytes of its target a key of that group follows, with these.
    pub(crate) fn note(
        &mut self,
        place: u8,
        request: &Request<'_>,
        group: Option<(GroupId, usize)>,
        head: &[u8],
    ) {
        let target = METHOD.len() + request.target.len();
        let Some((line, rest)) = head.split_at_checked(target) else { return };
        if !request.is_plain() || !rest.starts_with(VERSION) || rest.len() > LONGEST {
            return;
        }
        let known = &mut self.0[usize::from(place) % PLACES];
        known.begin.clear();
        known.begin.extend_from_slice(match group {
            Some((_, before)) => &line[..METHOD.len() + before],
            None => up_to_last_slash(line, request.target),
        });
        known.group = group.map(|(group, _)| group);
        known.rest.clear();
        known.rest.extend_from_slice(rest);
    }

    /// Reads a head as a connection does that knows of no group.
    #[cfg(test)]
    fn parse<'a>(&mut self, place: u8, bytes: &'a [u8], limits: &HeadLimits) -> super::Head<'a> {
        if let Some((request, used)) = self.request(place, bytes, limits) {
            return super::Head::Complete(request, used);
        }
        let head = super::Head::parse(bytes, limits);
        if let super::Head::Complete(request, used) = &head {
            self.note(place, request, None, &bytes[..*used]);
        }
        head
    }

    /// Forgets all of them: the limits are others now.
    pub(crate) fn clear(&mut self) {
        self.0.fill_with(|| Known::NOTHING);
    }
}

fn up_to_last_slash<'a>(line: &'a [u8], target: &[u8]) -> &'a [u8] {
    let last = target.iter().rposition(|&byte| byte == b'/');
    // Of an absolute-form it may be one of the scheme's, with an authority behind it.
    let last = last.filter(|_| target.starts_with(b"/"));
    let begin = last.and_then(|last| line.get(..=METHOD.len() + last));
    begin.filter(|begin| begin.len() <= LONGEST).unwrap_or(ANY_PATH)
}

#[cfg(test)]
mod tests {
    use super::{super::Head, *};

    const LIMITS: HeadLimits = HeadLimits { bytes: 100, fields: 3, target: 30 };
    const FIELDS: &str = "Host: h\r\nAccept: */*\r\n\r\n";

    /// What is said of a head after other ones of the same fields; and whether these were known.
    fn said(line: &str) -> (String, bool) {
        let said = ["/first", "/a/b/first", "/a/", "http://h", "/a?b/c"]
            .map(|first| said_after(first, line));
        assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
        said.into_iter().next().expect("there are five")
    }

    fn said_after(first: &str, line: &str) -> (String, bool) {
        let mut known = KnownFields::default();
        let first = format!("GET {first} HTTP/1.1\r\n{FIELDS}");
        assert!(known.request(7, first.as_bytes(), &LIMITS).is_none(), "nothing is known");
        known.parse(7, first.as_bytes(), &LIMITS);
        let bytes = format!("{line}{FIELDS}and more");
        let is_known = known.request(7, bytes.as_bytes(), &LIMITS).is_some();
        assert!(known.request(8, bytes.as_bytes(), &LIMITS).is_none(), "another place");
        let said = format!("{:?}", known.parse(7, bytes.as_bytes(), &LIMITS));
        assert_eq!(said, format!("{:?}", Head::parse(bytes.as_bytes(), &LIMITS)), "{line}");
        (said, is_known)
    }

    #[test]
    fn a_target_is_read_as_ever_whatever_stands_in_it() {
        for byte in 0..=127 {
            let target = format!("/a{}b", char::from(byte));
            let (_, is_known) = said(&format!("GET {target} HTTP/1.1\r\n"));
            assert_eq!(is_known, PATH.has(byte), "{target:?}");
        }
        for target in ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a?b/", "/a?b/c", "/a//b/"] {
            assert!(said(&format!("GET {target} HTTP/1.1\r\n")).1, "{target}");
        }
    }

    #[test]
    fn another_line_is_not_known() {
        for line in [
            "HEAD /a HTTP/1.1\r\n",
            "GET /a HTTP/1.0\r\n",
            "GET /a HTTP/1.7\r\n",
            "GET /a HTTP/1.1\n",
            "GET  /a HTTP/1.1\r\n",
            "GET /a  HTTP/1.1\r\n",
            "GET http://h/a HTTP/1.1\r\n",
            "GET * HTTP/1.1\r\n",
            "GET HTTP/1.1\r\n",
            "GET /a HTTP/1.1\r\nX: y\r\n",
            "get /a HTTP/1.1\r\n",
            "\nGET /a HTTP/1.1\r\n",
            "GET /a\u{e9} HTTP/1.1\r\n",
        ] {
            assert!(!said(line).1, "{line:?}");
        }
    }

    #[test]
    fn limits_hold_for_known_fields_too() {
        let longest = "x".repeat(LIMITS.target - 1);
        assert!(said(&format!("GET /{longest} HTTP/1.1\r\n")).1);
        assert!(!said(&format!("GET /x{longest} HTTP/1.1\r\n")).1);
        let limits = HeadLimits { bytes: 60, ..LIMITS };
        let mut known = KnownFields::default();
        let mut head = |target: &str| {
            let bytes = format!("GET {target} HTTP/1.1\r\n{FIELDS}");
            format!("{:?}", known.parse(0, bytes.as_bytes(), &limits))
        };
        assert!(head("/").starts_with("Complete"));
        assert!(head("/xxxxxxxxxxxxxxxxxxxxxx").starts_with("Broken"), "the section is too long");
    }

    #[test]
    fn fields_that_say_something_are_not_remembered() {
        for field in [
            "Connection: close",
            "Content-Length: 0",
            "If-None-Match: *",
            "Range: bytes=0-1",
            "Expect: 100-continue",
            "Gocache-Peer: secret",
        ] {
            let mut known = KnownFields::default();
            let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
            assert!(matches!(known.parse(0, bytes.as_bytes(), &LIMITS), Head::Complete(..)));
            assert!(known.request(0, bytes.as_bytes(), &LIMITS).is_none(), "{field}");
        }
    }
}
