//! `Blocks`: which words of a region are free, as a good fit in two levels (after TLSF: Masmano et
//! al., "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004).
//!
//! ```text
//! | lists | block in use ......... mark | free: size | next | previous | ... | size | block ... mark |
//! ```
//!
//! A block in use keeps no more than its last byte to itself, for who gives it back says how long
//! it is. That *mark* says whether the block is free and whether the next one is: enough to find
//! both neighbours. A free piece has its size at both ends, and links to others of about its size;
//! one of fewer than four words has no room for them and waits until a neighbour is free.

use super::Words;

/// The most words of a region: what is left of 32 bits beside the flags.
pub(super) const MOST: u32 = 1 << 30;
const SIZE: u32 = MOST - 1;

/// The flags of a mark, and where they are in the size at the end of a free piece: its last byte.
const FREE: u8 = 1 << 7;
const NEXT_FREE: u8 = 1 << 6;
const FREE_SIZE: u32 = (FREE as u32) << 24;

/// A free piece that is shorter stands in no list.
const SHORTEST: u32 = 4;
/// Free pieces that are looked at for one that fits tightly.
const LOOKS: u32 = 16;

/// Stands for "no piece": there are the lists.
const NONE: u32 = 0;

/// A list of free pieces of about one size for each *class*. The classes of one row have sizes of
/// the same magnitude, so many to a row; each row has a word that says which of its lists have any.
pub(super) struct Blocks {
    words: Words,
    /// Classes to a row, as a power of two.
    row_bits: u32,
    /// Which rows have any.
    rows: u32,
    /// Where the blocks begin, behind the lists.
    first: u32,
    free: u32,
}

impl Blocks {
    pub(super) const EMPTY: Self =
        Self { words: Words::NONE, row_bits: 0, rows: 0, first: NONE, free: 0 };

    pub(super) fn new(words: Words) -> Self {
        // Finer classes waste less, and take more room for their lists.
        let row_bits = (words.len.max(1).ilog2() / 4).clamp(2, 5);
        let mut blocks = Self { words, row_bits, ..Self::EMPTY };
        let len = blocks.words.len;
        let first = blocks.list(blocks.class(len) + 1);
        if first + SHORTEST <= len {
            blocks.first = first;
            blocks.free = len - first;
            (0..first).for_each(|at| blocks.words.set(at, 0));
            blocks.link(first, len - first);
        }
        blocks
    }

    pub(super) const fn words(&self) -> &Words {
        &self.words
    }

    pub(super) const fn capacity(&self) -> u32 {
        if self.first == NONE { 0 } else { self.words.len - self.first }
    }

    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    /// Finds so many words, so aligned, and says where.
    pub(super) fn take(&mut self, len: u32, align: u32) -> Option<u32> {
        let (piece, start) = self.find(len, align)?;
        let size = self.size(piece);
        self.unlink(piece, size);
        let (before, after) = (start - piece, piece + size - start - len);
        let end = start + len;
        self.words.set_mark(end, if after > 0 { NEXT_FREE } else { 0 });
        if after > 0 {
            self.link(end, after);
        }
        if before > 0 {
            self.link(piece, before);
        } else if piece > self.first {
            self.words.set_mark(piece, 0);
        }
        self.free -= len;
        Some(start)
    }

    /// Takes back what was found. It joins what is free on both sides.
    pub(super) fn give(&mut self, start: u32, len: u32) {
        self.free += len;
        let (mut from, mut end) = (start, start + len);
        if self.words.mark(end) & NEXT_FREE != 0 {
            let size = self.size(end);
            self.unlink(end, size);
            end += size;
        }
        if start > self.first {
            let mark = self.words.mark(start);
            if mark & FREE == 0 {
                self.words.set_mark(start, NEXT_FREE);
            } else {
                let size = self.size(start - 1);
                from -= size;
                self.unlink(from, size);
            }
        }
        self.link(from, end - from);
    }

    /// A free piece, and where in it a block of this length and alignment begins.
    fn find(&self, len: u32, align: u32) -> Option<(u32, u32)> {
        let fits = |piece: u32| {
            let address = piece.wrapping_add(self.words.address() as u32);
            let gap = address.wrapping_neg() & (align - 1);
            (gap.saturating_add(len) <= self.size(piece)).then_some((piece, piece + gap))
        };
        let mut class = self.class(len);
        let mut looks = LOOKS;
        while let Some((found, mut piece)) = self.next_list(class) {
            while piece != NONE && looks > 0 {
                if let Some(fit) = fits(piece) {
                    return Some(fit);
                }
                looks -= 1;
                piece = self.words.get(piece + 1);
            }
            if looks == 0 {
                break;
            }
            class = found + 1;
        }
        // Whatever is of the next class after this one is long enough.
        let (_, piece) = self.next_list(self.class(len.saturating_add(align - 1)) + 1)?;
        fits(piece)
    }

    /// The class of a length: exact for the shortest, else all but the highest bits are dropped.
    fn class(&self, len: u32) -> u32 {
        let row = (len >> self.row_bits).checked_ilog2().map_or(0, |row| row + 1);
        let column = len >> row.saturating_sub(1);
        // The column of all rows but the first counts its highest bit, as one row more.
        (row.saturating_sub(1) << self.row_bits) + column
    }

    /// Where the list of a class is.
    const fn list(&self, class: u32) -> u32 {
        class + self.row_of(class) + 1
    }

    const fn row_of(&self, class: u32) -> u32 {
        class >> self.row_bits
    }

    /// Where the word of a row is that says which of its lists have any.
    const fn row(&self, row: u32) -> u32 {
        row + (row << self.row_bits)
    }

    const fn column(&self, class: u32) -> u32 {
        1 << (class & ((1 << self.row_bits) - 1))
    }

    /// The first class from this one on whose list has any, and the first piece of it.
    fn next_list(&self, class: u32) -> Option<(u32, u32)> {
        let row = self.row_of(class);
        let has_own = self.rows.checked_shr(row).is_some_and(|rows| rows & 1 == 1);
        let own = if has_own { self.words.get(self.row(row)) } else { 0 };
        let (row, columns) = match own & self.column(class).wrapping_neg() {
            0 => {
                let above = self.rows & u32::MAX.checked_shl(row + 1)?;
                let row = (above != 0).then(|| above.trailing_zeros())?;
                (row, self.words.get(self.row(row)))
            }
            columns => (row, columns),
        };
        let class = (row << self.row_bits) + columns.trailing_zeros();
        Some((class, self.words.get(self.list(class))))
    }

    /// The size of a free piece, from its first or its last word.
    fn size(&self, at: u32) -> u32 {
        self.words.get(at) & SIZE
    }

    /// Makes a free piece of these words. Its neighbours are in use.
    fn link(&mut self, piece: u32, size: u32) {
        self.words.set(piece, FREE_SIZE | size);
        self.words.set(piece + size - 1, FREE_SIZE | size);
        if size < SHORTEST {
            return;
        }
        let class = self.class(size);
        let (list, row) = (self.list(class), self.row(self.row_of(class)));
        let next = self.words.get(list);
        self.words.set(piece + 1, next);
        self.words.set(piece + 2, NONE);
        if next != NONE {
            self.words.set(next + 2, piece);
        }
        self.words.set(list, piece);
        self.words.set(row, self.words.get(row) | self.column(class));
        self.rows |= 1 << self.row_of(class);
    }

    fn unlink(&mut self, piece: u32, size: u32) {
        if size < SHORTEST {
            return;
        }
        let (next, previous) = (self.words.get(piece + 1), self.words.get(piece + 2));
        if next != NONE {
            self.words.set(next + 2, previous);
        }
        if previous != NONE {
            self.words.set(previous + 1, next);
            return;
        }
        let class = self.class(size);
        let row = self.row(self.row_of(class));
        self.words.set(self.list(class), next);
        if next == NONE {
            let others = self.words.get(row) & !self.column(class);
            self.words.set(row, others);
            if others == 0 {
                self.rows &= !(1 << self.row_of(class));
            }
        }
    }

    /// Recounts from scratch, and panics where two views differ.
    #[cfg(any(test, feature = "check"))]
    pub(super) fn check(&self) {
        let mut free = alloc::vec::Vec::new();
        for row in 0..u32::BITS {
            let columns = if self.rows >> row & 1 == 0 { 0 } else { self.words.get(self.row(row)) };
            assert_eq!(self.rows >> row & 1 == 0, columns == 0, "a row with lists has pieces");
            for column in (0..u32::BITS).filter(|column| columns >> column & 1 == 1) {
                let class = (row << self.row_bits) + column;
                let (mut piece, mut previous) = (self.words.get(self.list(class)), NONE);
                assert_ne!(piece, NONE, "a list with a flag has pieces");
                while piece != NONE {
                    let size = self.size(piece);
                    assert_eq!(self.class(size), class, "a piece stands in the list of its size");
                    assert_eq!(self.words.get(piece + 2), previous, "links lead there and back");
                    free.push((piece, size));
                    (previous, piece) = (piece, self.words.get(piece + 1));
                }
            }
        }
        free.sort_unstable();
        let mut from = self.first;
        for &(piece, size) in &free {
            assert!(piece >= from, "free pieces do not overlap");
            let is_alone = piece == self.first || self.words.mark(piece) & FREE == 0;
            assert!(is_alone, "free pieces that meet are one");
            let is_known = piece == self.first || self.words.mark(piece) & NEXT_FREE != 0;
            assert!(is_known, "the block before knows");
            assert_eq!(self.size(piece + size - 1), size, "a piece reads the same from its end");
            assert_ne!(self.words.mark(piece + size) & FREE, 0);
            from = piece + size;
        }
        assert!(from <= self.words.len);
        let listed: u32 = free.iter().map(|(_, size)| size).sum();
        assert!(listed <= self.free && self.free <= self.capacity());
    }
}
