//! The head of a request: httparse reads it, and what httparse lets pass is checked here.

use std::{borrow::Cow, mem::MaybeUninit};

use gocache_core::{GroupId, Status};
use httparse::Header;
use memchr::memrchr;

use super::{
    Body, Wanted,
    class::TOKEN,
    fields::{Fields, RareFields},
    target::{check_host, check_target},
    write::Persist,
    writes::WriteFields,
};

/// Most fields that any configuration can allow.
pub(crate) const MAX_FIELDS: usize = 256;

/// The longest method that is known.
const LONGEST_METHOD: usize = 7;
/// Bytes of a request-line beside its method and target: two spaces, the version, CR LF.
const REST_OF_LINE: usize = 2 + 8 + 2;

/// How large a head may be.
#[derive(Clone, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
    pub(crate) target: usize,
}

impl HeadLimits {
    /// Bytes within which the request-line has to end.
    pub(crate) fn line(&self) -> usize {
        self.bytes.min(LONGEST_METHOD + self.target + REST_OF_LINE)
    }
}

/// What stands at the beginning of the bytes.
#[derive(Debug)]
pub(crate) enum Head<'a> {
    /// More bytes, please.
    Partial,
    /// A request, and how many bytes its head took.
    Complete(Request<'a>, usize),
    /// HTTP/1.2 or later, to be read as HTTP/1.1 (RFC 9110, 2.5), which is the newest that httparse
    /// knows: the byte at this place is the minor version, to be overwritten with a `1`.
    NewerMinor(usize),
    /// No request; what follows cannot be told apart from it, so that the connection ends.
    Broken(Reject),
}

/// An answer to something that is not a request that can be served.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reject {
    pub(crate) status: Status,
    pub(crate) text: Cow<'static, str>,
}

impl Reject {
    pub(crate) fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
    }

    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::BadRequest, text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Put,
    Delete,
    /// One that HTTP knows and a key does not have.
    Other,
}

impl Method {
    pub(crate) const fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    pub(crate) const fn is_write(self) -> bool {
        matches!(self, Self::Put | Self::Delete)
    }
}

/// A request whose framing is beyond doubt.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a [u8],
    /// The key that the target names, where that is known without a look at it.
    pub(crate) key: Option<(GroupId, &'a [u8])>,
    pub(crate) persist: Persist,
    pub(crate) body: Body,
    /// The client waits for a word before it sends the body.
    pub(crate) expects_continue: bool,
    /// All `If-None-Match` field lines as one list.
    pub(crate) if_none_match: Option<Cow<'a, [u8]>>,
    rare: Option<Box<RareFields<'a>>>,
    /// The secret by which a node of the cluster shows itself.
    pub(crate) peer_secret: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// A GET with fields that say nothing here.
    pub(super) const fn plain(target: &'a [u8], key: Option<(GroupId, &'a [u8])>) -> Self {
        Self {
            method: Method::Get,
            target,
            key,
            persist: Persist::Keep,
            body: Body::Empty,
            expects_continue: false,
            if_none_match: None,
            rare: None,
            peer_secret: None,
        }
    }

    /// Whether it is one.
    pub(super) fn is_plain(&self) -> bool {
        let says_nothing = self.if_none_match.is_none()
            && self.rare.is_none()
            && self.peer_secret.is_none()
            && !self.expects_continue;
        says_nothing
            && (self.method, self.persist, &self.body) == (Method::Get, Persist::Keep, &Body::Empty)
    }

    /// What goes with a PUT or a DELETE.
    pub(crate) fn write_fields(&self) -> Option<&WriteFields<'a>> {
        self.rare.as_ref().map(|rare| &rare.write)
    }

    /// The part that is wanted, by a GET: Range says nothing in any other method (RFC 9110, 14.2).
    #[inline]
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let fields = self.rare.as_ref()?;
        if self.method == Method::Get { fields.range.wanted() } else { None }
    }
}

impl<'a> Head<'a> {
    /// Reads a head from the beginning of `bytes`; empty lines before it are not for here.
    ///
    /// Only whole lines are looked at, and only within the limits: so what is said of them does not
    /// depend on how much more has come.
    pub(crate) fn parse(bytes: &'a [u8], limits: &HeadLimits) -> Self {
        #[cfg(test)]
        PARSES.set(PARSES.get() + 1);
        let within = &bytes[..bytes.len().min(limits.bytes)];
        let end = memrchr(b'\n', within).map_or(0, |at| at + 1);
        let lines = &within[..end];
        let mut fields = [MaybeUninit::<Header<'_>>::uninit(); MAX_FIELDS];
        let fields = &mut fields[..limits.fields.min(MAX_FIELDS)];
        let mut raw = httparse::Request::new(&mut []);
        let error = match raw.parse_with_uninit_headers(lines, fields) {
            Ok(httparse::Status::Complete(used)) => {
                return match checked(&raw, &lines[..used], limits) {
                    Ok(request) => Self::Complete(request, used),
                    Err(reject) => Self::Broken(reject),
                };
            }
            _ if bytes.len() > limits.line() && !bytes[..limits.line()].contains(&b'\n') => {
                return Self::Broken(target_too_long(limits));
            }
            Ok(_) if bytes.len() > limits.bytes => return Self::Broken(section_too_long(limits)),
            Ok(_) => return Self::Partial,
            Err(error) => error,
        };
        match newer_minor(lines) {
            Some(at) if error == httparse::Error::Version => Self::NewerMinor(at),
            _ => Self::Broken(explain(error, lines, limits)),
        }
    }
}

/// Where the minor version of HTTP/1.2 to HTTP/1.9 stands.
fn newer_minor(bytes: &[u8]) -> Option<usize> {
    let line = request_line(bytes).strip_suffix(b"\r")?;
    let at = line.len().checked_sub(1)?;
    let is_newer = line[..at].ends_with(b" HTTP/1.") && matches!(line[at], b'2'..=b'9');
    is_newer.then_some(at)
}

fn section_too_long(limits: &HeadLimits) -> Reject {
    let text = format!("the header section is longer than {} bytes", limits.bytes);
    Reject::new(Status::RequestHeaderFieldsTooLarge, text)
}

fn target_too_long(limits: &HeadLimits) -> Reject {
    let text = format!("the target is longer than {} bytes", limits.target);
    Reject::new(Status::UriTooLong, text)
}

fn request_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == b'\n').next().unwrap_or_default()
}

/// Turns an error of httparse into an answer that says what to mend.
fn explain(error: httparse::Error, bytes: &[u8], limits: &HeadLimits) -> Reject {
    match error {
        httparse::Error::TooManyHeaders => {
            let text = format!("the header section has more than {} fields", limits.fields);
            Reject::new(Status::RequestHeaderFieldsTooLarge, text)
        }
        httparse::Error::Version => wrong_version(bytes),
        httparse::Error::Token => bad_request_line(bytes),
        httparse::Error::HeaderName => Reject::bad("a field name is no token, or a line is folded"),
        httparse::Error::HeaderValue => Reject::bad("a field value holds a control character"),
        httparse::Error::NewLine => bare_lf(),
        httparse::Error::Status => Reject::bad("this is no request"),
    }
}

/// 505 for a version that is well-formed and not 1.x, 400 for anything else in its place.
fn wrong_version(bytes: &[u8]) -> Reject {
    let Some(line) = request_line(bytes).strip_suffix(b"\r") else { return bare_lf() };
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    match parts[..] {
        [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Reject::new(
                Status::HttpVersionNotSupported,
                "only HTTP/1.0 and HTTP/1.1 are spoken here",
            )
        }
        _ => Reject::bad("the request line does not end in an HTTP version"),
    }
}

/// httparse stops at the first byte that is wrong; this has to mean the same one.
fn bad_request_line(bytes: &[u8]) -> Reject {
    let method = bytes.iter().position(|&byte| !TOKEN.has(byte)).unwrap_or(bytes.len());
    let target = bytes[method..].strip_prefix(b" ").unwrap_or_default();
    let end = target.iter().position(|&byte| byte == b' ' || byte.is_ascii_control());
    match end {
        Some(at) if method > 0 && target[at] != b' ' && target[at] != b'\r' => {
            Reject::bad(format!("control character at byte {at} of the target"))
        }
        _ => Reject::bad("the request line is not METHOD SP TARGET SP VERSION"),
    }
}

fn bare_lf() -> Reject {
    Reject::bad("a line does not end in CR LF")
}

/// Checks what httparse does not, and reads the fields that matter here.
fn checked<'a>(
    raw: &httparse::Request<'_, 'a>,
    head: &'a [u8],
    limits: &HeadLimits,
) -> Result<Request<'a>, Reject> {
    let name = raw.method.unwrap_or_default();
    let target = raw.path.unwrap_or_default().as_bytes();
    if target.len() > limits.target || name.len() + target.len() + REST_OF_LINE > limits.line() {
        return Err(target_too_long(limits));
    }
    // httparse takes a bare LF for a line end; whatever stands in front of us may not.
    if has_bare_lf(head) {
        return Err(bare_lf());
    }
    let is_1_1 = raw.version == Some(1);
    let mut fields = Fields::default();
    for header in raw.headers.iter() {
        fields.read(header)?;
    }
    let method = method(name)?;
    if method.is_write() {
        fields.rare().write = WriteFields::read(raw.headers);
    }
    check_host(fields.hosts, fields.host, is_1_1)?;
    check_target(target, name)?;
    Ok(Request {
        method,
        target,
        key: None,
        persist: fields.persist(is_1_1),
        body: fields.body(is_1_1)?,
        expects_continue: fields.expects_continue && is_1_1,
        if_none_match: fields.if_none_match,
        rare: fields.rare,
        peer_secret: fields.peer_secret,
    })
}

/// Whether an LF stands anywhere without a CR before it. Lines are short: a search for each LF costs
/// more than a look at all bytes, eight at a time.
fn has_bare_lf(head: &[u8]) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let is_bare = |at: usize| at == 0 || head[at - 1] != b'\r';
    let (words, rest) = head.as_chunks();
    for (start, word) in (0..).step_by(8).zip(words) {
        // The high bit of each byte that is an LF, and no other (an exact test for a zero byte).
        let differ = u64::from_le_bytes(*word) ^ u64::from_le_bytes([b'\n'; 8]);
        let mut ends = !(((differ & LOW) + LOW) | differ | LOW);
        while ends != 0 {
            if is_bare(start + ends.trailing_zeros() as usize / 8) {
                return true;
            }
            ends &= ends - 1;
        }
    }
    let start = head.len() - rest.len();
    rest.iter().enumerate().any(|(at, &byte)| byte == b'\n' && is_bare(start + at))
}

fn method(name: &str) -> Result<Method, Reject> {
    match name {
        "GET" => Ok(Method::Get),
        "HEAD" => Ok(Method::Head),
        "PUT" => Ok(Method::Put),
        "DELETE" => Ok(Method::Delete),
        "POST" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH" => Ok(Method::Other),
        _ => Err(Reject::new(Status::NotImplemented, "this method is not known here")),
    }
}

/// Whether a head is that of a HEAD request, whatever else is wrong with it.
pub(crate) fn is_head(head: &[u8]) -> bool {
    head.starts_with(b"HEAD ")
}

#[cfg(test)]
thread_local! {
    /// How often this thread has parsed one.
    pub(crate) static PARSES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 400, fields: 4, target: 40 };

    fn status(bytes: &[u8]) -> u16 {
        match Head::parse(bytes, &LIMITS) {
            Head::Broken(reject) => reject.status.code(),
            Head::Complete(..) => 200,
            Head::Partial => 0,
            Head::NewerMinor(_) => 1,
        }
    }

    #[test]
    fn a_bare_lf_is_found_wherever_it_stands() {
        for len in 1..40 {
            for at in 0..len {
                let mut head = vec![b'a'; len];
                head[at] = b'\n';
                assert!(has_bare_lf(&head), "at {at} of {len}");
                if at > 0 {
                    head[at - 1] = b'\r';
                    assert!(!has_bare_lf(&head), "at {at} of {len}, after a CR");
                }
            }
        }
        assert!(!has_bare_lf(b"\x0b\r\n\x8a\x0b\x09\r\n\r\n"));
    }

    #[test]
    fn a_whole_request_is_read() {
        let bytes =
            b"HEAD /g/k HTTP/1.1\r\nhOST: a:1\r\nIf-None-Match: \"x\"\r\nconnection: a, CLOSE\r\n\
                      If-None-Match:*\r\n\r\nGET";
        let Head::Complete(request, used) = Head::parse(bytes, &LIMITS) else { panic!("complete") };
        assert_eq!(used, bytes.len() - 3);
        assert_eq!((request.method, request.target), (Method::Head, b"/g/k".as_slice()));
        assert_eq!((request.persist, request.body), (Persist::Close, Body::Empty));
        assert_eq!(request.if_none_match.as_deref(), Some(b"\"x\", *".as_slice()));
    }

    #[test]
    fn persistence_goes_by_version_and_connection() {
        let cases: [(&[u8], Persist); 5] = [
            (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", Persist::Keep),
            (b"GET / HTTP/1.1\r\nHost:\r\nConnection: keep-alive, close\r\n\r\n", Persist::Close),
            (b"GET / HTTP/1.0\r\n\r\n", Persist::Close),
            (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", Persist::KeepSaid),
            (
                b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
                Persist::Close,
            ),
        ];
        for (bytes, persist) in cases {
            let Head::Complete(request, _) = Head::parse(bytes, &LIMITS) else {
                panic!("complete")
            };
            assert_eq!(request.persist, persist, "{}", bytes.escape_ascii());
        }
    }

    /// RFC 9112, 6.1 to 6.3.
    #[test]
    fn a_body_is_framed_beyond_doubt_or_refused() {
        let framed = |version: u8, fields: &str| {
            let bytes = format!("GET / HTTP/1.{version}\r\nHost: h\r\n{fields}\r\n\r\n");
            match Head::parse(bytes.as_bytes(), &LIMITS) {
                Head::Complete(request, _) => Ok(request.body),
                Head::Broken(reject) => Err(reject.status.code()),
                other => panic!("{fields}: {other:?}"),
            }
        };
        for (fields, expected) in [
            ("A: b", Ok(Body::Empty)),
            ("Content-Length: 3", Ok(Body::Length(3))),
            ("Content-Length: +3", Err(400)),
            ("Content-Length: 3, 3", Err(400)),
            ("Content-Length: 3\r\nContent-Length: 3", Err(400)),
            ("Transfer-Encoding: chunked", Ok(Body::Chunked)),
            ("Transfer-Encoding: , Chunked,,", Ok(Body::Chunked)),
            ("Transfer-Encoding:\r\nTransfer-Encoding: chunked", Ok(Body::Chunked)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Err(400)),
            ("Transfer-Encoding:", Err(400)),
            ("Transfer-Encoding: gzip", Err(400)),
            ("Transfer-Encoding: gzip, chunked", Err(501)),
            ("Transfer-Encoding: chunked, gzip", Err(400)),
            ("Transfer-Encoding: unknown", Err(501)),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked", Err(400)),
        ] {
            assert_eq!(framed(1, fields), expected, "{fields}");
        }
        assert_eq!(framed(0, "Transfer-Encoding: chunked"), Err(400));
        assert_eq!(framed(0, "Content-Length: 3"), Ok(Body::Length(3)));
    }

    #[test]
    fn a_field_with_a_name_as_long_as_one_that_matters_says_nothing() {
        for field in [
            "Most: a b",
            "Mange: bytes=0-1",
            "Orange: 100-continue",
            "Change-1: \"x\"",
            "Convection: close",
            "Gocache-Pear: secret",
            "If-Some-Match: *",
            "Content-Rength: x",
            "Transfer-Engineer: x",
        ] {
            let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n");
            let Head::Complete(request, _) = Head::parse(bytes.as_bytes(), &LIMITS) else {
                panic!("{field}")
            };
            assert!(request.is_plain(), "{field}");
        }
    }

    #[test]
    fn every_prefix_of_a_good_head_is_partial() {
        let bytes = b"GET http://h/g/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(status(&bytes[..end]), 0, "{}", bytes[..end].escape_ascii());
        }
        assert_eq!(status(bytes), 200);
    }

    #[test]
    fn limits_have_their_statuses() {
        let long = "x".repeat(400);
        assert_eq!(status(format!("GET /{long}").as_bytes()), 414);
        assert_eq!(
            status(format!("GET /{} HTTP/1.1\r\nHost:\r\n\r\n", &long[..50]).as_bytes()),
            414
        );
        assert_eq!(status(format!("GET / HTTP/1.1\r\nA: {long}").as_bytes()), 431);
        assert_eq!(status(format!("GET / HTTP/1.1\r\nHost:\r\nA: {long}\r\n\r\n").as_bytes()), 431);
        assert_eq!(status(b"GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n"), 431);
    }

    #[test]
    fn a_limit_is_the_last_length_that_is_taken() {
        let long = "x".repeat(400);
        let line =
            |method: &str, len: usize| format!("{method} /{} HTTP/1.1\r\n", &long[..len - 1]);
        for (method, len, expected) in [("GET", 40, 200), ("OPTIONS", 40, 200), ("GET", 41, 414)] {
            let bytes = line(method, len) + "Host:\r\n\r\n";
            assert_eq!(status(bytes.as_bytes()), expected, "{method} {len}");
        }
        let unfinished = format!("GET /{long}");
        assert_eq!(LIMITS.line(), "OPTIONS".len() + 40 + "  HTTP/1.1\r\n".len());
        assert_eq!(status(&unfinished.as_bytes()[..LIMITS.line()]), 0);
        assert_eq!(status(&unfinished.as_bytes()[..=LIMITS.line()]), 414);
        let unfinished = format!("GET / HTTP/1.1\r\nA: {long}");
        assert_eq!(status(&unfinished.as_bytes()[..LIMITS.bytes]), 0);
        assert_eq!(status(&unfinished.as_bytes()[..=LIMITS.bytes]), 431);
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (line, text) in [
            ("GET /a\x01b HTTP/1.1", "control character at byte 2 of the target"),
            ("GET \x7f HTTP/1.1", "control character at byte 0 of the target"),
            ("G(T /\x01 HTTP/1.1", "the request line is not METHOD SP TARGET SP VERSION"),
            (" /\x01 HTTP/1.1", "the request line is not METHOD SP TARGET SP VERSION"),
            ("GET / HTTP/2.a", "the request line does not end in an HTTP version"),
            ("GET / HTTP/a.2", "the request line does not end in an HTTP version"),
            ("GET / HTTP/2.0", "only HTTP/1.0 and HTTP/1.1 are spoken here"),
        ] {
            match Head::parse(format!("{line}\r\n\r\n").as_bytes(), &LIMITS) {
                Head::Broken(reject) => assert_eq!(reject.text, text, "{line:?}"),
                other => panic!("{line:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn reads_and_writes_are_told_apart() {
        for (method, is_read, is_write) in [
            (Method::Get, true, false),
            (Method::Head, true, false),
            (Method::Put, false, true),
            (Method::Delete, false, true),
            (Method::Other, false, false),
        ] {
            assert_eq!((method.is_read(), method.is_write()), (is_read, is_write), "{method:?}");
        }
    }

    #[test]
    fn a_newer_minor_version_is_pointed_at() {
        let mut bytes = b"GET / HTTP/1.7\r\nHost:\r\n\r\n".to_vec();
        for end in 0.."GET / HTTP/1.7\r\n".len() {
            assert_eq!(status(&bytes[..end]), 0, "{}", bytes[..end].escape_ascii());
        }
        let Head::NewerMinor(at) = Head::parse(&bytes, &LIMITS) else { panic!("newer") };
        bytes[at] = b'1';
        assert_eq!(status(&bytes), 200);
        assert_eq!(status(b"GET / HTTP/2.0\r\n\r\n"), 505);
        assert_eq!(status(b"GET /  HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status(b"GET / / HTTP/2.0\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.2\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.10\r\n\r\n"), 400);
    }
}
