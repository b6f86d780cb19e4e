//! The head of a response, as the client that we are to peers and origins reads it.

use gocache_core::http::list;

use super::Body;

/// Most fields of a response. An origin sends what it likes; beyond this it is not one of ours.
const MAX_FIELDS: usize = 128;

/// What stands at the beginning of the bytes.
#[derive(Debug)]
pub(crate) enum Response {
    /// More bytes, please.
    Partial,
    /// A final response (1xx are passed over), and how many bytes came before its body.
    Complete(ResponseHead, usize),
    /// No response that can be trusted.
    Broken,
}

/// What matters of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) body: Body,
    /// Whether another request may follow on the connection.
    pub(crate) persists: bool,
    /// The `Age` field in seconds.
    pub(crate) age: u64,
    /// Whether there is a `Cache-Status` field: the answer of a node about a key has one.
    pub(crate) has_cache_status: bool,
    /// The content is not the bytes of the value but some coding of them.
    pub(crate) is_encoded: bool,
}

impl Response {
    /// Reads the head of the final response from the beginning of `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut start = 0;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut raw = httparse::Response::new(&mut fields);
            match raw.parse(&bytes[start..]) {
                Ok(httparse::Status::Partial) => return Self::Partial,
                Ok(httparse::Status::Complete(used)) => {
                    start += used;
                    match raw.code {
                        // A switch of protocols was never asked for.
                        Some(101) => return Self::Broken,
                        Some(100..=199) => {}
                        _ => return head(&raw).map_or(Self::Broken, |h| Self::Complete(h, start)),
                    }
                }
                Err(_) => return Self::Broken,
            }
        }
    }
}

/// Reads the fields; `None` where the framing is in doubt (RFC 9112, 6.3).
fn head(raw: &httparse::Response<'_, '_>) -> Option<ResponseHead> {
    let is_1_1 = raw.version? == 1;
    let status = raw.code?;
    let (mut length, mut chunked, mut close, mut keep_alive) = (None, None, false, false);
    let mut head = ResponseHead {
        status,
        body: Body::UntilClose,
        persists: false,
        age: 0,
        has_cache_status: false,
        is_encoded: false,
    };
    for httparse::Header { name, value } in raw.headers.iter() {
        let is = |field: &str| name.eq_ignore_ascii_case(field);
        if is("content-length") {
            let number = std::str::from_utf8(value).ok()?;
            if !number.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let number: u64 = number.parse().ok()?;
            if length.replace(number).is_some_and(|before| before != number) {
                return None;
            }
        } else if is("transfer-encoding") {
            // Nothing but chunked was offered, once.
            if chunked.replace(()).is_some() || !value.eq_ignore_ascii_case(b"chunked") {
                return None;
            }
        } else if is("connection") {
            close |= list(value).any(|option| option.eq_ignore_ascii_case(b"close"));
            keep_alive |= list(value).any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        } else if is("age") {
            head.age =
                std::str::from_utf8(value).ok().and_then(|age| age.parse().ok()).unwrap_or(0);
        } else if is("cache-status") {
            head.has_cache_status = true;
        } else if is("content-encoding") {
            head.is_encoded = !value.eq_ignore_ascii_case(b"identity");
        }
    }
    head.body = match (status, chunked, length) {
        (204 | 304, ..) => Body::Empty,
        (_, Some(()), Some(_)) => return None,
        (_, Some(()), None) => Body::Chunked,
        (_, None, Some(length)) => Body::Length(length),
        (_, None, None) => Body::UntilClose,
    };
    head.persists = !close && (is_1_1 || keep_alive) && head.body != Body::UntilClose;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(bytes: &[u8]) -> (ResponseHead, usize) {
        match Response::parse(bytes) {
            Response::Complete(head, used) => (head, used),
            other => panic!("{}: {other:?}", bytes.escape_ascii()),
        }
    }

    #[test]
    fn the_body_ends_where_the_head_says() {
        let cases: [(&[u8], Body, bool); 6] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Body::Length(3), true),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Body::Chunked, true),
            (b"HTTP/1.1 200 OK\r\n\r\n", Body::UntilClose, false),
            (b"HTTP/1.1 204 No Content\r\n\r\n", Body::Empty, true),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", Body::Length(3), false),
            (
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                Body::Length(0),
                false,
            ),
        ];
        for (bytes, body, persists) in cases {
            let (head, used) = complete(bytes);
            assert_eq!((head.body, head.persists), (body, persists), "{}", bytes.escape_ascii());
            assert_eq!(used, bytes.len());
        }
    }

    #[test]
    fn informational_responses_are_passed_over() {
        let (head, _) =
            complete(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nAge: 7\r\n\r\n");
        assert_eq!((head.status, head.age), (404, 7));
        let switch = b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert!(matches!(Response::parse(switch), Response::Broken), "nobody asked for it");
        assert!(matches!(Response::parse(b"HTTP/1.1 100 Continue\r\n\r\n"), Response::Partial));
    }

    #[test]
    fn what_is_said_beside_the_body_is_read() {
        let (head, _) = complete(
            b"HTTP/1.0 200 OK\r\nConnection: a\r\nConnection: Keep-Alive\r\nConnection: b\r\n\
              Content-Length: 3\r\nCache-Status: x\r\nContent-Encoding: gzip\r\n\r\n",
        );
        assert!(head.persists && head.has_cache_status && head.is_encoded);
        let (head, _) = complete(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: a\r\nContent-Length: 3\r\n\
              Content-Encoding: Identity\r\nAge: old\r\n\r\n",
        );
        assert!(!head.persists && !head.has_cache_status && !head.is_encoded);
        assert_eq!(head.age, 0);
    }

    #[test]
    fn a_framing_in_doubt_is_broken() {
        for fields in [
            "Content-Length: 3\r\nContent-Length: 4",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: -3",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ] {
            let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert!(matches!(Response::parse(bytes.as_bytes()), Response::Broken), "{fields}");
        }
        assert!(matches!(Response::parse(b"SSH-2.0-OpenSSH\r\n"), Response::Broken));
    }
}
