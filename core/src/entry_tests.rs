//! Entries of every shape, and their counts under threads.

use super::*;
use std::{thread, vec, vec::Vec};

const EVERY: Extras = Extras { born: Some(7), lifetime: Some(8), digest: Some(u64::MAX - 9) };

#[test]
fn what_goes_in_comes_out_in_every_shape() {
    for shape in 0..8 {
        let extras = Extras {
            born: EVERY.born.filter(|_| shape & 1 != 0),
            lifetime: EVERY.lifetime.filter(|_| shape & 2 != 0),
            digest: EVERY.digest.filter(|_| shape & 4 != 0),
        };
        for (key, value) in [(&b""[..], &b""[..]), (b"k", b""), (b"", b"v"), (b"Tom", b"630")] {
            let parts = Parts { key, value, extras, meter: 5 };
            let entry = Value::allocate(&parts, Global).expect("memory for a few bytes");
            assert_eq!((entry.key(), &*entry, entry.extras()), (key, value, extras));
            assert_eq!(entry.memory(), parts.memory::<Global>());
            assert_eq!(entry.meter().load(Ordering::Relaxed), 5);
        }
    }
}

#[test]
fn an_entry_costs_twelve_bytes_beside_its_own() {
    let parts = Parts { key: b"Tom", value: b"630", ..Parts::default() };
    assert_eq!(parts.memory::<Global>(), 12 + 6);
    let timed = Parts { extras: Extras { born: Some(1), ..Extras::default() }, ..parts };
    assert_eq!(timed.memory::<Global>(), 12 + 4 + 6);
    assert_eq!(size_of::<Option<Value>>(), size_of::<usize>(), "the handle is thin");
}

#[test]
fn a_key_over_its_length_is_refused() {
    let key = vec![0; usize::from(u16::MAX) + 1];
    let parts = Parts { key: &key, ..Parts::default() };
    assert_eq!(Value::allocate(&parts, Global).err(), Some(OutOfMemory));
}

#[test]
fn the_last_handle_gives_the_memory_back_in_whichever_thread() {
    let value = Value::new(&[7; 100]).expect("memory");
    assert!(value.is_unique());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let held = value.clone();
            thread::spawn(move || (0..100).map(|_| held.clone()[99]).fold(0, u32_sum))
        })
        .collect();
    drop(value);
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), 700);
    }
}

fn u32_sum(sum: u32, byte: u8) -> u32 {
    sum + u32::from(byte)
}

#[test]
fn a_count_that_would_wrap_stays_where_it_is() {
    let value = Value::new(b"held for ever").expect("memory");
    value.head().refs.store(SATURATED, Ordering::Relaxed);
    drop((value.clone(), value.clone()));
    assert_eq!(&*value, b"held for ever");
    // Now as if nothing had happened, so that the test leaks nothing.
    value.head().refs.store(1, Ordering::Relaxed);
}
