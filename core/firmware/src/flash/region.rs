//! Memory of the programs that measure: a fixed piece, managed by a [`Region`].

use core::mem::MaybeUninit;

use gocache_core::Region;

/// There is no heap but this.
#[global_allocator]
static MEMORY: Region = Region::empty();

/// Makes it ready. Says how many bytes there are.
pub(crate) fn claim(ram: &'static mut [MaybeUninit<u8>]) -> usize {
    MEMORY.claim(ram);
    MEMORY.capacity()
}
