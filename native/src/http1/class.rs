//! Classes of bytes in the grammars of HTTP and of URIs, as tables: they are asked for each byte of
//! a head.

/// A set of bytes.
pub(super) struct Class([bool; 256]);

/// `token` (RFC 9110, 5.6.2).
pub(super) static TOKEN: Class = Class::alphanumeric().with(b"!#$%&'*+-.^_`|~");
/// `unreserved` and `sub-delims` (RFC 3986, 2.2 and 2.3).
pub(super) static UNRESERVED_OR_DELIM: Class = Class::alphanumeric().with(b"-._~!$&'()*+,;=");
/// What may stand in a request target: what a URI can hold, but no fragment. (Control characters
/// and spaces end it, or are refused before.)
pub(super) static TARGET: Class = Class::ascii().without(NO_URI);
/// What of that may stand in a path with a query: neither ends them nor is refused.
pub(super) static PATH: Class = Class::graphic().without(NO_URI);
/// What of that stands for itself, and ends no path.
pub(super) static PLAIN_PATH: Class = Class::graphic().without(NO_URI).without(b"%?");
/// The visible characters that stand nowhere in a URI without being encoded, and the one that begins a
/// fragment.
const NO_URI: &[u8] = b"\"<>\\^`{|}#";

impl Class {
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    /// How many bytes at the beginning are all in it. Eight at a time: without a count to keep for each.
    #[inline]
    pub(super) fn prefix(&self, bytes: &[u8]) -> usize {
        let (eights, rest) = bytes.as_chunks::<8>();
        for (whole, eight) in (0..).step_by(8).zip(eights) {
            if let Some(at) = eight.iter().position(|&byte| !self.has(byte)) {
                return whole + at;
            }
        }
        let at = rest.iter().position(|&byte| !self.has(byte));
        bytes.len() - rest.len() + at.unwrap_or(rest.len())
    }

    #[inline]
    pub(super) fn has_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| self.has(byte))
    }

    const fn alphanumeric() -> Self {
        let mut class = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            class[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        Self(class)
    }

    const fn ascii() -> Self {
        let mut class = [false; 256];
        class.split_at_mut(128).0.copy_from_slice(&[true; 128]);
        Self(class)
    }

    const fn graphic() -> Self {
        let mut class = [false; 256];
        let mut byte = b'!';
        while byte <= b'~' {
            class[byte as usize] = true;
            byte += 1;
        }
        Self(class)
    }

    const fn with(self, bytes: &[u8]) -> Self {
        self.set(bytes, true)
    }

    const fn without(self, bytes: &[u8]) -> Self {
        self.set(bytes, false)
    }

    const fn set(mut self, bytes: &[u8], to: bool) -> Self {
        let mut at = 0;
        while at < bytes.len() {
            self.0[bytes[at] as usize] = to;
            at += 1;
        }
        self
    }
}
