//! Memory of the programs that measure a cache alone: the least of allocators, which gives nothing
//! back.

use static_alloc::Bump;

pub(crate) const BYTES: usize = 8 << 10;

#[global_allocator]
static MEMORY: Bump<[u8; BYTES]> = Bump::uninit();
