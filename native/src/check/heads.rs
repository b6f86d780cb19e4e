//! What has to hold for any head of a request.

use gocache_core::{GroupId, Route};

use super::LONGEST;
use crate::http1::{Head, HeadLimits, KnownFields};

const LIMITS: HeadLimits = HeadLimits { bytes: 200, fields: 6, target: 60 };

/// What is said of the beginning of a head is said of it whatever follows, and whatever has come before.
pub fn request_head(bytes: &[u8]) {
    let read = |mut bytes: Vec<u8>| {
        if let Head::NewerMinor(at) = Head::parse(&bytes, &LIMITS) {
            bytes[at] = b'1';
        }
        match Head::parse(&bytes, &LIMITS) {
            Head::Partial => None,
            Head::Complete(_, used) if used > bytes.len() => panic!("{used} bytes used"),
            Head::NewerMinor(at) => panic!("the version at {at} is still newer"),
            said => Some(format!("{said:?}")),
        }
    };
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let mut before = None;
    for end in 0..=bytes.len() {
        let said = read(bytes[..end].to_vec());
        assert!(before.is_none() || before == said, "{before:?}, at {end} {said:?}");
        before = said;
    }
    known_fields(bytes);
}

/// What is said of a head whose fields have come before, with another target or another line, is what is
/// said of it otherwise; and so with the key that it names.
fn known_fields(bytes: &[u8]) {
    let Head::Complete(first, used) = Head::parse(bytes, &LIMITS) else { return };
    let (head, rest) = bytes.split_at(used);
    // As if its group were one that there is.
    fn route(target: &[u8]) -> Option<Route<'_>> {
        Route::parse("/", target).ok()
    }
    let group = route(first.target).filter(|_| first.target.starts_with(b"/")).and_then(|_| {
        let slash = first.target[1..].iter().position(|&byte| byte == b'/')?;
        Some((GroupId(0), 1 + slash + 1))
    });
    let mut known = KnownFields::default();
    known.note(0, &first, group, head);
    let line = head.iter().position(|&byte| byte == b'\n').unwrap_or(0);
    let (line, fields) = head.split_at(line + 1);
    let begin = &line[..line.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1)];
    let end: &[u8] = b" HTTP/1.1\r\n";
    for line in [line, rest, &[b"GET /", rest, end].concat(), &[begin, rest, end].concat()] {
        let bytes = [line, fields, rest].concat();
        let Some((mut request, used)) = known.request(0, &bytes, &LIMITS) else { continue };
        if let Some((_, key)) = request.key.take() {
            let (route, first) = (route(request.target), route(first.target));
            let (route, first) = (route.expect("it has a key"), first.expect("so had the first"));
            assert_eq!((&*route.group, &*route.key), (&*first.group, key));
        }
        let said = format!("{:?}", Head::Complete(request, used));
        assert_eq!(said, format!("{:?}", Head::parse(&bytes, &LIMITS)), "{}", bytes.escape_ascii());
    }
}
