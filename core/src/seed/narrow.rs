//! The hash of 32-bit processors: HalfSipHash-1-3 with its output of 64 bits (Aumasson, Bernstein:
//! the sibling of "SipHash: a fast short-input PRF", INDOCRYPT 2012, on words of 32 bits).
//!
//! It adds, shifts and mixes 32 bits at a time, and takes a sixth of the flash of foldhash, whose
//! products of 64 bits are large here, and a third of SipHash's. Its key of 64 bits would be short
//! for what others get to see; a hash table keeps its hashes to itself, and Linux takes the same
//! for its own on such processors.

#[derive(Clone)]
pub(super) struct Key([u32; 2]);

impl Key {
    pub(super) const fn new(random: u64) -> Self {
        Self([random as u32, (random >> 32) as u32])
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        let [low, high] = self.0;
        let mut state = State([low, high ^ 0xee, low ^ 0x6c79_6765, high ^ 0x7465_6462]);
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| state.absorb(u32::from_le_bytes(*word)));
        // The last word has what is left, and in its highest byte the length.
        let length = (bytes.len() as u32) << 24;
        state.absorb(rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)) | length);
        state.0[2] ^= 0xee;
        let low = state.squeeze();
        state.0[1] ^= 0xdd;
        u64::from(state.squeeze()) << 32 | u64::from(low)
    }
}

struct State([u32; 4]);

impl State {
    fn absorb(&mut self, word: u32) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }

    fn squeeze(&mut self) -> u32 {
        (0..3).for_each(|_| self.round());
        self.0[1] ^ self.0[3]
    }

    /// Not inlined, for it would be there four times.
    #[inline(never)]
    fn round(&mut self) {
        let [a, b, c, d] = self.0;
        let (a, c) = (a.wrapping_add(b), c.wrapping_add(d));
        let (b, d) = (b.rotate_left(5) ^ a, d.rotate_left(8) ^ c);
        let (a, c) = (a.rotate_left(16).wrapping_add(d), c.wrapping_add(b));
        let (b, d) = (b.rotate_left(13) ^ c, d.rotate_left(7) ^ a);
        self.0 = [a, b, c.rotate_left(16), d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the authors' reference code gives with one and three rounds, for the key 0, 1, ... 7 and
    /// texts of the bytes 0, 1, 2 and so on.
    #[test]
    fn hashes_are_those_of_the_reference() {
        let key = Key::new(0x0706_0504_0302_0100);
        let hash = |length: u8| key.hash(&(0..length).collect::<alloc::vec::Vec<u8>>());
        for (length, expected) in REFERENCE {
            assert_eq!(hash(length), expected, "of {length} bytes");
        }
    }

    const REFERENCE: [(u8, u64); 12] = [
        (0, 0x2af7_2023_21d0_a576),
        (1, 0x9733_d36f_8d74_e887),
        (2, 0x32d7_3c5d_e11f_ee78),
        (3, 0x3e6c_de6b_a339_523e),
        (4, 0x05ae_8c71_a0db_24eb),
        (5, 0xe6bd_c3cb_4e46_e783),
        (7, 0x8ff1_4cb2_0a2d_053c),
        (8, 0x5f7a_ec1d_31a8_cd3d),
        (12, 0x933f_e7b3_5ccc_7755),
        (15, 0x9a72_a226_a6df_5b16),
        (63, 0xc1c5_1419_20c4_123c),
        (255, 0xc9f7_b2a5_5051_900b),
    ];
}
