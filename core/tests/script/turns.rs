//! A lock for threads that a schedule drives.
#![allow(unsafe_code, reason = "a lock of `lock_api` is an unsafe trait")]

use lock_api::{GuardSend, RawRwLock};
use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};

/// A lock whose every step is one of the schedule.
pub(crate) struct Turns(BatchSemaphore);

const READERS: usize = 16;

// SAFETY: a writer has all permits, so that nobody else has one.
unsafe impl RawRwLock for Turns {
    const INIT: Self = Self(BatchSemaphore::const_new(READERS, Fairness::Unfair));
    type GuardMarker = GuardSend;

    fn lock_shared(&self) {
        self.0.acquire_blocking(1).expect("nobody closes it");
    }

    fn try_lock_shared(&self) -> bool {
        self.0.try_acquire(1).is_ok()
    }

    unsafe fn unlock_shared(&self) {
        self.0.release(1);
    }

    fn lock_exclusive(&self) {
        self.0.acquire_blocking(READERS).expect("nobody closes it");
    }

    fn try_lock_exclusive(&self) -> bool {
        self.0.try_acquire(READERS).is_ok()
    }

    unsafe fn unlock_exclusive(&self) {
        self.0.release(READERS);
    }
}
