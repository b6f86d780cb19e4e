//! A program that does nothing: what the runtime takes up without a cache.
#![no_std]
#![no_main]

mod stop;

use cortex_m_rt::entry;
use stop::stop;

#[entry]
fn main() -> ! {
    stop()
}
