//! What happens outside of the locks: what goes is given back there, and while a value gets its memory
//! others may come in between.
#![allow(unsafe_code, reason = "an allocator and a lock are unsafe traits")]

use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    rc::Rc,
    time::Duration,
};

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};
use gocache_core::{
    Asker, Eviction, Get, Group, GroupId, Instant, Node, Seed, Settings, SpinLock, Waiter,
};
use lock_api::{GuardSend, RawRwLock};

thread_local! {
    /// Locks that this thread holds.
    static HELD: Cell<u32> = const { Cell::new(0) };
    /// Entries that were given back.
    static RETURNED: Cell<usize> = const { Cell::new(0) };
    /// To be done when the next entry is allocated.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

const VALUE: [u8; 1_000] = [7; 1_000];

/// Whether it is an entry with one of these values; a chunk of a table is of another size.
fn is_entry(layout: Layout) -> bool {
    (VALUE.len()..VALUE.len() + 24).contains(&layout.size())
}

/// The global allocator's memory, and a look at the locks when an entry comes back.
#[derive(Clone, Copy)]
struct Watched;

// SAFETY: all memory is the global allocator's, and given back to it with the layout it came with.
unsafe impl Allocator for Watched {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if is_entry(layout) {
            MEANWHILE.take().into_iter().for_each(|act| act());
        }
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        if is_entry(layout) {
            assert_eq!(HELD.get(), 0, "an entry is given back under a lock");
            RETURNED.set(RETURNED.get() + 1);
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { Global.deallocate(block, layout) };
    }
}

/// A lock that counts the ones which its thread holds.
struct Counted(SpinLock);

// SAFETY: the promise of the lock inside.
unsafe impl RawRwLock for Counted {
    const INIT: Self = Self(SpinLock::INIT);
    type GuardMarker = GuardSend;

    fn lock_shared(&self) {
        self.0.lock_shared();
        HELD.set(HELD.get() + 1);
    }

    fn try_lock_shared(&self) -> bool {
        unreachable!("the core waits for its locks")
    }

    unsafe fn unlock_shared(&self) {
        HELD.set(HELD.get() - 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.unlock_shared() };
    }

    fn lock_exclusive(&self) {
        self.0.lock_exclusive();
        HELD.set(HELD.get() + 1);
    }

    fn try_lock_exclusive(&self) -> bool {
        unreachable!("the core waits for its locks")
    }

    unsafe fn unlock_exclusive(&self) {
        HELD.set(HELD.get() - 1);
        // SAFETY: the caller's promise, passed on.
        unsafe { self.0.unlock_exclusive() };
    }
}

const GROUP: GroupId = GroupId(0);
const NOW: Instant = Instant::ZERO;

fn node(settings: Settings) -> Node<Counted, Watched> {
    let group = Group::new_in("scores", settings, Seed::new(7), Watched).expect("memory");
    let mut node = Node::new_in(Watched);
    assert_eq!(node.add(group), Ok(GROUP));
    node
}

fn put(node: &Node<Counted, Watched>, keys: impl Iterator<Item = u32>, now: Instant) {
    keys.for_each(|key| node.put(GROUP, &key.to_le_bytes(), &VALUE, now).expect("it fits"));
}

/// Looks after all there is.
fn sweep(node: &Node<Counted, Watched>, now: Instant) {
    (0..50).for_each(|_| assert!(node.overdue(now).is_none()));
}

/// How many entries something gives back.
fn returned(act: impl FnOnce()) -> usize {
    let before = RETURNED.get();
    act();
    RETURNED.get() - before
}

#[test]
fn whatever_goes_is_given_back_outside_of_the_locks() {
    for (eviction, shards) in [(Eviction::Lru, 1), (Eviction::S3Fifo, 3)] {
        let lifetime = Some(Duration::from_secs(10));
        let budget = 64 << 10;
        let node = node(Settings { budget, eviction, lifetime, shards, ..Settings::default() });
        let group = node.group(GROUP).expect("the only group");
        let get = |key: u32| node.get(GROUP, &key.to_le_bytes(), Asker::Client, Waiter(1), NOW);

        assert!(returned(|| put(&node, 0..200, NOW)) > 130, "evicted");
        assert!(returned(|| (180..200).for_each(|_| put(&node, 199..200, NOW))) >= 20, "replaced");
        let remove = |key: u32| node.remove(GROUP, &key.to_le_bytes(), NOW);
        assert_eq!(returned(|| assert!(remove(199))), 1, "removed");

        put(&node, 300..301, NOW);
        let Ok(Get::Hit(held)) = get(300) else { panic!("it was put just now") };
        assert!(remove(300));
        assert_eq!(returned(|| sweep(&node, NOW)), 0, "it is lent");
        assert_eq!(returned(|| drop(held)), 0, "the table has it still");
        assert_eq!(returned(|| sweep(&node, NOW)), 1, "lent, and come back");

        let entries = group.stats().entries as usize;
        let late = Instant::from_millis(20_000);
        assert_eq!(returned(|| sweep(&node, late)), entries, "expired");
        put(&node, 0..30, late);
        assert_eq!(returned(|| (group.flush(), sweep(&node, late)).1), 30, "flushed");
        put(&node, 0..30, late);
        assert_eq!(returned(|| group.set_budget(0)), 30, "without a budget");
        group.check();
    }
}

/// As many flushes as an entry can tell apart come between the moment when its generation is known and
/// the one when it is linked in, and after it: none of them may take it for one of its own.
#[test]
fn a_value_that_flushes_overtake_is_not_taken_for_a_later_one() {
    let node = Rc::new(node(Settings { budget: 64 << 10, ..Settings::default() }));
    let group = node.group(GROUP).expect("the only group");
    for (before, after) in (0..40).flat_map(|before| (1..40).map(move |after| (before, after))) {
        let others = Rc::clone(&node);
        MEANWHILE.set(Some(Box::new(move || {
            for _ in 0..before {
                others.group(GROUP).expect("the only group").flush();
                sweep(&others, NOW);
            }
        })));
        put(&node, 1..2, NOW);
        (0..after).for_each(|_| group.flush());
        let is_there = node.remove(GROUP, &1_u32.to_le_bytes(), NOW);
        assert!(!is_there, "{before} flushes before it was there, and {after} after");
        group.check();
    }
}
