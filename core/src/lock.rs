//! `SpinLock`: the lock of a group where there is no kernel to wait by; and `Watched`, another lock that
//! tells when it is taken. Beside `entry` and `region` the third file of the crate with unsafe code, and
//! that is promises alone: `lock_api` asks for them.
//!
//! Hits are readers. With the lock of `spin`, whose readers never make way, a miss waited for seconds
//! where several threads hit one shard without a pause; so here a writer that waits keeps new readers
//! out. Readers that waited meanwhile have a chance before the next writer.
#![allow(
    unsafe_code,
    reason = "a lock of lock_api promises to exclude, which no compiler can check"
)]

use core::marker::PhantomData;

use lock_api::{GuardNoSend, GuardSend, RawRwLock};

use crate::sync::{ConstU32, Ordering, spin_loop};

/// A writer holds the lock.
const WRITER: u32 = 1 << 31;
/// A writer waits for it. The other bits count the readers.
const WAITS: u32 = 1 << 30;

/// A lock for many readers or one writer, for which threads spin: the lock of a
/// [`Group`](crate::Group) unless told otherwise.
///
/// # Waiting
///
/// A group holds it for one step of one operation, at the longest for as long as one small table takes
/// to grow. Who waits meanwhile keeps its core busy, and never hands it to anybody else. That is the
/// quickest there is while whoever holds the lock runs on another core; it is not where the holder can
/// be stopped:
///
/// - *By a kernel that preempts.* All who want the same shard then spin until the holder runs again,
///   for a time slice or several, and take from it the very cores that it waits for. Readers are in
///   this too: a writer that waits for one of them keeps all others out. With more threads than cores
///   take a lock that puts them to sleep, such as `parking_lot::RawRwLock`.
/// - *By an interrupt, or a task of higher priority on the same core.* If that one wants the lock, it
///   waits for ever, for the holder runs only when it is done. Leave the group to code of one priority,
///   or give it a lock that keeps the others from running meanwhile.
///
/// Nobody is served in order: among threads that want it all the time, one may wait longer than another.
/// A thread that holds it and asks for it again waits for itself.
#[derive(Debug)]
pub struct SpinLock(ConstU32);

// SAFETY: a writer enters only where nobody else is, by one atomic step from a state that says so;
// readers count themselves first, and stay only where that state had no writer.
unsafe impl RawRwLock for SpinLock {
    const INIT: Self = Self(ConstU32::new(0));
    type GuardMarker = GuardSend;

    #[inline]
    fn lock_shared(&self) {
        while !self.try_lock_shared() {
            // Who only looks does not keep the writer from entering.
            while self.0.load(Ordering::Relaxed) & (WRITER | WAITS) != 0 {
                spin_loop();
            }
        }
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        let is_free = self.0.fetch_add(1, Ordering::Acquire) & (WRITER | WAITS) == 0;
        if !is_free {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
        is_free
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    #[inline]
    fn lock_exclusive(&self) {
        while !self.try_lock_exclusive() {
            if self.0.load(Ordering::Relaxed) & WAITS == 0 {
                self.0.fetch_or(WAITS, Ordering::Relaxed);
            }
            spin_loop();
        }
    }

    /// Takes the bit of who waits with it. Another writer that does sets it anew.
    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        let enter = |state: u32| (state & !WAITS == 0).then_some(WRITER);
        self.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, enter).is_ok()
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.0.fetch_and(!(WRITER | WAITS), Ordering::Release);
    }
}

/// Who is told of the locks that a thread takes.
pub trait Watch {
    /// The thread is about to take one, for which it may have to wait.
    fn take();

    /// The thread has let go of one, or did not get it.
    fn release();
}

/// A lock that tells `W` when a thread takes it and lets go of it, on that thread. A program that gives
/// its groups such locks can tell in its tests that it holds none where it must not.
#[derive(Debug)]
pub struct Watched<R, W> {
    lock: R,
    watch: PhantomData<fn() -> W>,
}

// SAFETY: all that is promised is what the lock inside promises.
unsafe impl<R: RawRwLock, W: Watch> RawRwLock for Watched<R, W> {
    const INIT: Self = Self { lock: R::INIT, watch: PhantomData };
    /// What one thread takes no other lets go of.
    type GuardMarker = GuardNoSend;

    fn lock_shared(&self) {
        W::take();
        self.lock.lock_shared();
    }

    fn try_lock_shared(&self) -> bool {
        W::take();
        let is_taken = self.lock.try_lock_shared();
        (!is_taken).then(W::release);
        is_taken
    }

    unsafe fn unlock_shared(&self) {
        // SAFETY: who calls this holds it.
        unsafe { self.lock.unlock_shared() };
        W::release();
    }

    fn lock_exclusive(&self) {
        W::take();
        self.lock.lock_exclusive();
    }

    fn try_lock_exclusive(&self) -> bool {
        W::take();
        let is_taken = self.lock.try_lock_exclusive();
        (!is_taken).then(W::release);
        is_taken
    }

    unsafe fn unlock_exclusive(&self) {
        // SAFETY: who calls this holds it.
        unsafe { self.lock.unlock_exclusive() };
        W::release();
    }
}

#[cfg(all(test, loom))]
#[path = "lock_loom.rs"]
mod loom_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;
    use lock_api::RwLock;
    use std::thread;

    const ROUNDS: u32 = if cfg!(miri) { 20 } else { 2_000 };

    /// It ends at all only if writers get in among readers that never pause.
    #[test]
    fn writers_exclude_and_are_not_kept_out() {
        let lock: RwLock<SpinLock, (u32, u32)> = RwLock::new((0, 0));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while lock.read().0 < 2 * ROUNDS {
                        let pair = lock.read();
                        assert_eq!(pair.0, pair.1, "no reader sees half of a write");
                    }
                });
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let mut pair = lock.write();
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                });
            }
        });
        assert_eq!(lock.into_inner(), (2 * ROUNDS, 2 * ROUNDS));
    }

    #[test]
    fn a_writer_that_waits_keeps_new_readers_out() {
        let lock = SpinLock::INIT;
        assert!(lock.try_lock_shared() && lock.try_lock_shared());
        assert!(!lock.try_lock_exclusive());
        lock.0.fetch_or(WAITS, Ordering::Relaxed);
        assert!(!lock.try_lock_shared());
        // SAFETY: the two from above.
        unsafe { (lock.unlock_shared(), lock.unlock_shared()) };
        assert!(lock.try_lock_exclusive());
        assert!(!lock.try_lock_shared() && !lock.try_lock_exclusive());
        // SAFETY: the one from above.
        unsafe { lock.unlock_exclusive() };
        assert!(lock.try_lock_shared(), "nothing is left of who waited");
    }

    #[test]
    fn whoever_watches_is_told_of_each_lock() {
        static HELD: AtomicU32 = AtomicU32::new(0);
        struct Counter;
        impl Watch for Counter {
            fn take() {
                HELD.fetch_add(1, Ordering::Relaxed);
            }
            fn release() {
                HELD.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let held = || HELD.load(Ordering::Relaxed);
        let lock: RwLock<Watched<SpinLock, Counter>, ()> = RwLock::new(());
        let readers = (lock.read(), lock.try_read());
        assert_eq!((held(), lock.try_write().is_none(), held()), (2, true, 2));
        drop(readers);
        let writer = lock.write();
        assert_eq!((held(), lock.try_read().is_none(), held()), (1, true, 1));
        drop(writer);
        assert!(lock.try_write().is_some());
        assert_eq!(held(), 0);
    }
}
