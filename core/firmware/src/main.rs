//! gocache in a microcontroller: caches and groups in a fixed piece of memory, without any heap.
//!
//! `cargo run --release` in this folder runs it in QEMU. Each scenario checks what it shows, prints
//! one line, and leaves no byte of memory behind; then comes `ok`.
#![no_std]
#![no_main]

use core::{mem::MaybeUninit, panic::PanicInfo, time::Duration};

use cortex_m_rt::entry;
use gocache_core::{
    Asker, Cache, Eviction, Get, Group, Instant, Landing, LoadError, Lru, Node, Region, S3Fifo,
    Seed, Settings, Value, Waiter,
};
use semihosting::{println, process};

/// All the memory that can be allocated in this program.
#[global_allocator]
static MEMORY: Region = Region::empty();

/// To be drawn from the random number generator of the chip, where strangers choose the keys.
const SEED: Seed = Seed::new(0x5eed);
const ENOUGH: &str = "the region has room for the tables";

#[entry]
fn main() -> ! {
    // The runtime hands it out once, as `&'static mut`.
    static mut RAM: [MaybeUninit<u8>; 16 << 10] = [MaybeUninit::uninit(); 16 << 10];
    assert!(MEMORY.claim(RAM), "it was empty");
    for scenario in [lru, s3_fifo, lifetime, group, single_flight] {
        scenario();
        assert_eq!(MEMORY.free(), MEMORY.capacity(), "all of it has come back");
    }
    println!("ok");
    process::exit(0)
}

/// A panic ends the run with its message and a code; a product would reset here.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(1)
}

/// Far more goes in than fits: what was used last stays.
fn lru() {
    let mut cache: Cache<Lru> = Cache::new(MEMORY.capacity(), SEED).expect(ENOUGH);
    cache.insert(b"calibration", b"used all the time", Instant::ZERO).expect("it fits");
    for number in 0..2_000_u32 {
        cache.insert(&number.to_le_bytes(), &[7; 24], Instant::ZERO).expect("others make room");
        assert!(cache.get(b"calibration", Instant::ZERO).is_some(), "it is never the oldest");
    }
    assert!(cache.get(&1_999_u32.to_le_bytes(), Instant::ZERO).is_some());
    assert!(cache.get(&0_u32.to_le_bytes(), Instant::ZERO).is_none());
    println!("lru: {} of 2001 entries in {} bytes", cache.len(), cache.used());
}

/// What is asked for again and again outlives a scan of keys that are asked for once.
fn s3_fifo() {
    let mut cache: Cache<S3Fifo> = Cache::new(MEMORY.capacity(), SEED).expect(ENOUGH);
    let keys = (0..24_u32).map(u32::to_le_bytes);
    for key in keys.clone() {
        cache.insert(&key, &[7; 24], Instant::ZERO).expect("it fits");
        (0..3).for_each(|_| drop(cache.get(&key, Instant::ZERO)));
    }
    for number in 1_000..3_000_u32 {
        cache.insert(&number.to_le_bytes(), &[7; 24], Instant::ZERO).expect("others make room");
    }
    let hits = keys.filter(|key| cache.get(key, Instant::ZERO).is_some()).count();
    assert_eq!(hits, 24, "the scan pushed some out");
    println!("s3-fifo: {hits} of 24 entries outlived a scan of 2000");
}

/// The clock is the caller's: a timer of the chip, in milliseconds since any start.
fn lifetime() {
    let cache: Cache<Lru> = Cache::new(MEMORY.capacity(), SEED).expect(ENOUGH);
    let mut cache = cache.with_lifetime(Duration::from_secs(10));
    cache.insert(b"temperature", b"21.5", Instant::ZERO).expect("it fits");
    let is_there = |at| cache.get(b"temperature", Instant::from_millis(at)).is_some();
    assert_eq!([0, 9_000, 10_000].map(is_there), [true, true, false]);
    println!("lifetime: there after 9 s, gone after 10 s");
}

/// The source of truth behind a group: a slow bus, a large flash, a network.
fn measure(key: &[u8]) -> Result<Value, LoadError> {
    let number = key.first().ok_or(LoadError::NotFound)?;
    Ok(Value::new(&[*number; 64])?)
}

/// A group loads what it lacks, and keeps it for a while.
fn group() {
    let settings = Settings {
        // What is left is for the loads in the air and the values that they bring.
        budget: MEMORY.capacity() / 4 * 3,
        eviction: Eviction::S3Fifo,
        lifetime: Some(Duration::from_secs(600)),
        ..Settings::default()
    };
    let group = Group::new("sensors", settings, SEED).expect(ENOUGH);
    let sensors = group.with_getter(measure);
    let mut random = 1_u32;
    for second in 0..10_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Of 256 keys a few are asked for often, most now and then.
        let [high, low, ..] = random.to_be_bytes();
        let number = high.min(low);
        let value = sensors.get(&[number], Instant::from_millis(second * 1_000));
        assert_eq!(value.as_deref(), Ok(&[number; 64][..]));
    }
    let stats = sensors.group().stats();
    assert_eq!(stats.hits + stats.origin_loads, stats.gets);
    assert!(stats.hits > 0 && stats.evictions > 0 && stats.expirations > 0);
    assert!(stats.bytes <= stats.budget);
    println!(
        "group: {} hits, {} misses, {} evictions, {} expirations, {} of {} bytes",
        stats.hits,
        stats.misses(),
        stats.evictions,
        stats.expirations,
        stats.bytes,
        stats.budget,
    );
}

/// Who may not block drives a node: of all who ask for a key at the same time, the first one loads
/// it, and the landing says who waited.
fn single_flight() {
    let mut node = Node::new();
    let settings = Settings { budget: MEMORY.capacity() / 4 * 3, ..Settings::default() };
    let group = Group::new("sensors", settings, SEED).expect(ENOUGH);
    let sensors = node.add(group).expect("the first group of this name");
    let ask = |waiter| {
        let now = Instant::from_millis(waiter);
        node.get(sensors, b"humidity", Asker::Client, Waiter(waiter), now).expect("few loads")
    };
    let Get::Fetch(fetch) = ask(1) else { panic!("the first one loads") };
    assert_eq!([ask(2), ask(3)].map(|got| matches!(got, Get::Wait)), [true; 2]);

    let value = Value::new(b"40 %").expect("there is memory left");
    let landing = node.land(fetch, Ok(value.into()), Instant::from_millis(50));
    let Landing::Done(done) = landing else { panic!("there are no peers") };
    assert_eq!(done.waiters, [1, 2, 3].map(Waiter));
    assert!(matches!(ask(4), Get::Hit(found) if *found.value == *b"40 %"));
    println!("single flight: 1 load for {} who asked at once", done.waiters.len());
}
