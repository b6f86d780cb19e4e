//! `Payload`: a value that the servers hold.

#[derive(Clone, Copy)]
pub(crate) struct Payload {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) bytes: usize,
}

impl Payload {
    pub(crate) const SMALL: Self = Self { key: "small", label: "3B", bytes: 3 };
    pub(crate) const PAGE: Self = Self { key: "page", label: "4KiB", bytes: 4 << 10 };

    pub(crate) fn value(&self) -> Vec<u8> {
        vec![b'x'; self.bytes]
    }
}
