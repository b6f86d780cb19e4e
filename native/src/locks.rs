//! The locks of the server and of its cache. A thread holds one at a time, and none of them while it
//! calls the system, which may take its time: in builds with debug assertions each thread counts.

use parking_lot::{RawRwLock, lock_api::RwLock};

/// What the server's threads share and write to. One that panicked left it sound: nothing that can
/// panic is done under any of these locks.
pub(crate) type Lock<T> = RwLock<RawLock, T>;

/// Where a kernel preempts whoever holds a lock, threads that wait for it sleep.
#[cfg(not(debug_assertions))]
pub(crate) type RawLock = RawRwLock;
#[cfg(debug_assertions)]
pub(crate) type RawLock = gocache_core::Watched<RawRwLock, counted::Held>;

/// To be said before a call of the system.
#[cfg(not(debug_assertions))]
pub(crate) const fn assert_none_held() {}
#[cfg(debug_assertions)]
pub(crate) use counted::assert_none_held;

#[cfg(debug_assertions)]
mod counted {
    use std::{cell::Cell, thread};

    use gocache_core::Watch;

    thread_local! {
        static HELD: Cell<u32> = const { Cell::new(0) };
    }

    /// Counts the locks of each thread.
    pub struct Held;

    impl Watch for Held {
        fn take() {
            // To wait for it is a call of the system too. And who takes no second one cannot be part of a
            // deadlock.
            assert_none_held();
            HELD.set(HELD.get() + 1);
        }

        fn release() {
            HELD.set(HELD.get() - 1);
        }
    }

    #[track_caller]
    pub(crate) fn assert_none_held() {
        let held = HELD.get();
        assert!(held == 0 || thread::panicking(), "{held} locks are held");
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use gocache_core::{Asker, GroupId, Instant, Waiter};

    use super::*;
    use crate::{config::Config, engine};

    /// Everything else that is tested has these assertions in its way; here is what they see.
    #[test]
    fn a_lock_that_is_held_is_seen_and_the_locks_of_the_cache_are_seen_too() {
        let text = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                    [groups.g]\norigin = \"o\"\nbudget = 1000\n";
        let node = engine::node(&Config::from_toml(text).expect("sound")).expect("memory");
        let get = || node.get(GroupId(0), b"k", Asker::Client, Waiter(1), Instant::ZERO);
        let panics = |run: &dyn Fn()| catch_unwind(AssertUnwindSafe(run)).is_err();

        let lock: Lock<()> = Lock::new(());
        let held = lock.write();
        assert!(panics(&assert_none_held));
        assert!(panics(&|| drop(lock.try_read())));
        assert!(panics(&|| drop(get())));
        drop(held);
        assert_none_held();
        assert!(get().is_ok());
        assert_none_held();
    }
}
