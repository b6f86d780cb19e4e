//! A node with a group, in a fixed piece of memory.
#![no_std]
#![no_main]

mod region;
mod stop;
mod use_group;

use core::mem::MaybeUninit;

use cortex_m_rt::entry;
use use_group::use_group;

#[entry]
fn main() -> ! {
    static mut RAM: [MaybeUninit<u8>; 8 << 10] = [MaybeUninit::uninit(); 8 << 10];
    use_group(region::claim(RAM))
}
