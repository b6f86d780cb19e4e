//! One answer of the server, read strictly: what the grammar does not allow is an error, not a
//! guess.
//!
//! Three promises hold for every answer whatever was asked, so the parser itself holds the server
//! to them: a true `Date`, a body that ends where `Content-Length` says, and error bodies that are
//! one kind of plain text.

use std::fmt;

use super::date::check_date;

/// What the answer answers: only a `HEAD` changes how it is read.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Asked {
    Get,
    Head,
}

/// An answer with its fields in order, and what had been sent on its connection for the message of
/// a failure.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) sent: String,
}

/// The longest head that a server of ours has a reason to send.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Fields that say one thing: a second line of them would be two answers in one.
const SINGLE: [&str; 10] = [
    "accept-ranges",
    "age",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "retry-after",
    "server",
    "allow",
];

impl Answer {
    /// Reads one answer from the front of `bytes`: it and its length, or `None` while more bytes
    /// are needed.
    pub(crate) fn parse(bytes: &[u8], asked: Asked) -> Result<Option<(Self, usize)>, String> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            let start = b"HTTP/1.1 ";
            let common = start.len().min(bytes.len());
            return match () {
                () if bytes[..common] != start[..common] => {
                    Err("no status line at this place".into())
                }
                () if bytes.len() > HEAD_BYTES_MAX => Err("a head without an end".into()),
                () => Ok(None),
            };
        };
        let mut answer = Self::parse_head(&bytes[..end])?;
        let length = answer.body_length(asked)?;
        let begin = end + 4;
        let Some(body) = bytes.get(begin..begin + length) else {
            return Ok(None);
        };
        answer.body = body.to_vec();
        answer.check_house_rules(asked)?;
        Ok(Some((answer, begin + length)))
    }

    fn parse_head(head: &[u8]) -> Result<Self, String> {
        let head = std::str::from_utf8(head).map_err(|_| "a head that is not ASCII")?;
        let mut lines = head.split("\r\n");
        let status = parse_status_line(lines.next().unwrap_or_default())?;
        let fields = lines.map(parse_field).collect::<Result<Vec<_>, _>>()?;
        for single in SINGLE {
            if fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(single)).count() > 1 {
                return Err(format!("{single} stands twice"));
            }
        }
        Ok(Self { status, fields, body: Vec::new(), sent: String::new() })
    }

    /// How many bytes of body follow the head (RFC 9112, 6.3).
    fn body_length(&self, asked: Asked) -> Result<usize, String> {
        if self.field("transfer-encoding").is_some() {
            return Err("Transfer-Encoding, although every length is known".into());
        }
        let length = match self.field("content-length") {
            Some(text) if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(format!("Content-Length is no number: {text:?}"));
            }
            Some(text) => Some(text.parse().map_err(|_| "Content-Length overflows")?),
            None => None,
        };
        match (self.status, length) {
            (100..=199 | 204, Some(_)) => {
                Err("Content-Length on a status that has no content".into())
            }
            (100..=199 | 204 | 304, _) => Ok(0),
            _ if asked == Asked::Head => Ok(0),
            (_, Some(length)) => Ok(length),
            (_, None) => Err("no Content-Length".into()),
        }
    }

    fn check_house_rules(&self, asked: Asked) -> Result<(), String> {
        if self.status < 200 {
            return Ok(());
        }
        check_date(self.field("date").ok_or("no Date")?)?;
        if self.status < 400 || asked == Asked::Head || self.body.is_empty() {
            return Ok(());
        }
        if self.field("content-type") != Some("text/plain; charset=utf-8") {
            return Err("an error body that is not text/plain; charset=utf-8".into());
        }
        let text =
            std::str::from_utf8(&self.body).map_err(|_| "an error body that is not UTF-8")?;
        match text.strip_suffix('\n') {
            Some(line) if line.chars().any(char::is_control) => {
                Err("an error body with control characters".into())
            }
            Some(_) => Ok(()),
            None => Err("an error body that does not end in a newline".into()),
        }
    }

    /// The value of a field that stands at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut named = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// Whether the answer says that the connection ends with it.
    pub(crate) fn says(&self, option: &str) -> bool {
        self.fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
            .flat_map(|(_, value)| value.split(','))
            .any(|member| member.trim().eq_ignore_ascii_case(option))
    }

    #[track_caller]
    pub(crate) fn must(&self, holds: bool, expected: &str) -> &Self {
        assert!(holds, "\n  sent: {}\n  expected: {expected}\n  got: {self}\n", self.sent);
        self
    }

    #[track_caller]
    pub(crate) fn status(&self, status: u16) -> &Self {
        self.must(self.status == status, &format!("status {status}"))
    }

    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: &str) -> &Self {
        self.must(self.field(name) == Some(value), &format!("{name}: {value}"))
    }

    #[track_caller]
    pub(crate) fn body(&self, body: impl AsRef<[u8]>) -> &Self {
        let body = body.as_ref();
        self.must(self.body == body, &format!("{} bytes of body: {}", body.len(), escaped(body)))
    }

    /// The body of an error holds `part`.
    #[track_caller]
    pub(crate) fn mentions(&self, part: &str) -> &Self {
        let text = String::from_utf8_lossy(&self.body);
        self.must(text.contains(part), &format!("a body that mentions {part:?}"))
    }

    /// The body is one line that says something.
    #[track_caller]
    pub(crate) fn one_line(&self) -> &Self {
        let lines = self.body.iter().filter(|byte| **byte == b'\n').count();
        self.must(lines == 1 && self.body.len() > 1, "a body of one line")
    }

    /// The value of a field that the promise needs.
    #[track_caller]
    pub(crate) fn need(&self, name: &str) -> &str {
        self.must(self.field(name).is_some(), &format!("a field {name}"));
        self.field(name).unwrap_or_default()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.status)?;
        for (name, value) in &self.fields {
            write!(to, " | {name}: {value}")?;
        }
        write!(to, " | {} bytes of body: {}", self.body.len(), escaped(&self.body))
    }
}

fn parse_status_line(line: &str) -> Result<u16, String> {
    let wrong = || format!("no status line: {line:?}");
    let rest = line.strip_prefix("HTTP/1.1 ").ok_or_else(wrong)?;
    let (code, reason) = rest.split_once(' ').ok_or_else(wrong)?;
    let printable = reason.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) || !printable {
        return Err(wrong());
    }
    match code.parse() {
        Ok(code @ 100..=599) => Ok(code),
        _ => Err(wrong()),
    }
}

fn parse_field(line: &str) -> Result<(String, String), String> {
    let wrong = || format!("no field line: {line:?}");
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let plain = |byte: u8| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic();
    if name.is_empty() || !name.bytes().all(token) || !value.bytes().all(plain) {
        return Err(wrong());
    }
    Ok((name.to_string(), value.trim_matches([' ', '\t']).to_string()))
}

/// Bytes as a person can read them in the message of a failure: printable, and not endless.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 600;
    let shown = bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii();
    match bytes.len() {
        0..=SHOWN_MAX => format!("\"{shown}\""),
        more => format!("\"{shown}\"... ({more} bytes)"),
    }
}

#[test]
fn the_parser_is_strict() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP";
    let parsed = Answer::parse(interim, Asked::Get).expect("a good answer");
    assert_eq!(parsed.expect("a whole answer").1, interim.len() - 4);
    assert!(matches!(Answer::parse(&interim[..20], Asked::Get), Ok(None)));
    for (bad, why) in [
        ("hi", "no status line"),
        ("HTTP/1.0 200 OK\r\n\r\n", "no status line"),
        ("HTTP/1.1 200\r\n\r\n", "no status line"),
        ("HTTP/1.1 600 Odd\r\n\r\n", "no status line"),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", "no status line"),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "no field line"),
        ("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", "no field line"),
        ("HTTP/1.1 200 OK\r\nDate: a\r\nDate: a\r\n\r\n", "date stands twice"),
        ("HTTP/1.1 200 OK\r\n\r\n", "no Content-Length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n", "no number"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "no Date"),
        ("HTTP/1.1 204 Gone\r\nContent-Length: 0\r\n\r\n", "no content"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"),
    ] {
        match Answer::parse(bad.as_bytes(), Asked::Get) {
            Err(error) => assert!(error.contains(why), "{bad:?} fails for another reason: {error}"),
            Ok(_) => panic!("taken for an answer: {bad:?}"),
        }
    }
}
