//! `Region`: memory of a caller as an allocator, for caches that take nothing from anywhere else.
//!
//! Beside `entry` and `lock` the only unsafe code of the crate stands in this file: the access to the
//! words of the region, with a check of the bounds at each. Which of them are free is safe code:
//! `blocks`.
#![allow(unsafe_code, reason = "an allocator hands out raw memory: this file is its fence")]

mod blocks;

use core::{
    alloc::GlobalAlloc,
    fmt,
    marker::PhantomData,
    mem::{MaybeUninit, size_of},
    num::NonZero,
    ptr::{self, NonNull},
};

use allocator_api2::alloc::{AllocError, Allocator, Layout};
use spin::Mutex;

use blocks::Blocks;

/// Bytes of a word: all that is handed out begins and ends with whole words.
const WORD: usize = size_of::<u32>();

/// A fixed piece of memory that a cache or a group lives in: what it allocates comes from here and
/// from nowhere else. `&Region` is the allocator to give it.
///
/// A block costs one byte beside what was asked for, rounded up to four. To allocate and to give
/// back take a bounded number of steps; what is given back joins what is free on both sides of it.
/// Where no free piece is long enough, a cache evicts as much as the value takes up and tries once more,
/// four times; a value for which that makes no room is refused.
///
/// Several caches may share a region, and several threads: one lock guards it, for which threads
/// spin. So a handler of interrupts must not use a region that the code it interrupts uses as well.
///
/// Of more than 4 GiB, the first four are used.
///
/// The [page of the crate](crate) has a cache in a region. A group needs some of its memory for loads in
/// the air and for the values they bring, beside its budget:
///
/// ```
/// use core::mem::MaybeUninit;
/// use gocache_core::{
///     Asker, Eviction, Get, Group, Instant, Landing, Node, Region, Seed, Settings, SpinLock, Value,
///     Waiter,
/// };
///
/// let mut memory = [MaybeUninit::uninit(); 16 << 10];
/// let region = Region::new(&mut memory);
///
/// let budget = region.capacity() / 4 * 3;
/// let settings = Settings { budget, eviction: Eviction::S3Fifo, ..Settings::default() };
/// let mut node: Node<SpinLock, _> = Node::new_in(&region);
/// let group = node.add(Group::new_in("scores", settings, Seed::new(0x5eed), &region)?)?;
///
/// let now = Instant::ZERO;
/// let Get::Fetch(fetch) = node.get(group, b"Tom", Asker::Client, Waiter(1), now)? else { panic!() };
/// let value = Value::new_in(b"630", &region)?;
/// let Landing::Done(done) = node.land(fetch, Ok(value.into()), now) else { panic!() };
/// assert_eq!(&*done.result?.value, b"630");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Region<'r> {
    blocks: Mutex<Blocks>,
    memory: PhantomData<&'r mut [MaybeUninit<u8>]>,
}

impl<'r> Region<'r> {
    /// A region of this memory, all of it free. A few hundred bytes at its beginning are needed to
    /// find what is free; of less than that, nothing can be allocated.
    #[must_use]
    pub fn new(memory: &'r mut [MaybeUninit<u8>]) -> Self {
        Self { blocks: Mutex::new(Blocks::new(Words::new(memory))), memory: PhantomData }
    }

    /// Bytes that blocks can be made of.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.blocks.lock().capacity() as usize * WORD
    }

    /// Bytes of them that are free, though perhaps in many pieces.
    #[must_use]
    pub fn free(&self) -> usize {
        self.blocks.lock().free() as usize * WORD
    }

    /// Recounts what is free, and panics where two views of it differ.
    #[cfg(any(test, feature = "check"))]
    pub fn check(&self) {
        self.blocks.lock().check();
    }
}

impl Region<'static> {
    /// A region without memory, for a `static`: [`Region::claim`] gives it some. As the global
    /// allocator, which a program without std has to name, it is the heap, or none.
    #[must_use]
    pub const fn empty() -> Self {
        Self { blocks: Mutex::new(Blocks::EMPTY), memory: PhantomData }
    }

    /// Gives an empty region its memory. One that has some keeps that; says whether it was empty.
    pub fn claim(&self, memory: &'static mut [MaybeUninit<u8>]) -> bool {
        let mut blocks = self.blocks.lock();
        let is_empty = blocks.capacity() == 0;
        if is_empty {
            *blocks = Blocks::new(Words::new(memory));
        }
        is_empty
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({} of {} bytes free)", self.free(), self.capacity())
    }
}

/// Words of a block for so many bytes: one byte more is the block's own.
fn words(bytes: usize) -> Option<u32> {
    u32::try_from(bytes / WORD + 1).ok()
}

// SAFETY: a block stays valid while the memory is borrowed, wherever the region itself moves, and
// no two blocks overlap, for `Blocks` hands out only what is free; a region is not cloned.
unsafe impl Allocator for Region<'_> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() == 0 {
            let somewhere = NonZero::new(layout.align()).ok_or(AllocError)?;
            return Ok(NonNull::slice_from_raw_parts(NonNull::without_provenance(somewhere), 0));
        }
        let len = words(layout.size()).ok_or(AllocError)?;
        let align = u32::try_from(layout.align().div_ceil(WORD)).map_err(|_| AllocError)?;
        let mut blocks = self.blocks.lock();
        let at = blocks.take(len, align).ok_or(AllocError)?;
        let start = blocks.words().pointer(at).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        if layout.size() == 0 {
            return;
        }
        let mut blocks = self.blocks.lock();
        let at = blocks.words().position(start);
        if let (Some(at), Some(len)) = (at, words(layout.size())) {
            blocks.give(at, len);
        }
    }
}

// SAFETY: as above. What is refused is null, and nothing here panics.
unsafe impl GlobalAlloc for Region<'_> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout).map_or(ptr::null_mut(), |block| block.cast().as_ptr())
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: what holds for this call.
        NonNull::new(start).into_iter().for_each(|start| unsafe { self.deallocate(start, layout) });
    }
}

/// Says where a region is that stays for as long as the program runs: see [`Anchored`].
///
/// # Safety
/// It names the same region each time. Were there two, and the memory of one a block of the other, what
/// came from the one could be given back to the other, which would hand it out a second time.
pub unsafe trait Anchor {
    /// That region.
    fn region() -> &'static Region<'static>;
}

/// A region as a type: an allocator of no size, so that no entry keeps a reference to it. That is
/// worth four bytes an entry, or eight where pointers have 64 bits.
///
/// ```
/// # use std::mem::MaybeUninit;
/// use gocache_core::{Anchor, Anchored, Cache, Instant, Lru, Region, Seed};
///
/// static REGION: Region = Region::empty();
/// struct Ram;
/// // SAFETY: it is the only region.
/// unsafe impl Anchor for Ram {
///     fn region() -> &'static Region<'static> {
///         &REGION
///     }
/// }
///
/// # let memory = Vec::leak(vec![MaybeUninit::uninit(); 4 << 10]);
/// REGION.claim(memory); // a static one, or what the linker has left
/// let mut cache: Cache<Lru, Anchored<Ram>> =
///     Cache::new_in(REGION.capacity(), Seed::new(0x5eed), Anchored::new())?;
/// cache.insert(b"Tom", b"630", Instant::ZERO)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Anchored<R: Anchor>(PhantomData<fn() -> R>);

impl<R: Anchor> Anchored<R> {
    /// The allocator of the region that `R` names.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R: Anchor> Default for Anchored<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Anchor> Clone for Anchored<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Anchor> Copy for Anchored<R> {}

impl<R: Anchor> fmt::Debug for Anchored<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        R::region().fmt(f)
    }
}

// SAFETY: as for the region, which is the same for allocation and return: see `Anchor`.
unsafe impl<R: Anchor> Allocator for Anchored<R> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        R::region().allocate(layout)
    }

    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        // SAFETY: what holds for this call.
        unsafe { R::region().deallocate(start, layout) }
    }
}

/// The memory of a region in words, the highest byte of each the last.
struct Words {
    base: NonNull<u8>,
    len: u32,
}

// SAFETY: the memory is borrowed exclusively for as long as the region lives, and the bytes that
// are accessed here are in no block that was handed out.
unsafe impl Send for Words {}
// SAFETY: as above; what changes the memory takes `&mut`.
unsafe impl Sync for Words {}

impl Words {
    const NONE: Self = Self { base: NonNull::<u32>::dangling().cast(), len: 0 };

    fn new(memory: &mut [MaybeUninit<u8>]) -> Self {
        let all = NonNull::from(&mut *memory).cast::<u8>();
        let skipped = all.align_offset(WORD).min(memory.len());
        let len = ((memory.len() - skipped) / WORD).min(blocks::MOST as usize) as u32;
        // SAFETY: no more is skipped than there is.
        Self { base: unsafe { all.add(skipped) }, len }
    }

    /// The address of the first word in words: alignments of blocks are counted from it.
    fn address(&self) -> usize {
        self.base.addr().get() / WORD
    }

    /// Where a word begins.
    fn pointer(&self, at: u32) -> Option<NonNull<u8>> {
        // SAFETY: within the region.
        (at < self.len).then(|| unsafe { self.base.add(at as usize * WORD) })
    }

    /// The word that begins there.
    fn position(&self, pointer: NonNull<u8>) -> Option<u32> {
        let bytes = pointer.addr().get().checked_sub(self.base.addr().get())?;
        u32::try_from(bytes / WORD).ok().filter(|&at| at < self.len)
    }

    /// A word that has been set before; of a piece that is free, or of the list of such pieces.
    fn get(&self, at: u32) -> u32 {
        // SAFETY: a word of the region, aligned as its base is.
        self.pointer(at).map_or(0, |word| u32::from_le(unsafe { word.cast::<u32>().read() }))
    }

    fn set(&mut self, at: u32, value: u32) {
        // SAFETY: as above; nobody else holds a pointer to it that may still be used.
        self.pointer(at).into_iter().for_each(|word| unsafe { word.cast().write(value.to_le()) });
    }

    /// The last byte of the word before this one, set before.
    fn mark(&self, end: u32) -> u8 {
        let word = end.checked_sub(1).and_then(|last| self.pointer(last));
        // SAFETY: a byte of the region, the last of a block and so not of what was handed out.
        word.map_or(0, |word| unsafe { word.add(WORD - 1).read() })
    }

    fn set_mark(&mut self, end: u32, mark: u8) {
        let word = end.checked_sub(1).and_then(|last| self.pointer(last));
        // SAFETY: as above.
        word.into_iter().for_each(|word| unsafe { word.add(WORD - 1).write(mark) });
    }
}

#[cfg(test)]
#[path = "region_tests.rs"]
mod tests;
