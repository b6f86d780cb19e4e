//! `Cache-Status` (RFC 9211): a list of caches, each with parameters, in the grammar of RFC 8941.

use super::answer::Answer;

/// What the one cache that stands in the list says.
#[derive(Debug)]
pub(crate) struct CacheStatus {
    cache: String,
    parameters: Vec<(String, String)>,
}

impl CacheStatus {
    /// Reads the field of an answer, which must be there and well-formed.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let text = answer.need("cache-status");
        let status = Self::parse(text);
        answer.must(status.is_some(), "Cache-Status in the grammar of RFC 9211, one member");
        status.expect("checked in the line above")
    }

    /// The answer came out of the cache.
    pub(crate) fn is_hit(&self) -> bool {
        self.ours() && self.parameter("hit") == Some("?1") && self.parameter("fwd").is_none()
    }

    /// The request went forward, for a reason that a lookup by key can have.
    pub(crate) fn is_miss(&self) -> bool {
        let forward = matches!(self.parameter("fwd"), Some("uri-miss" | "miss" | "stale"));
        self.ours() && forward && self.parameter("hit").is_none_or(|hit| hit == "?0")
    }

    fn ours(&self) -> bool {
        self.cache.contains("gocache")
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(other, _)| other == name);
        named.next().map(|(_, value)| value.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let cache = parse_item(parts.next()?.trim_end_matches(' '))?.to_string();
        let mut parameters = Vec::new();
        for part in parts {
            let part = part.trim_start_matches(' ');
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name, parse_item(value)?),
                None => (part, "?1"),
            };
            let key = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
            };
            if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(key)
            {
                return None;
            }
            parameters.push((name.to_string(), value.to_string()));
        }
        Some(Self { cache, parameters })
    }
}

/// A token, a string without escapes, an integer or a boolean; a string's quotes are taken off.
fn parse_item(text: &str) -> Option<&str> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b":/!#$%&'*+-.^_`|~".contains(&byte);
    let first = text.bytes().next()?;
    match first {
        b'"' => {
            let inner = text[1..].strip_suffix('"')?;
            let plain = |byte: u8| {
                (byte == b' ' || byte.is_ascii_graphic()) && byte != b'"' && byte != b'\\'
            };
            inner.bytes().all(plain).then_some(inner)
        }
        b'?' => matches!(text, "?0" | "?1").then_some(text),
        b'-' | b'0'..=b'9' => text.parse::<i64>().ok().map(|_| text),
        b'*' | b'a'..=b'z' | b'A'..=b'Z' => text.bytes().all(token).then_some(text),
        _ => None,
    }
}

#[test]
fn cache_status_is_read() {
    let hit = |text| CacheStatus::parse(text).is_some_and(|status| status.is_hit());
    let miss = |text| CacheStatus::parse(text).is_some_and(|status| status.is_miss());
    assert!(hit("gocache; hit") && hit("\"gocache\";hit;ttl=-3") && hit("gocache; hit=?1"));
    assert!(miss("gocache; fwd=uri-miss") && miss("gocache; fwd=miss; fwd-status=200; stored"));
    assert!(!hit("gocache; hit; fwd=miss") && !hit("gocache; HIT") && !hit("other; hit"));
    assert!(!miss("gocache; fwd=uri miss") && !miss("gocache; fwd=") && !miss("gocache"));
}
