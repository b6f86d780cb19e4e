//! `Value`: one allocation that holds the counts, the key and the bytes of an entry, and the thin
//! counted handle to it. `region.rs` and `lock.rs` are the other files of the crate with unsafe code.
//!
//! ```text
//! | refs u32 | value length u32 | key length u16 | shape u8 | meter u8 | allocator | extras | key | value |
//! ```
//!
//! The allocator takes no room where it is of no size, as the global one is. Extras are numbers
//! that only some entries have; `shape` says which. The key stands before the value: comparing a
//! short key touches the cache line of the counts, which a hit writes anyway.
#![allow(unsafe_code, reason = "this file is a fence around it, as region.rs and lock.rs are")]

use core::{fmt, marker::PhantomData, mem::size_of, ops::Deref, ptr::NonNull, slice};

use allocator_api2::alloc::{Allocator, Global, Layout};

use crate::{
    sync::{AtomicU8, AtomicU32, Ordering, fence},
    width::IS_NARROW,
};

/// Where the cache's memory comes from: any allocator that can be cloned.
///
/// With the default, [`Global`], an entry keeps no allocator. Any other one is cloned into each
/// entry, so that a value can be given back after its cache is gone: a reference to an allocator is
/// a good choice.
pub trait Memory: Allocator + Clone {}

impl<A: Allocator + Clone> Memory for A {}

/// The allocator had no memory, or the value was longer than an entry can hold: just under 4 GiB.
/// Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of memory")
    }
}

impl core::error::Error for OutOfMemory {}

/// What goes into a new entry.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) extras: Extras,
    /// The first value of [`Value::meter`].
    pub(crate) meter: u8,
}

/// Numbers that only some entries have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// When the value was loaded, in ticks of the group's clock.
    pub(crate) born: Option<u32>,
    /// How many ticks it lives, where that differs from the group's lifetime.
    pub(crate) lifetime: Option<u32>,
    /// See [`Value::digest`].
    pub(crate) digest: Option<u64>,
}

/// Which extras there are, in the three highest bits of the shape; the others are their length.
const BORN: u8 = 1 << 5;
const LIFETIME: u8 = 1 << 6;
const DIGEST: u8 = 1 << 7;

const fn extras_len(shape: u8) -> usize {
    (shape & (BORN - 1)) as usize
}

impl Extras {
    const fn shape(&self) -> u8 {
        (if self.born.is_some() { BORN + 4 } else { 0 })
            + (if self.lifetime.is_some() { LIFETIME + 4 } else { 0 })
            + (if self.digest.is_some() { DIGEST + 8 } else { 0 })
    }
}

impl Parts<'_> {
    /// Bytes after the head, of them those of the value and of the key; `None` where a head cannot
    /// count them.
    fn lens(&self) -> Option<(usize, u32, u16)> {
        let (value, key) =
            (u32::try_from(self.value.len()).ok()?, u16::try_from(self.key.len()).ok()?);
        let tail = extras_len(self.extras.shape()).checked_add(self.key.len())?;
        Some((tail.checked_add(self.value.len())?, value, key))
    }

    /// Bytes of memory that an entry of these parts takes up; the most there are where no entry can
    /// have them.
    pub(crate) fn memory<A: Memory>(&self) -> usize {
        let tail = self.lens().map(|(tail, ..)| tail);
        tail.and_then(|tail| tail.checked_add(size_of::<Head<A>>())).unwrap_or(usize::MAX)
    }
}

#[repr(C)]
struct Head<A> {
    refs: AtomicU32,
    value_len: u32,
    key_len: u16,
    shape: u8,
    meter: AtomicU8,
    allocator: A,
}

/// From here on the count of references stays where it is, and the memory is never given back: a
/// count that wrapped round would give it back too early.
const SATURATED: u32 = u32::MAX / 2;
/// Where a count stays then: far from both ends, for some threads may still be counting.
const FROZEN: u32 = SATURATED + SATURATED / 2;

/// Immutable bytes, shared between the cache and everyone who is being answered. A clone copies no
/// bytes, and an eviction takes them from nobody who holds a clone.
///
/// ```
/// # use gocache_core::{OutOfMemory, Value};
/// let value = Value::new(b"630")?;
/// assert_eq!(&*value.clone(), b"630");
/// # Ok::<(), OutOfMemory>(())
/// ```
pub struct Value<A: Memory = Global> {
    head: NonNull<Head<A>>,
    owns: PhantomData<Head<A>>,
}

// SAFETY: the handles of one allocation share its head and its bytes. The bytes and the plain
// fields are written before the first handle exists and never after; the others are atomics. The
// allocator is shared by reference, and moved out by whichever thread drops the last handle.
unsafe impl<A: Memory + Send + Sync> Send for Value<A> {}
// SAFETY: as above; a shared handle can be cloned, so that `Sync` asks for no less than `Send`.
unsafe impl<A: Memory + Send + Sync> Sync for Value<A> {}

impl Value {
    /// A value of these bytes, on its own: its cache copies them into an entry.
    ///
    /// # Errors
    /// If the global allocator has no memory.
    pub fn new(bytes: &[u8]) -> Result<Self, OutOfMemory> {
        Self::new_in(bytes, Global)
    }
}

impl<A: Memory> Value<A> {
    /// As [`Value::new`], with memory from `allocator`.
    ///
    /// # Errors
    /// If the allocator has no memory.
    pub fn new_in(bytes: &[u8], allocator: A) -> Result<Self, OutOfMemory> {
        Self::allocate(&Parts { value: bytes, ..Parts::default() }, allocator)
    }

    pub(crate) fn allocate(parts: &Parts<'_>, allocator: A) -> Result<Self, OutOfMemory> {
        let shape = parts.extras.shape();
        let (tail, value_len, key_len) = parts.lens().ok_or(OutOfMemory)?;
        let layout = Self::layout(tail).ok_or(OutOfMemory)?;
        let head = allocator.allocate(layout).map_err(|_| OutOfMemory)?.cast::<Head<A>>();
        let refs = AtomicU32::new(1);
        let meter = AtomicU8::new(parts.meter);
        let Extras { born, lifetime, digest } = parts.extras;
        // SAFETY: the allocator gave a block for `layout`, which has the size and alignment of a
        // head and `tail` bytes after it; nobody else knows of the block yet.
        unsafe { head.write(Head { refs, value_len, key_len, shape, meter, allocator }) };
        // SAFETY: one past the head is within the block or its end, for the layout begins with it.
        let mut at = unsafe { head.add(1).cast::<u8>() };
        let mut append = |bytes: &[u8]| {
            // SAFETY: what is appended adds up to `tail`, the room that `layout` has after the
            // head; the block is new, so that the source cannot overlap it.
            unsafe {
                at.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
                at = at.add(bytes.len());
            }
        };
        born.iter().chain(&lifetime).for_each(|number| append(&number.to_ne_bytes()));
        digest.iter().for_each(|number| append(&number.to_ne_bytes()));
        append(parts.key);
        append(parts.value);
        Ok(Self { head, owns: PhantomData })
    }

    fn layout(tail: usize) -> Option<Layout> {
        let head = Layout::new::<Head<A>>();
        Layout::from_size_align(head.size().checked_add(tail)?, head.align()).ok()
    }

    #[inline]
    fn head(&self) -> &Head<A> {
        // SAFETY: the block lives as long as there is a handle, and its head was written before
        // the first one.
        unsafe { self.head.as_ref() }
    }

    fn tail_len(&self) -> usize {
        let head = self.head();
        extras_len(head.shape) + usize::from(head.key_len) + head.value_len as usize
    }

    /// Bytes of the tail. The caller keeps to its three parts, as the head has their lengths.
    fn tail(&self, start: usize, len: usize) -> &[u8] {
        debug_assert!(start + len <= self.tail_len());
        // SAFETY: `tail_len` bytes after the head were written before the first handle existed, and
        // none is written while there is one; the callers below ask for none beyond them.
        unsafe { slice::from_raw_parts(self.head.add(1).cast::<u8>().as_ptr().add(start), len) }
    }

    pub(crate) fn key(&self) -> &[u8] {
        let head = self.head();
        self.tail(extras_len(head.shape), usize::from(head.key_len))
    }

    #[inline]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        usize::from(self.head().key_len) == key.len() && is_same(self.key(), key)
    }

    fn bytes(&self) -> &[u8] {
        let head = self.head();
        let start = extras_len(head.shape) + usize::from(head.key_len);
        self.tail(start, head.value_len as usize)
    }

    /// Has at hand the entry, up to some length that is not looked up: its memory may soon be the
    /// next one's.
    pub(crate) fn prefetch(&self) {
        let lines = (0..3).map(|line| self.head.as_ptr().cast::<u8>().wrapping_add(line * 64));
        lines.for_each(|line| fetch(line));
    }

    /// Whether it is known when the value was loaded.
    pub(crate) fn is_timed(&self) -> bool {
        self.head().shape & BORN != 0
    }

    /// Whether there are any extras.
    pub(crate) fn is_plain(&self) -> bool {
        self.head().shape == 0
    }

    pub(crate) fn extras(&self) -> Extras {
        let shape = self.head().shape;
        let mut tail = self.tail(0, extras_len(shape));
        let mut next = |bit: u8| {
            let (number, rest) = tail.split_first_chunk().filter(|_| shape & bit != 0)?;
            tail = rest;
            Some(u32::from_ne_bytes(*number))
        };
        let (born, lifetime) = (next(BORN), next(LIFETIME));
        let digest = tail.first_chunk().filter(|_| shape & DIGEST != 0);
        Extras { born, lifetime, digest: digest.map(|number| u64::from_ne_bytes(*number)) }
    }

    /// Eight bits for the cache's own use: see `policy`.
    pub(crate) fn meter(&self) -> &AtomicU8 {
        &self.head().meter
    }

    /// Bytes of memory that the allocation takes up.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Head<A>>() + self.tail_len()
    }

    /// Whether this is the only handle. Only who can keep others from cloning it may rely on that.
    pub(crate) fn is_unique(&self) -> bool {
        self.head().refs.load(Ordering::Acquire) == 1
    }
}

/// Whether two slices of one length are the same. Most keys are of some ten bytes, for which the
/// call that compares any two slices takes longer than the comparison.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        _ if IS_NARROW => one.iter().eq(other),
        16..=32 => ends::<16>(one) == ends::<16>(other),
        _ => is_same_at_length(one, other),
    }
}

/// Not inlined, for the loop over a chunk's tags would be there once for each of the cases.
#[inline(never)]
fn is_same_at_length(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        8..16 => ends::<8>(one) == ends::<8>(other),
        _ => one == other,
    }
}

/// The first and the last bytes; together all, where there are up to twice as many.
#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (bytes.first_chunk(), bytes.last_chunk())
}

/// Tells the processor that this will be looked at soon, so that it is fetched from memory meanwhile.
#[inline]
pub(crate) fn prefetch<T>(what: &T) {
    fetch(core::ptr::from_ref(what).cast());
}

/// Where there is no such hint, nothing happens.
#[inline]
fn fetch(_line: *const u8) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse", not(miri)))]
    // SAFETY: a hint, which reads nothing and faults nowhere.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(_line.cast());
    }
}

impl<A: Memory> Clone for Value<A> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: who clones holds a handle, so that the block cannot go meanwhile.
        let refs = &self.head().refs;
        if refs.fetch_add(1, Ordering::Relaxed) >= SATURATED {
            refs.store(FROZEN, Ordering::Relaxed);
        }
        Self { head: self.head, owns: PhantomData }
    }
}

impl<A: Memory> Drop for Value<A> {
    fn drop(&mut self) {
        let refs = &self.head().refs;
        // Every use through the other handles comes before the block goes. Where this is the last
        // one there is nobody who could clone it, and no atomic operation has to say so.
        match refs.load(Ordering::Acquire) {
            1 => {}
            SATURATED.. => return,
            _ if refs.fetch_sub(1, Ordering::Release) != 1 => return,
            _ => fence(Ordering::Acquire),
        }
        // SAFETY: this is the last handle, and nobody uses it after its drop.
        unsafe { self.free() };
    }
}

impl<A: Memory> Value<A> {
    /// Gives the block back.
    ///
    /// # Safety
    /// This is the last handle, and it is not used any more.
    #[inline(never)]
    unsafe fn free(&mut self) {
        let Some(layout) = Self::layout(self.tail_len()) else { return };
        // SAFETY: nobody reads the head any more, as the caller says; the block came from this
        // allocator with this very layout. The head's other fields need no drop.
        unsafe {
            let allocator = core::ptr::read(&raw const (*self.head.as_ptr()).allocator);
            allocator.deallocate(self.head.cast(), layout);
        }
    }
}

impl<A: Memory> Deref for Value<A> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl<A: Memory> AsRef<[u8]> for Value<A> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<A: Memory, B: Memory> PartialEq<Value<B>> for Value<A> {
    fn eq(&self, other: &Value<B>) -> bool {
        **self == **other
    }
}

impl<A: Memory> Eq for Value<A> {}

impl<A: Memory> fmt::Debug for Value<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes)", self.len())
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;

#[cfg(all(test, loom))]
#[path = "entry_loom.rs"]
mod loom_tests;
