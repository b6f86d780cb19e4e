//! The lock in every interleaving that memory orderings allow, with what it guards as a cell that notes
//! each access: a write overlaps no other one, and no read.

use alloc::sync::Arc;

use loom::{cell::UnsafeCell, model, thread};

use super::*;

struct Guarded(SpinLock, UnsafeCell<u32>);

// SAFETY: the lock; that it keeps its promise is what is tested.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn read(&self) -> u32 {
        self.0.lock_shared();
        // SAFETY: nobody writes while the lock is shared.
        let read = self.1.with(|value| unsafe { *value });
        // SAFETY: it was locked above.
        unsafe { self.0.unlock_shared() };
        read
    }

    fn add(&self) {
        self.0.lock_exclusive();
        // SAFETY: nobody else has the lock.
        self.1.with_mut(|value| unsafe { *value += 1 });
        // SAFETY: it was locked above.
        unsafe { self.0.unlock_exclusive() };
    }
}

/// Whether a step of a thread adds, or reads.
type Adds = bool;

/// Runs two threads of these steps in every order. A third one would be too many for a lock that spins.
fn run(threads: [&'static [Adds]; 2]) {
    model(move || {
        let guarded = Arc::new(Guarded(SpinLock::INIT, UnsafeCell::new(0)));
        // Loom's atomic is made before the threads are.
        assert_eq!(guarded.read(), 0);
        let started = threads.map(|steps| {
            let guarded = guarded.clone();
            let act = move |adds: &Adds| if *adds { guarded.add() } else { drop(guarded.read()) };
            thread::spawn(move || steps.iter().for_each(act))
        });
        started.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let added = threads.concat().into_iter().filter(|adds| *adds).count();
        assert_eq!(guarded.read(), added as u32);
    });
}

#[test]
fn writers_exclude_each_other() {
    run([&[true], &[true, true]]);
}

#[test]
fn writers_exclude_readers() {
    run([&[true], &[false, false]]);
    run([&[true, false], &[true]]);
}
