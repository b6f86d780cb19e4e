//! What a request is aimed at: the Host field and the forms of a target.

use std::net::Ipv6Addr;

use super::{
    class::{TARGET, UNRESERVED_OR_DELIM},
    request::Reject,
};

/// RFC 9112, 3.2: one valid Host in HTTP/1.1, at most one in any request.
pub(super) fn check_host(count: usize, host: &[u8], is_1_1: bool) -> Result<(), Reject> {
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
    // Nearly all are a name of plain characters.
    match &value[UNRESERVED_OR_DELIM.prefix(value)..] {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => is_other_authority(value),
    }
}

/// The same with an address in brackets, or percent-encoded bytes.
#[cold]
fn is_other_authority(value: &[u8]) -> bool {
    let end = match value.first() {
        Some(b'[') => match value.iter().position(|&byte| byte == b']') {
            Some(end) => end + 1,
            None => return false,
        },
        _ => value.iter().position(|&byte| byte == b':').unwrap_or(value.len()),
    };
    let (host, port) = value.split_at(end);
    let host_ok = match host {
        [b'[', literal @ .., b']'] => is_ip_literal(literal),
        name => is_reg_name(name),
    };
    let port_ok = port.is_empty() || (port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit));
    host_ok && port_ok
}

/// IPv6address or IPvFuture (RFC 3986, 3.2.2).
fn is_ip_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', rest @ ..] => {
            let mut halves = rest.splitn(2, |&byte| byte == b'.');
            let version = halves.next().unwrap_or_default();
            let address = halves.next().unwrap_or_default();
            let is_address = |&byte: &u8| UNRESERVED_OR_DELIM.has(byte) || byte == b':';
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && !address.is_empty()
                && address.iter().all(is_address)
        }
        _ => std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

fn is_reg_name(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'%');
    let is_escape = |part: &[u8]| {
        let digits = part.first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    parts.next().is_none_or(|first| UNRESERVED_OR_DELIM.has_all(first))
        && parts.all(|part| is_escape(part) && UNRESERVED_OR_DELIM.has_all(part))
}

/// RFC 9112, 3.2: the form of a target goes by the method, and no byte stands there that a URI
/// cannot hold.
pub(super) fn check_target(target: &[u8], method: &str) -> Result<(), Reject> {
    let at = TARGET.prefix(target);
    if at < target.len() {
        return Err(Reject::bad(format!(
            "byte {at} of the target is to be percent-encoded (RFC 3986)"
        )));
    }
    match (target, method) {
        (_, "CONNECT") if is_host_and_port(target) => Ok(()),
        (_, "CONNECT") => Err(Reject::bad("the target of CONNECT is HOST:PORT")),
        ([b'/', ..], _) | (b"*", "OPTIONS") => Ok(()),
        _ => check_absolute(target),
    }
}

/// authority-form, with a host and a port that are not empty (RFC 9110, 9.3.6).
fn is_host_and_port(target: &[u8]) -> bool {
    let ends = target.first() != Some(&b':') && target.last().is_some_and(u8::is_ascii_digit);
    let port = target.iter().rposition(|byte| !byte.is_ascii_digit());
    ends && port.is_some_and(|at| target[at] == b':') && is_authority(target)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_checked() {
        for good in ["", "a", "a.b-c:80", "a:", "%41", "[::1]", "[::1]:8", "[v1.a]", "[v1f.a:b]"] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a/b", "u@h", "[::1", "[]", "[a]", "[v.a]", "[v1.]", "a:b", "[::1]x", "%4",
            "a:1:2", "\u{e9}",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn there_is_one_host_or_none_in_http_1_0() {
        assert_eq!(check_host(0, b"", false), Ok(()));
        assert_eq!(check_host(1, b"a:80", true), Ok(()));
        for (count, host, is_1_1) in
            [(0, "", true), (1, "a b", true), (1, "a b", false), (2, "a", true), (2, "a", false)]
        {
            assert!(check_host(count, host.as_bytes(), is_1_1).is_err(), "{count} {host}");
        }
    }

    #[test]
    fn the_form_of_a_target_goes_by_the_method() {
        let is_good = |target: &str, method| check_target(target.as_bytes(), method).is_ok();
        for target in ["/", "/a?b", "//a", "http://h", "HTTP://h:80?x", "http://[::1]/a"] {
            assert!(is_good(target, "GET") && is_good(target, "OPTIONS"), "{target}");
            assert!(!is_good(target, "CONNECT"), "{target}");
        }
        assert!(is_good("*", "OPTIONS"));
        for target in ["h:80", "[::1]:80"] {
            assert!(is_good(target, "CONNECT") && !is_good(target, "GET"), "{target}");
        }
        for target in [
            "*",
            "",
            "a",
            "https://h/",
            "http:/h/",
            "http://",
            "http:///a",
            "http://:80/",
            "http://u@h/",
            "/a<b",
            "/a#b",
            "/\u{e9}",
            "h:",
            ":80",
            "h:8x",
            "h80",
            "8",
            "a b:80",
        ] {
            assert!(!is_good(target, "GET") && !is_good(target, "CONNECT"), "{target}");
        }
    }
}
