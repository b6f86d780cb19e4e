//! The framing of a body, and a decoder that walks over it: strict, linear, without buffers.

use super::class::TOKEN;

/// How a message says where its body ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Length(u64),
    Chunked,
    /// A response without a length: to the end of the connection.
    UntilClose,
}

/// What is wrong with a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// Not in the grammar of RFC 9112, 7.1.
    Malformed,
    /// Chunk extensions or trailers beyond what is read past.
    Overhead,
    /// More content than is wanted, or the announcement of it.
    TooLarge,
}

/// Bytes of chunk extensions and trailers that are read past in one body. They are ignored, and
/// nothing that is ignored may go on for ever (RFC 9112, 7.1.1).
const MAX_OVERHEAD: usize = 16 << 10;

/// Walks over the bytes of one body, in whatever pieces they come.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of content that may still come.
    allowance: u64,
    overhead: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of content are left, of a body with a length.
    Content(u64),
    UntilClose,
    /// Before the first digit of a chunk's size.
    SizeStart,
    Size(u64),
    /// In white space before a semicolon: bad, but to be read (RFC 9110, 5.6.3).
    SizeSpace(u64),
    /// After a semicolon, before the name of an extension.
    ExtensionStart(u64),
    Extension(u64),
    /// Inside a quoted string of an extension, where any text may stand.
    Quoted(u64),
    Escaped(u64),
    SizeLf(u64),
    /// So many bytes of this chunk are left.
    Chunk(u64),
    ChunkCr,
    ChunkLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

/// One step of the decoder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    /// Bytes of the input that it took.
    pub(crate) used: usize,
    /// Those among them that are content.
    pub(crate) content: &'a [u8],
}

impl Decoder {
    /// A decoder for a body of up to `limit` bytes.
    pub(crate) const fn new(body: Body, limit: u64) -> Self {
        let state = match body {
            Body::Empty | Body::Length(0) => State::Done,
            Body::Length(length) => State::Content(length),
            Body::Chunked => State::SizeStart,
            Body::UntilClose => State::UntilClose,
        };
        Self { state, allowance: limit, overhead: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the body is whole if the connection ends here.
    pub(crate) fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Takes one run of content, or the framing up to the next one. To be called until the input is
    /// used up or the body done.
    pub(crate) fn step<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, BodyError> {
        let mut used = 0;
        while used < input.len() && !self.is_done() {
            let rest = &input[used..];
            if let Some(run) = self.content(rest.len()) {
                let left = self.allowance.checked_sub(run as u64);
                self.allowance = left.ok_or(BodyError::TooLarge)?;
                return Ok(Step { used: used + run, content: &rest[..run] });
            }
            self.framing(rest[0])?;
            used += 1;
        }
        Ok(Step { used, content: &[] })
    }

    /// How many of the next bytes are content; `None` between chunks.
    fn content(&mut self, available: usize) -> Option<usize> {
        let (left, after) = match self.state {
            State::Content(left) => (left, State::Done),
            State::Chunk(left) => (left, State::ChunkCr),
            State::UntilClose => return Some(available),
            _ => return None,
        };
        let run = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - run as u64;
        self.state = match (left, self.state) {
            (0, _) => after,
            (_, State::Chunk(_)) => State::Chunk(left),
            _ => State::Content(left),
        };
        Some(run)
    }

    fn framing(&mut self, byte: u8) -> Result<(), BodyError> {
        use State::*;
        self.state = match (self.state, byte) {
            (SizeStart, _) => Size(digit(byte)?),
            (Size(size), b'\r') => SizeLf(size),
            (Size(size), b';') => ExtensionStart(size),
            (Size(size) | SizeSpace(size), b' ' | b'\t') => SizeSpace(size),
            (SizeSpace(size), b';') => ExtensionStart(size),
            (Size(size), _) => Size(append(size, digit(byte)?)?),
            (ExtensionStart(size), b' ' | b'\t') => ExtensionStart(size),
            (ExtensionStart(size), _) if TOKEN.has(byte) => Extension(size),
            (Extension(size), b'\r') => SizeLf(size),
            (Extension(size), b';') => ExtensionStart(size),
            (Extension(size), b'"') => Quoted(size),
            (Quoted(size), b'"') => Extension(size),
            (Quoted(size), b'\\') => Escaped(size),
            (Escaped(size), _) if is_text(byte) => Quoted(size),
            (state @ (Extension(_) | Quoted(_)), _) if is_text(byte) => state,
            (SizeLf(0), b'\n') => TrailerStart,
            // A chunk that is too large is refused before it comes.
            (SizeLf(size), b'\n') if size > self.allowance => return Err(BodyError::TooLarge),
            (SizeLf(size), b'\n') => Chunk(size),
            (ChunkCr, b'\r') => ChunkLf,
            (ChunkLf, b'\n') => SizeStart,
            (TrailerStart, b'\r') => EndLf,
            (EndLf, b'\n') => Done,
            // Trailers are dropped (RFC 9110, 6.5.1), but they have to be field lines.
            (TrailerStart | TrailerName, _) if TOKEN.has(byte) => TrailerName,
            (TrailerName, b':') => TrailerValue,
            (TrailerValue, b'\r') => TrailerLf,
            (TrailerValue, _) if is_text(byte) => TrailerValue,
            (TrailerLf, b'\n') => TrailerStart,
            _ => return Err(BodyError::Malformed),
        };
        let is_overhead = matches!(
            self.state,
            SizeSpace(_)
                | ExtensionStart(_)
                | Extension(_)
                | Quoted(_)
                | Escaped(_)
                | TrailerName
                | TrailerValue
        );
        self.overhead += usize::from(is_overhead);
        if self.overhead > MAX_OVERHEAD { Err(BodyError::Overhead) } else { Ok(()) }
    }
}

fn digit(byte: u8) -> Result<u64, BodyError> {
    char::from(byte).to_digit(16).map(u64::from).ok_or(BodyError::Malformed)
}

/// RFC 9112, 7.1: large sizes must not overflow.
fn append(size: u64, digit: u64) -> Result<u64, BodyError> {
    let shifted = size.checked_mul(16).ok_or(BodyError::Malformed)?;
    Ok(shifted | digit)
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Content and bytes used, with the input cut into pieces of this size.
    fn decode(body: Body, input: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), BodyError> {
        let mut decoder = Decoder::new(body, 100);
        let (mut content, mut used) = (Vec::new(), 0);
        for mut piece in input.chunks(piece) {
            while !piece.is_empty() && !decoder.is_done() {
                let step = decoder.step(piece)?;
                content.extend_from_slice(step.content);
                used += step.used;
                piece = &piece[step.used..];
            }
        }
        Ok((content, used, decoder.is_done()))
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut() {
        let cases: [(Body, &[u8], &[u8], usize); 8] = [
            (Body::Empty, b"GET", b"", 0),
            (Body::Length(3), b"630GET", b"630", 3),
            (Body::Chunked, b"3\r\n630\r\n0\r\n\r\nGET", b"630", 13),
            (Body::Chunked, b"1\r\n6\r\n02\r\n30\r\n000\r\n\r\n", b"630", 21),
            (Body::Chunked, b"a;x=\"\\\";\t\";y\r\n0123456789\r\n0\r\n\r\n", b"0123456789", 31),
            (Body::Chunked, b"1 \t; a;b\r\n6\r\n0\r\n\r\n", b"6", 18),
            (Body::Chunked, b"0\r\nA: b\r\nC:\r\n\r\nGET", b"", 15),
            (Body::UntilClose, b"630", b"630", 3),
        ];
        for (body, input, content, used) in cases {
            for piece in 1..=input.len() {
                let decoded = decode(body, input, piece).expect("a sound body");
                let done = body != Body::UntilClose;
                assert_eq!(decoded, (content.to_vec(), used, done), "{}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn a_chunk_outside_the_grammar_is_refused() {
        let cases: [&[u8]; 23] = [
            b"\r\n",
            b"g\r\n",
            b"5 \r\n",
            b" 5\r\n",
            b"+5\r\n",
            b"0x5\r\n",
            b"5\n",
            b"5\r\r",
            b"5;\r\n",
            b"5;a;\r\n",
            b"0\r\nA\r\n",
            b"0\r\nA : b\r\n",
            b"0\r\n: b\r\n",
            b"5;a\n",
            b"5;\0\r\n",
            b"5;\"\r\n",
            b"5;a=\"\\\x01\"\r\n",
            b"0\r\nA: \x01\r\n",
            b"1\r\n6\n",
            b"1\r\n63",
            b"0\r\n\n",
            b"0\r\n A: b\r\n",
            b"10000000000000000\r\n",
        ];
        for input in cases {
            let decoded = decode(Body::Chunked, input, 1);
            assert_eq!(decoded, Err(BodyError::Malformed), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn only_a_body_without_a_length_may_end_anywhere() {
        for (body, input, may_end) in [
            (Body::Empty, b"".as_slice(), true),
            (Body::Length(3), b"63", false),
            (Body::Length(3), b"630", true),
            (Body::Chunked, b"1\r\n6\r\n0\r\n\r", false),
            (Body::Chunked, b"0\r\n\r\n", true),
            (Body::UntilClose, b"", true),
            (Body::UntilClose, b"630", true),
        ] {
            let mut decoder = Decoder::new(body, 100);
            let mut rest = input;
            while !rest.is_empty() {
                rest = &rest[decoder.step(rest).expect("a sound body").used..];
            }
            assert_eq!(decoder.may_end(), may_end, "{body:?} {}", input.escape_ascii());
        }
    }

    #[test]
    fn content_ends_at_a_limit_and_an_announcement_of_more_does_too() {
        let long = vec![b'x'; 101];
        for (body, input) in [
            (Body::Length(101), long.as_slice()),
            (Body::UntilClose, &long),
            (Body::Chunked, b"65\r\n"),
            (Body::Chunked, b"1\r\nx\r\n64\r\n"),
        ] {
            assert_eq!(decode(body, input, 7), Err(BodyError::TooLarge), "{body:?}");
        }
        assert!(decode(Body::Length(100), &long[..100], 7).expect("just fits").2);
        let chunked = [b"64\r\n", &long[..100], b"\r\n0\r\n\r\n"].concat();
        assert!(decode(Body::Chunked, &chunked, 7).expect("just fits").2);
    }

    #[test]
    fn extensions_and_trailers_end_at_a_limit() {
        for (start, end) in
            [(b"1;".as_slice(), b"\r\nx\r\n0\r\n\r\n".as_slice()), (b"0\r\nA:", b"\r\n\r\n")]
        {
            // The semicolon, and so the colon and the letter before it.
            let most = MAX_OVERHEAD - if start[0] == b'1' { 1 } else { 2 };
            let text = [b'x'; MAX_OVERHEAD];
            let input = [start, &text[..most], end].concat();
            assert!(decode(Body::Chunked, &input, 999).expect("just what is read past").2);
            let input = [start, &text[..=most], end].concat();
            assert_eq!(decode(Body::Chunked, &input, 999), Err(BodyError::Overhead));
        }
    }
}
