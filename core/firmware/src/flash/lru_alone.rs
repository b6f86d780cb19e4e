//! A cache of its own with exact LRU, and hardly an allocator.
#![no_std]
#![no_main]

mod bump;
mod stop;
mod use_lru;

use cortex_m_rt::entry;
use use_lru::use_lru;

#[entry]
fn main() -> ! {
    use_lru(bump::BYTES)
}
