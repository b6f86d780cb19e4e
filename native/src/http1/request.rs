//! The head of a request: httparse reads it, and what httparse lets pass is checked here.

use std::{borrow::Cow, mem::MaybeUninit};

use gocache_core::Status;
use httparse::Header;

use super::{Body, write::Persist};

/// Most fields that any configuration can allow.
pub(crate) const MAX_FIELDS: usize = 256;

/// Empty lines before a request-line that are passed over (RFC 9112, 2.2).
const MAX_EMPTY_LINES: usize = 4;

/// How large a head may be.
#[derive(Clone, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
    pub(crate) target: usize,
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

    fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Status::BadRequest, text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    /// One that HTTP knows and a key does not have.
    Other,
}

/// A request whose framing is beyond doubt.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) target: &'a [u8],
    pub(crate) persist: Persist,
    pub(crate) body: Body,
    /// The client waits for a word before it sends the body.
    pub(crate) expects_continue: bool,
    /// All `If-None-Match` field lines as one list.
    pub(crate) if_none_match: Option<Cow<'a, [u8]>>,
    /// The secret by which a node of the cluster shows itself.
    pub(crate) peer_secret: Option<&'a [u8]>,
}

/// The field by which a node says that it is one.
pub(crate) const PEER_FIELD: &str = "Gocache-Peer";

impl<'a> Head<'a> {
    /// Reads a head from the beginning of `bytes`.
    pub(crate) fn parse(bytes: &'a [u8], limits: &HeadLimits) -> Self {
        let skipped = empty_lines(bytes);
        if skipped > 2 * MAX_EMPTY_LINES {
            return Self::Broken(Reject::bad("too many empty lines before the request line"));
        }
        let bytes = &bytes[skipped..];
        let mut fields = [MaybeUninit::<Header<'_>>::uninit(); MAX_FIELDS];
        let fields = &mut fields[..limits.fields.min(MAX_FIELDS)];
        let mut raw = httparse::Request::new(&mut []);
        match raw.parse_with_uninit_headers(bytes, fields) {
            Ok(httparse::Status::Complete(used)) if used <= limits.bytes => {
                match checked(&raw, &bytes[..used], limits) {
                    Ok(request) => Self::Complete(request, skipped + used),
                    Err(reject) => Self::Broken(reject),
                }
            }
            Ok(_) => too_large(bytes, limits).map_or(Self::Partial, Self::Broken),
            Err(httparse::Error::Version) => match newer_minor(bytes) {
                Some(at) => Self::NewerMinor(skipped + at),
                None => Self::Broken(wrong_version(bytes)),
            },
            Err(error) => Self::Broken(explain(error, bytes, limits)),
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

fn empty_lines(bytes: &[u8]) -> usize {
    2 * bytes.chunks_exact(2).take_while(|two| two == b"\r\n").count()
}

/// Says whether a head that is not complete yet is over a limit already.
fn too_large(bytes: &[u8], limits: &HeadLimits) -> Option<Reject> {
    let line = bytes.iter().position(|&byte| byte == b'\n');
    let target = request_line(bytes).split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    if target.len() > limits.target || (line.is_none() && bytes.len() > limits.bytes) {
        return Some(target_too_long(limits));
    }
    (bytes.len() > limits.bytes).then(|| {
        let text = format!("the header section is longer than {} bytes", limits.bytes);
        Reject::new(Status::RequestHeaderFieldsTooLarge, text)
    })
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
        httparse::Error::NewLine => Reject::bad("a line does not end in CR LF"),
        httparse::Error::Status => Reject::bad("this is no request"),
    }
}

/// 505 for a version that is well-formed and not 1.x, 400 for anything else in its place.
fn wrong_version(bytes: &[u8]) -> Reject {
    let line = request_line(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let version = line.rsplit(|&byte| byte == b' ').next().unwrap_or_default();
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
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

fn bad_request_line(bytes: &[u8]) -> Reject {
    let line = request_line(bytes);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = line.iter().position(|&byte| byte == b' ').map_or(line.len(), |space| space + 1);
    let control = line[start..].iter().position(u8::is_ascii_control);
    match control {
        Some(at) => Reject::bad(format!("control character at byte {at} of the target")),
        None => Reject::bad("the request line is not METHOD SP TARGET SP VERSION"),
    }
}

/// Checks what httparse does not, and reads the fields that matter here.
fn checked<'a>(
    raw: &httparse::Request<'_, 'a>,
    head: &'a [u8],
    limits: &HeadLimits,
) -> Result<Request<'a>, Reject> {
    // httparse takes a bare LF for a line end; whatever stands in front of us may not.
    let bare = |at: usize| at == 0 || head[at - 1] != b'\r';
    if head.iter().enumerate().any(|(at, &byte)| byte == b'\n' && bare(at)) {
        return Err(Reject::bad("a line does not end in CR LF"));
    }
    let is_1_1 = raw.version == Some(1);
    let target = raw.path.unwrap_or_default().as_bytes();
    if target.len() > limits.target {
        return Err(target_too_long(limits));
    }
    let mut fields = Fields::default();
    for header in raw.headers.iter() {
        fields.read(header)?;
    }
    let name = raw.method.unwrap_or_default();
    let method = method(name)?;
    check_host(fields.hosts, fields.host, is_1_1)?;
    check_target(target, name)?;
    Ok(Request {
        method,
        target,
        persist: fields.persist(is_1_1),
        body: fields.body(is_1_1)?,
        expects_continue: fields.expects_continue && is_1_1,
        if_none_match: fields.if_none_match,
        peer_secret: fields.peer_secret,
    })
}

fn method(name: &str) -> Result<Method, Reject> {
    match name {
        "GET" => Ok(Method::Get),
        "HEAD" => Ok(Method::Head),
        "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH" => Ok(Method::Other),
        _ => Err(Reject::new(Status::NotImplemented, "this method is not known here")),
    }
}

/// RFC 9112, 3.2: one valid Host in HTTP/1.1, at most one in any request.
fn check_host(count: usize, host: &[u8], is_1_1: bool) -> Result<(), Reject> {
    match count {
        0 if is_1_1 => Err(Reject::bad("the Host field is missing")),
        0 => Ok(()),
        1 if is_authority(host) => Ok(()),
        1 => Err(Reject::bad("the Host field is not HOST or HOST:PORT")),
        _ => Err(Reject::bad("the Host field stands there more than once")),
    }
}

/// uri-host [ ":" port ] (RFC 3986, 3.2.2 and 3.2.3); an empty host is one too.
fn is_authority(value: &[u8]) -> bool {
    let end = match value.first() {
        Some(b'[') => match value.iter().position(|&byte| byte == b']') {
            Some(end) => end + 1,
            None => return false,
        },
        _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(end);
    let host_ok = match host {
        [b'[', literal @ .., b']'] => {
            !literal.is_empty()
                && literal.iter().all(|&byte| is_unreserved_or_delim(byte) || byte == b':')
        }
        name => is_reg_name(name),
    };
    let port_ok = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
    host_ok && port_ok
}

fn is_reg_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if is_unreserved_or_delim(*byte) => rest,
            _ => return false,
        };
    }
}

fn is_unreserved_or_delim(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// RFC 9112, 3.2: the form of a target goes by the method, and no byte stands there that a URI
/// cannot hold.
fn check_target(target: &[u8], method: &str) -> Result<(), Reject> {
    let illegal = |&byte: &u8| byte >= 0x80 || b"\"<>\\^`{|}#".contains(&byte);
    if let Some(at) = target.iter().position(illegal) {
        return Err(Reject::bad(format!(
            "byte {at} of the target is to be percent-encoded (RFC 3986)"
        )));
    }
    match (target, method) {
        (_, "CONNECT") if is_authority(target) => Ok(()),
        (_, "CONNECT") => Err(Reject::bad("the target of CONNECT is HOST:PORT")),
        ([b'/', ..], _) | (b"*", "OPTIONS") => Ok(()),
        _ => check_absolute(target),
    }
}

/// absolute-form: `http`, a host, no userinfo (RFC 9110, 4.2).
fn check_absolute(target: &[u8]) -> Result<(), Reject> {
    let wrong = || Reject::bad("the target is neither a path nor an http URL with a host");
    let rest = match target.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"http://") => rest,
        _ => return Err(wrong()),
    };
    let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let authority = &rest[..end];
    let has_host = !matches!(authority.first(), None | Some(b':'));
    if has_host && is_authority(authority) { Ok(()) } else { Err(wrong()) }
}

/// The fields that matter, as they are read line by line.
#[derive(Default)]
struct Fields<'a> {
    hosts: usize,
    host: &'a [u8],
    length: Option<u64>,
    codings: Codings,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    if_none_match: Option<Cow<'a, [u8]>>,
    peer_secret: Option<&'a [u8]>,
}

/// The transfer codings of a message, across all its field lines.
#[derive(Default)]
struct Codings {
    present: bool,
    chunked: bool,
    others: bool,
}

impl<'a> Fields<'a> {
    fn read(&mut self, header: &Header<'a>) -> Result<(), Reject> {
        let Header { name, value } = *header;
        // Most fields of most requests matter here to nobody: their length alone says so.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                self.hosts += 1;
                self.host = value;
            }
            6 if name.eq_ignore_ascii_case("expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in list(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            12 if name.eq_ignore_ascii_case(PEER_FIELD) => self.peer_secret = Some(value),
            13 if name.eq_ignore_ascii_case("if-none-match") => self.add_if_none_match(value),
            14 if name.eq_ignore_ascii_case("content-length") => self.add_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.codings.add(value)?,
            _ => {}
        }
        Ok(())
    }

    fn add_if_none_match(&mut self, value: &'a [u8]) {
        self.if_none_match = Some(match self.if_none_match.take() {
            None => Cow::Borrowed(value),
            Some(list) => Cow::Owned([&list, b", ".as_slice(), value].concat()),
        });
    }

    /// One field line of digits. A second one or a list, equal or not, is refused: nobody sends it
    /// in good faith.
    fn add_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.length.is_some() {
            return Err(Reject::bad("Content-Length stands there more than once"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Reject::bad("Content-Length is no number"));
        }
        let append = |length: u64, &digit: &u8| {
            length.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        };
        self.length = Some(value.iter().fold(0, append));
        Ok(())
    }

    fn persist(&self, is_1_1: bool) -> Persist {
        match (is_1_1, self.close, self.keep_alive) {
            (_, true, _) | (false, _, false) => Persist::Close,
            (true, ..) => Persist::Keep,
            (false, _, true) => Persist::KeepSaid,
        }
    }

    /// RFC 9112, 6.3.
    fn body(&self, is_1_1: bool) -> Result<Body, Reject> {
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

/// The elements of a comma-separated list (RFC 9110, 5.6.1), empty ones left out.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
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
    fn a_whole_request_is_read() {
        let bytes = b"\r\nHEAD /g/k HTTP/1.1\r\nhOST: a:1\r\nIf-None-Match: \"x\"\r\nconnection: a, CLOSE\r\n\
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

    #[test]
    fn every_prefix_of_a_good_head_is_partial() {
        let bytes = b"GET http://h/g/k HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(status(&bytes[..end]), 0, "{}", bytes[..end].escape_ascii());
        }
        assert_eq!(status(bytes), 200);
    }

    #[test]
    fn hosts_are_checked() {
        for good in ["", "a", "a.b-c:80", "a:", "%41", "[::1]", "[::1]:8", "[v1.a]"] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in ["a b", "a/b", "u@h", "[::1", "[]", "a:b", "[::1]x", "%4", "a:1:2", "\u{e9}"] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
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
        assert_eq!(status(b"\r\n\r\n\r\n\r\n\r\n"), 400);
    }

    #[test]
    fn a_newer_minor_version_is_pointed_at() {
        let mut bytes = b"GET / HTTP/1.7\r\nHost:\r\n\r\n".to_vec();
        let Head::NewerMinor(at) = Head::parse(&bytes, &LIMITS) else { panic!("newer") };
        bytes[at] = b'1';
        assert_eq!(status(&bytes), 200);
        assert_eq!(status(b"GET / HTTP/2.0\r\n\r\n"), 505);
        assert_eq!(status(b"GET / HTTP/1.10\r\n\r\n"), 400);
    }
}
