//! The synchronous way, with real threads and a getter that fails and panics.

use super::*;
use crate::{seed::Seed, settings::Settings};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
    vec::Vec,
};

fn group() -> Group {
    let settings = Settings { budget: 4 << 10, ..Settings::default() };
    Group::new("scores", settings, Seed::new(7)).expect("memory for a few tables")
}

#[test]
fn however_many_threads_ask_it_is_called_once() {
    const THREADS: usize = 8;
    let calls = AtomicUsize::new(0);
    let together = Barrier::new(THREADS);
    let scores = group().with_getter(|_: &[u8]| {
        calls.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(50));
        Ok(Value::new(b"630")?)
    });
    thread::scope(|scope| {
        let ask = || {
            together.wait();
            scores.get(b"Tom", Instant::ZERO)
        };
        let asked: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        for thread in asked {
            let value = thread.join().expect("no panic").expect("a value");
            assert_eq!(&*value, b"630");
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_panic_reaches_the_leader_alone_and_the_next_one_asks_again() {
    let called = Barrier::new(2);
    let panics = AtomicUsize::new(1);
    let scores = group().with_getter(|_: &[u8]| {
        if panics.swap(0, Ordering::Relaxed) == 1 {
            called.wait();
            // Long enough for the other thread to have joined the flight.
            thread::sleep(Duration::from_millis(50));
            panic!("the getter gives up");
        }
        Ok(Value::new(b"630")?)
    });
    thread::scope(|scope| {
        let leader = scope.spawn(|| scores.get(b"Tom", Instant::ZERO));
        called.wait();
        assert_eq!(scores.get(b"Tom", Instant::ZERO), Err(Error::Panicked));
        leader.join().expect_err("the panic goes on in who called the getter");
    });
    assert_eq!(scores.get(b"Tom", Instant::ZERO).as_deref(), Ok(b"630".as_slice()));
}

#[test]
fn a_panic_with_nobody_waiting_leaves_no_flight() {
    let scores = group().with_getter(|_: &[u8]| panic!("the getter gives up"));
    for _ in 0..3 {
        catch_unwind(AssertUnwindSafe(|| scores.get(b"Tom", Instant::ZERO))).expect_err("a panic");
        assert_eq!(scores.group().stats().flights, 0);
    }
}
