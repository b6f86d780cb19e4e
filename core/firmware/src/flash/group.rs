//! A node with a group: S3-FIFO, lifetimes and single flight, in a fixed piece of memory.
#![no_std]
#![no_main]

mod stop;

use core::{hint::black_box, mem::MaybeUninit, time::Duration};

use cortex_m_rt::entry;
use gocache_core::{
    Asker, Eviction, Get, Group, Instant, Node, Region, Seed, Settings, Value, Waiter,
};
use stop::stop;

/// There is no heap but this.
#[global_allocator]
static MEMORY: Region = Region::empty();

#[entry]
fn main() -> ! {
    static mut RAM: [MaybeUninit<u8>; 8 << 10] = [MaybeUninit::uninit(); 8 << 10];
    MEMORY.claim(RAM);
    let settings = Settings {
        budget: MEMORY.capacity() / 4 * 3,
        eviction: Eviction::S3Fifo,
        lifetime: Some(Duration::from_secs(10)),
        ..Settings::default()
    };
    let mut node = Node::new();
    let group = Group::new("scores", settings, Seed::new(black_box(0x5eed)));
    let Ok(group) = group else { stop() };
    let Ok(group) = node.add(group) else { stop() };
    loop {
        let (key, now) = black_box((b"Tom".as_slice(), Instant::ZERO));
        let got = node.get(group, key, Asker::Client, Waiter(1), now);
        if let Ok(Get::Fetch(fetch)) = black_box(got) {
            let value = Value::new(black_box(b"630"));
            let result = value.map(From::from).map_err(From::from);
            black_box(node.land(fetch, result, now));
        }
        black_box(node.overdue(now));
        black_box(node.remove(group, key, now));
    }
}
