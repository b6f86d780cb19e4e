//! What the programs that measure a cache do with it.

use core::hint::black_box;

use gocache_core::{Cache, Instant, Lru, Seed};

use crate::stop::stop;

/// A cache of its own with exact LRU: each of its operations.
pub(crate) fn use_lru(budget: usize) -> ! {
    let seed = Seed::new(black_box(0x5eed));
    let Ok(mut cache) = Cache::<Lru>::new(budget, seed) else { stop() };
    loop {
        let (key, value) = black_box((b"Tom".as_slice(), b"630".as_slice()));
        let _ = black_box(cache.insert(key, value, Instant::ZERO));
        black_box(cache.get(key, Instant::ZERO));
        black_box(cache.remove(key, Instant::ZERO));
    }
}
