//! What the programs that measure a group do with it.

use core::{hint::black_box, time::Duration};

use gocache_core::{Asker, Eviction, Get, Group, Instant, Node, Seed, Settings, Value, Waiter};

use crate::stop::stop;

/// A node with a group: S3-FIFO, lifetimes and single flight, each of their operations.
pub(crate) fn use_group(capacity: usize) -> ! {
    let settings = Settings {
        budget: capacity / 4 * 3,
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
