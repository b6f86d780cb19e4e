//! A cache of its own with exact LRU, in a fixed piece of memory.
#![no_std]
#![no_main]

mod region;
mod stop;
mod use_lru;

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use use_lru::use_lru;

#[entry]
fn main() -> ! {
    static mut RAM: [MaybeUninit<u8>; 8 << 10] = [MaybeUninit::uninit(); 8 << 10];
    use_lru(region::claim(RAM))
}
