//! What the fields of a PUT or a DELETE say: who asks, and what the write depends on.

use httparse::Header;

use gocache_core::http::list;

/// The fields that matter to a write.
#[derive(Debug, Default)]
pub(crate) struct WriteFields<'a> {
    pub(crate) credentials: Credentials<'a>,
    /// The write is to be done only in some state of the value (RFC 9110, 13.1).
    pub(crate) is_conditional: bool,
    /// The content is some coding of the value and not the value.
    pub(crate) is_encoded: bool,
    /// The content is a part of the value.
    pub(crate) is_partial: bool,
}

/// What `Authorization` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    /// Nothing that is known here.
    #[default]
    None,
    /// A bearer token (RFC 6750, 2.1).
    Bearer(&'a [u8]),
    /// It stands there more than once.
    Ambiguous,
}

impl<'a> WriteFields<'a> {
    pub(super) fn read(headers: &[Header<'a>]) -> Self {
        let mut fields = Self::default();
        let mut is_authorized = false;
        for Header { name, value } in headers {
            let is = |field: &str| name.eq_ignore_ascii_case(field);
            if is("authorization") {
                let again = std::mem::replace(&mut is_authorized, true);
                fields.credentials =
                    if again { Credentials::Ambiguous } else { Credentials::of(value) };
            } else if is("if-match") || is("if-none-match") || is("if-unmodified-since") {
                fields.is_conditional = true;
            } else if is("content-encoding") {
                fields.is_encoded |=
                    list(value).any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
            } else if is("content-range") {
                fields.is_partial = true;
            }
        }
        fields
    }
}

impl<'a> Credentials<'a> {
    fn of(value: &'a [u8]) -> Self {
        match value.split_at_checked(7) {
            // The scheme is not case-sensitive (RFC 9110, 11.1).
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                Self::Bearer(token.trim_ascii_start())
            }
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(fields: &[(&'a str, &'a str)]) -> WriteFields<'a> {
        let header = |&(name, value): &(&'a str, &'a str)| Header { name, value: value.as_bytes() };
        WriteFields::read(&fields.iter().map(header).collect::<Vec<_>>())
    }

    #[test]
    fn a_bearer_token_is_read_once() {
        let bearer = |value| read(&[("authorization", value)]).credentials;
        for value in ["Bearer abc", "bearer abc", "BEARER   abc"] {
            assert_eq!(bearer(value), Credentials::Bearer(b"abc"), "{value}");
        }
        for value in ["", "Bearer", "Basic abc", "Bearerabc", "abc"] {
            assert_eq!(bearer(value), Credentials::None, "{value}");
        }
        for first in ["Basic abc", "Bearer abc"] {
            let twice = read(&[("Authorization", first), ("AUTHORIZATION", "Bearer abc")]);
            assert_eq!(twice.credentials, Credentials::Ambiguous);
        }
    }

    #[test]
    fn what_the_write_depends_on_is_seen() {
        for name in ["If-Match", "if-none-match", "If-Unmodified-Since"] {
            assert!(read(&[(name, "*")]).is_conditional, "{name}");
        }
        assert!(!read(&[("If-Modified-Since", "x"), ("If-Range", "x")]).is_conditional);
        assert!(read(&[("Content-Range", "bytes 0-1/2")]).is_partial);
        for (codings, is_encoded) in [("", false), ("Identity", false), ("identity, br", true)] {
            assert_eq!(read(&[("Content-Encoding", codings)]).is_encoded, is_encoded, "{codings}");
        }
    }
}
