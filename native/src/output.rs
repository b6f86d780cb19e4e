//! What a connection has yet to send: heads in one buffer, large values beside it, in order.

use std::{collections::VecDeque, io::IoSlice, ops::Range};

use gocache_core::Value;

/// Parts of values up to this long are copied behind their heads: below it an entry in a vector of
/// slices costs more than the copy, above it the copy does.
const INLINE: usize = 1 << 10;

/// Sent bytes that may stand before unsent ones.
const COMPACT: usize = 16 << 10;

/// Slices handed to one `writev`.
pub(crate) const MAX_SLICES: usize = 64;

/// A queue of bytes that copies no large value.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The bytes of all `Part::Bytes`, one after the other.
    bytes: Vec<u8>,
    parts: VecDeque<Part>,
    /// Bytes of the first part that are sent already, and of `bytes` likewise.
    sent: usize,
    sent_bytes: usize,
    len: usize,
}

#[derive(Debug)]
enum Part {
    Bytes(usize),
    /// These bytes of the value.
    Value(Value, Range<usize>),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(len) => *len,
            Self::Value(_, range) => range.len(),
        }
    }
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes yet to be sent.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that are held for nobody else: all but large values.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Appends what `write` writes.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let added = self.bytes.len() - before;
        self.len += added;
        match self.parts.back_mut() {
            Some(Part::Bytes(len)) => *len += added,
            _ => self.parts.push_back(Part::Bytes(added)),
        }
    }

    pub(crate) fn push(&mut self, value: Value) {
        if value.len() <= INLINE {
            self.write(|bytes| bytes.extend_from_slice(&value));
        } else {
            let whole = 0..value.len();
            self.push_large(value, whole);
        }
    }

    /// Appends these bytes of a value, which lie within it.
    pub(crate) fn push_part(&mut self, value: Value, range: Range<usize>) {
        if range.len() <= INLINE {
            self.write(|bytes| bytes.extend_from_slice(&value[range]));
        } else {
            self.push_large(value, range);
        }
    }

    fn push_large(&mut self, value: Value, range: Range<usize>) {
        self.len += range.len();
        self.parts.push_back(Part::Value(value, range));
    }

    /// The next bytes to send, and how many of the slices they fill.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut bytes = &self.bytes[self.sent_bytes..];
        let mut sent = self.sent;
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            *slice = IoSlice::new(match part {
                Part::Bytes(len) => {
                    let (this, rest) = bytes.split_at(len - sent);
                    bytes = rest;
                    this
                }
                Part::Value(value, range) => &value[range.start + sent..range.end],
            });
            sent = 0;
            count += 1;
        }
        count
    }

    /// Takes note that the next `count` bytes were sent.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.len -= count;
        while let Some(part) = self.parts.front() {
            let step = count.min(part.len() - self.sent);
            self.sent += step;
            count -= step;
            if let Part::Bytes(_) = part {
                self.sent_bytes += step;
            }
            if self.sent < part.len() {
                break;
            }
            self.parts.pop_front();
            self.sent = 0;
        }
        if self.parts.is_empty() {
            self.bytes.clear();
            self.sent_bytes = 0;
        } else if self.sent_bytes >= COMPACT {
            self.compact();
        }
    }

    /// Lets go of bytes that are sent. Without it the buffer of a client that always leaves some
    /// unsent would grow by everything it ever got.
    fn compact(&mut self) {
        self.bytes.drain(..self.sent_bytes);
        self.sent_bytes = 0;
        if let Some(Part::Bytes(len)) = self.parts.front_mut() {
            *len -= self.sent;
            self.sent = 0;
        }
    }

    /// Gives up buffers that grew beyond what usual answers need.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to(16 << 10);
        self.parts.shrink_to(64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> Value {
        Value::new(bytes).expect("memory for a small value")
    }

    #[test]
    fn bytes_come_out_in_order_however_few_are_sent_at_a_time() {
        let large = vec![b'v'; INLINE + 1];
        let larger: Vec<u8> = (0..=250).cycle().take(INLINE + 9).collect();
        let mut expected = Vec::new();
        for step in 1..97 {
            let mut output = Output::default();
            for round in 0..3_u8 {
                output.write(|bytes| bytes.extend_from_slice(&[b'h', round]));
                output.push(value(b"small"));
                output.write(|bytes| bytes.push(b'H'));
                output.push(value(&large));
                output.push_part(value(&larger), 3..INLINE + 5);
                output.push_part(value(&larger), 1..4);
            }
            expected.clear();
            for round in 0..3_u8 {
                expected.extend([b"h".as_slice(), &[round], b"smallH", &large].concat());
                expected.extend([&larger[3..INLINE + 5], &larger[1..4]].concat());
            }
            assert_eq!(output.len(), expected.len());
            let mut sent = Vec::new();
            while !output.is_empty() {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let count = output.slices(&mut slices);
                let step = step.min(output.len());
                let next: Vec<u8> =
                    slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
                sent.extend_from_slice(&next[..step]);
                output.advance(step);
            }
            assert_eq!(sent, expected);
            assert!(output.parts.is_empty() && output.bytes.is_empty());
        }
    }

    #[test]
    fn sent_bytes_are_let_go_though_some_stay_unsent() {
        let mut output = Output::default();
        let mut sent = 0_usize;
        for round in 0..2_000_u32 {
            output.write(|bytes| bytes.extend_from_slice(&round.to_be_bytes().repeat(100)));
            if round == 1_000 {
                output.push(value(&[7; INLINE + 1]));
            }
            let step = output.len().saturating_sub(150);
            output.advance(step);
            sent += step;
            assert!(output.bytes.len() < COMPACT + 1_000, "{} bytes kept", output.bytes.len());
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = output.slices(&mut slices);
        let rest: Vec<u8> = slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
        assert_eq!(sent + rest.len(), 2_000 * 400 + INLINE + 1);
        assert!(rest.ends_with(&1_999_u32.to_be_bytes()));
    }
}
