//! The atomics that `entry` counts with and that `lock` is made of: those of `core`, or under loom its
//! own, which try every interleaving.

#[cfg(not(loom))]
pub(crate) use core::{
    hint::spin_loop,
    sync::atomic::{AtomicU8, AtomicU32, AtomicU32 as ConstU32, Ordering, fence},
};
#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::atomic::{AtomicU8, AtomicU32, Ordering, fence},
};

/// One that can stand in a constant: loom makes its own only within a run.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct ConstU32(u32, spin::Once<AtomicU32>);

#[cfg(loom)]
impl ConstU32 {
    pub(crate) const fn new(first: u32) -> Self {
        Self(first, spin::Once::new())
    }
}

#[cfg(loom)]
impl core::ops::Deref for ConstU32 {
    type Target = AtomicU32;

    fn deref(&self) -> &AtomicU32 {
        self.1.call_once(|| AtomicU32::new(self.0))
    }
}
