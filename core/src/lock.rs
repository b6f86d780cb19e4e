//! `SpinLock`: the lock of a group where there is no kernel to wait by. Beside `entry` and `region` the
//! third file of the crate with unsafe code, and that is promises alone: `lock_api` asks for them.
//!
//! Hits are readers. With the lock of `spin`, whose readers never make way, a miss waited for seconds
//! where several threads hit one shard without a pause; so here a writer that waits keeps new readers
//! out. Readers that waited meanwhile have a chance before the next writer.
#![allow(
    unsafe_code,
    reason = "a lock of lock_api promises to exclude, which no compiler can check"
)]

use core::{
    hint,
    sync::atomic::{AtomicU32, Ordering},
};

use lock_api::{GuardSend, RawRwLock};

/// A writer holds the lock.
const WRITER: u32 = 1 << 31;
/// A writer waits for it. The other bits count the readers.
const WAITS: u32 = 1 << 30;

/// A lock for many readers or one writer, for which threads spin: the lock of a
/// [`Group`](crate::Group) unless told otherwise. Where a kernel preempts threads, one that puts them
/// to sleep is the better choice (such as `parking_lot::RawRwLock`).
pub struct SpinLock(AtomicU32);

// SAFETY: a writer enters only where nobody else is, by one atomic step from a state that says so;
// readers count themselves first, and stay only where that state had no writer.
unsafe impl RawRwLock for SpinLock {
    const INIT: Self = Self(AtomicU32::new(0));
    type GuardMarker = GuardSend;

    #[inline]
    fn lock_shared(&self) {
        while !self.try_lock_shared() {
            // Who only looks does not keep the writer from entering.
            while self.0.load(Ordering::Relaxed) & (WRITER | WAITS) != 0 {
                hint::spin_loop();
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
            hint::spin_loop();
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

#[cfg(test)]
mod tests {
    use super::*;
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
}
