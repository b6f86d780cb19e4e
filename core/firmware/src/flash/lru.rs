//! A cache of its own with exact LRU, in a fixed piece of memory.
#![no_std]
#![no_main]

mod stop;

use core::{hint::black_box, mem::MaybeUninit};

use cortex_m_rt::entry;
use gocache_core::{Cache, Instant, Lru, Region, Seed};
use stop::stop;

/// There is no heap but this.
#[global_allocator]
static MEMORY: Region = Region::empty();

#[entry]
fn main() -> ! {
    static mut RAM: [MaybeUninit<u8>; 8 << 10] = [MaybeUninit::uninit(); 8 << 10];
    MEMORY.claim(RAM);
    let seed = Seed::new(black_box(0x5eed));
    let cache = Cache::<Lru>::new(MEMORY.capacity(), seed);
    let Ok(mut cache) = cache else { stop() };
    loop {
        let (key, value) = black_box((b"Tom".as_slice(), b"630".as_slice()));
        let _ = black_box(cache.insert(key, value, Instant::ZERO));
        black_box(cache.get(key, Instant::ZERO));
        black_box(cache.remove(key, Instant::ZERO));
    }
}
