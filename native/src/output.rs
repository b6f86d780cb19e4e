//! What a connection has yet to send: heads in one buffer, large values beside it, in order.

use std::{collections::VecDeque, io::IoSlice, mem, ops::Range};

use gocache_core::Value;

/// Parts of values up to this long are copied behind their heads: below it an entry in a vector of
/// slices costs more than the copy, above it the copy does.
pub(crate) const INLINE: usize = 1 << 10;

/// More than the head of an answer takes.
pub(crate) const HEAD: usize = 512;

/// More than an answer takes of the buffer: its head, and what is copied behind it.
const ROOM: usize = HEAD + INLINE;

/// Sent bytes that may stand before unsent ones.
const COMPACT: usize = 16 << 10;

/// What is kept of empty buffers.
const USUAL_BYTES: usize = 48 << 10;
const USUAL_VALUES: usize = 64;

/// Slices handed to one `writev`.
pub(crate) const MAX_SLICES: usize = 64;

/// A queue of bytes that copies no large value.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// All but the large values, one after the other.
    bytes: Vec<u8>,
    values: VecDeque<Large>,
    /// How many of `bytes` are sent already, and how many of the first value, which is the next to be sent
    /// where there are some.
    sent: usize,
    sent_of_value: usize,
    len: usize,
}

/// A large value, or a part of it, and where it stands: before the byte of this number.
#[derive(Debug)]
struct Large {
    at: usize,
    value: Value,
    range: Range<usize>,
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
    #[inline]
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        self.len += self.bytes.len() - before;
    }

    /// Makes room for one more answer, if there is memory for it. (Text makes room for itself.)
    #[inline(always)]
    pub(crate) fn make_room(&mut self) -> bool {
        let has_room = self.bytes.capacity() - self.bytes.len() >= ROOM && self.values.is_empty();
        has_room || self.make_more_room()
    }

    #[inline(never)]
    fn make_more_room(&mut self) -> bool {
        // Most buffers never have a large value in them, and need no room for one.
        self.bytes.try_reserve(ROOM).is_ok()
            && (self.values.is_empty() || self.values.try_reserve(1).is_ok())
    }

    /// Makes room for so many bytes, if there is memory for them.
    pub(crate) fn reserve(&mut self, len: usize) -> bool {
        self.bytes.try_reserve(len).is_ok()
    }

    #[inline]
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
        self.values.push_back(Large { at: self.bytes.len(), value, range });
    }

    /// The next bytes to send that stand in one piece.
    pub(crate) fn front(&self) -> &[u8] {
        match self.values.front() {
            Some(first) if first.at == self.sent => self.rest_of(first),
            Some(first) => &self.bytes[self.sent..first.at],
            None => &self.bytes[self.sent..],
        }
    }

    /// What is unsent of the first value.
    fn rest_of<'a>(&self, Large { value, range, .. }: &'a Large) -> &'a [u8] {
        &value[range.start + self.sent_of_value..range.end]
    }

    /// The next bytes to send, and how many of the slices they fill.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let (mut at, mut sent_of_value) = (self.sent, self.sent_of_value);
        let pieces = self.values.iter().flat_map(|Large { at: end, value, range }| {
            let before = &self.bytes[mem::replace(&mut at, *end)..*end];
            [before, &value[range.start + mem::take(&mut sent_of_value)..range.end]]
        });
        let last = self.values.back().map_or(self.sent, |last| last.at);
        let pieces = pieces.chain([&self.bytes[last..]]).filter(|piece| !piece.is_empty());
        let filled =
            slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece));
        filled.count()
    }

    /// Takes note that the next `count` bytes were sent.
    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.len -= count;
        if self.len == 0 {
            self.bytes.clear();
            self.values.clear();
            (self.sent, self.sent_of_value) = (0, 0);
        } else {
            self.advance_within(count);
        }
    }

    fn advance_within(&mut self, mut count: usize) {
        while let Some(first) = self.values.front() {
            let before = count.min(first.at - self.sent);
            self.sent += before;
            count -= before;
            let step = count.min(first.range.len() - self.sent_of_value);
            self.sent_of_value += step;
            count -= step;
            if self.sent < first.at || self.sent_of_value < first.range.len() {
                break;
            }
            self.values.pop_front();
            self.sent_of_value = 0;
        }
        self.sent += count;
        if self.sent >= COMPACT {
            self.compact();
        }
    }

    /// Lets go of bytes that are sent. Without it the buffer of a client that always leaves some
    /// unsent would grow by everything it ever got.
    fn compact(&mut self) {
        let sent = mem::take(&mut self.sent);
        self.bytes.drain(..sent);
        self.values.iter_mut().for_each(|value| value.at -= sent);
    }

    /// Gives up buffers that grew beyond what usual answers need, once all is sent. (To make them smaller
    /// could fail.)
    pub(crate) fn shrink(&mut self) {
        if self.bytes.capacity() > USUAL_BYTES || self.values.capacity() > USUAL_VALUES {
            *self = Self::default();
        }
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
                assert_eq!(output.front(), &*slices[0]);
                let next: Vec<u8> =
                    slices[..count].iter().flat_map(|s| s.iter().copied()).collect();
                sent.extend_from_slice(&next[..step]);
                output.advance(step);
            }
            assert_eq!(sent, expected);
            assert!(output.values.is_empty() && output.bytes.is_empty());
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
