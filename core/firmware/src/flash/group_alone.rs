//! A node with a group, and hardly an allocator.
#![no_std]
#![no_main]

mod bump;
mod stop;
mod use_group;

use cortex_m_rt::entry;
use use_group::use_group;

#[entry]
fn main() -> ! {
    use_group(bump::BYTES)
}
