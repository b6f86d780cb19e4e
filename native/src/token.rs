//! `Token`: what somebody shows who may write. How long a comparison takes tells nothing of it.

use std::fmt;

use subtle::ConstantTimeEq;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;
/// Bytes to which all are padded.
const LONGEST: usize = 256;

/// A bearer token (RFC 6750), which is never printed.
#[derive(Clone)]
pub struct Token {
    padded: [u8; LONGEST],
    len: u16,
}

/// What is no token. It does not say what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadToken;

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a token is {SHORTEST} to {LONGEST} of the characters A-Z a-z 0-9 - . _ ~ + /")
    }
}

impl std::error::Error for BadToken {}

impl Token {
    /// The token of this text, which has to be one that a client can send (RFC 6750, 2.1).
    ///
    /// # Errors
    /// If it is too short, too long, or has other characters in it.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let is_sendable = text.trim_end_matches('=').bytes().all(is_token);
        if text.len() < SHORTEST || !is_sendable {
            return Err(BadToken);
        }
        let (padded, len) = pad(text.as_bytes()).ok_or(BadToken)?;
        Ok(Self { padded, len })
    }

    /// Whether these bytes are the token. All that the time depends on is how many they are.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        let Some((padded, len)) = pad(shown) else { return false };
        bool::from(self.padded.ct_eq(&padded) & self.len.ct_eq(&len))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn pad(bytes: &[u8]) -> Option<([u8; LONGEST], u16)> {
    let mut padded = [0; LONGEST];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some((padded, u16::try_from(bytes.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let text = "0123456789abcdef";
        let token = Token::new(text).expect("a token");
        assert!(token.is(text.as_bytes()));
        for wrong in ["", "0", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!token.is(b"0123456789abcdef\0"), "the padding is no part of it");
        assert!(!token.is(&[0; LONGEST]) && !token.is(&[b'0'; LONGEST + 1]));
        let longest = "x".repeat(LONGEST);
        assert!(Token::new(&longest).expect("a token").is(longest.as_bytes()));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn what_no_client_can_send_is_no_token() {
        assert!(Token::new("0123456789-._~+/==").is_ok());
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "0123456789abcde", "0123456789 abcdef", "012345678=9abcdef", &long] {
            assert_eq!(Token::new(bad).expect_err(bad), BadToken);
        }
    }
}
