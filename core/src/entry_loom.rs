//! The counts of a value in every interleaving that memory orderings allow. What they guard, the
//! bytes, is a cell that notes each access: to read and to give back must never overlap.

use alloc::sync::Arc;

use allocator_api2::alloc::AllocError;
use loom::{cell::UnsafeCell, model, thread};

use super::*;

/// Stands for the bytes of a value.
struct Bytes(UnsafeCell<()>);

// SAFETY: the cell is of no size; that two accesses do not overlap is what is tested.
unsafe impl Sync for Bytes {}

/// An allocator whose memory must not be in use when it comes back.
#[derive(Clone)]
struct Watched(Arc<Bytes>);

// SAFETY: all memory is the global allocator's, and given back to it with the layout it came with.
unsafe impl Allocator for Watched {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.0.0.with_mut(|_| ());
        // SAFETY: the caller's promise, passed on.
        unsafe { Global.deallocate(block, layout) };
    }
}

impl Value<Watched> {
    fn read(&self) {
        self.head().allocator.0.0.with(|_| assert_eq!(**self, *b"630"));
    }
}

/// Runs something on a new value, and sees that its memory came back once.
fn with_a_value(run: impl Fn(Value<Watched>) + Send + Sync + 'static) {
    model(move || {
        let bytes = Arc::new(Bytes(UnsafeCell::new(())));
        let value = Value::new_in(b"630", Watched(bytes.clone())).expect("memory");
        run(value);
        assert_eq!(Arc::strong_count(&bytes), 1, "the memory came back");
    });
}

#[test]
fn the_last_of_three_threads_gives_the_memory_back() {
    with_a_value(|value| {
        let (one, two) = (value.clone(), value.clone());
        let one = thread::spawn(move || {
            let second = one.clone();
            drop(one);
            second.read();
        });
        let two = thread::spawn(move || two.read());
        value.read();
        drop(value);
        one.join().expect("no panic");
        two.join().expect("no panic");
    });
}

#[test]
fn who_holds_the_only_handle_may_do_as_he_likes() {
    with_a_value(|cached| {
        let lent = cached.clone();
        let thread = thread::spawn(move || {
            let other = lent.clone();
            drop(lent);
            other.read();
        });
        if cached.is_unique() {
            cached.head().allocator.0.0.with_mut(|_| ());
        }
        thread.join().expect("no panic");
        assert!(cached.is_unique());
    });
}

#[test]
fn two_hits_at_once_count_as_one_or_two_and_touch_nothing_else() {
    model(|| {
        let parts = Parts { meter: 5 << 3, ..Parts::default() };
        let value = Value::allocate(&parts, Global).expect("memory");
        let other = value.clone();
        let thread = thread::spawn(move || other.count_use());
        value.count_use();
        thread.join().expect("no panic");
        assert!((1..=2).contains(&value.uses()) && value.is_of(5));
    });
}
