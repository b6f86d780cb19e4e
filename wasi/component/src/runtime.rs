//! What std would bring along: an allocator, the room for arguments, a panic handler, and the C
//! library's `memcmp`. None of it imports anything.

use alloc::alloc::{Layout, alloc, dealloc, realloc};
use core::{arch::wasm32, cell::UnsafeCell, panic::PanicInfo, ptr};

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[expect(unsafe_code, reason = "an empty block, which is how a library is named to the linker")]
#[link(name = "c")]
unsafe extern "C" {}

// The bindings of `wasi:http` see to that themselves.
#[cfg(not(any(feature = "http-0-2", feature = "http-0-3")))]
#[expect(unsafe_code, reason = "the linker makes it: what is to be done before all else")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Called once, before all else. Without it the linker takes this for a program, and has each export
/// begin and end one.
#[cfg(not(any(feature = "http-0-2", feature = "http-0-3")))]
#[expect(unsafe_code, reason = "the host calls it by this name")]
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: nothing has run yet.
    unsafe { __wasm_call_ctors() };
}

/// A trap ends the instance, and with it the cache. There is nobody to tell the message to: the
/// host logs the trap.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}

/// Where the arguments of a call are put, once an instance is set up: one behind the other, and all of
/// them free when it is over. What does not fit is allocated.
#[repr(C, align(16))]
struct Arguments(UnsafeCell<Buffer>);

struct Buffer {
    bytes: [u8; Buffer::LEN],
    used: usize,
    /// The instance is set up: it is called by the exports of `wit/node.wit`, and by nothing else.
    is_in_use: bool,
    /// The last of the blocks that are allocated; each begins with the one before it.
    large: *mut Large,
}

struct Large {
    before: *mut Large,
    layout: Layout,
}

impl Buffer {
    /// A key of the usual limit, and a value of some length.
    const LEN: usize = 16 << 10;
}

#[expect(unsafe_code, reason = "a `static` asks for it")]
// SAFETY: an instance has one thread.
unsafe impl Sync for Arguments {}

static ARGUMENTS: Arguments = Arguments(UnsafeCell::new(Buffer {
    bytes: [0; Buffer::LEN],
    used: 0,
    is_in_use: false,
    large: ptr::null_mut(),
}));

impl Buffer {
    fn take(&mut self, layout: Layout) -> *mut u8 {
        let start = self.used.next_multiple_of(layout.align());
        let end = start.saturating_add(layout.size());
        match self.bytes.get_mut(start..end) {
            Some(room) => {
                self.used = end;
                room.as_mut_ptr()
            }
            None => self.allocate(layout),
        }
    }

    #[cold]
    #[expect(unsafe_code, reason = "memory by its address is what an allocator deals with")]
    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        let Ok((layout, offset)) = Layout::new::<Large>().extend(layout) else {
            return ptr::null_mut();
        };
        // SAFETY: the size of the layout is not zero, for it begins with a `Large`.
        let block = unsafe { alloc(layout) };
        if block.is_null() {
            return block;
        }
        let large = block.cast::<Large>();
        // SAFETY: the block begins with room for it, aligned as the layout asks for.
        unsafe { large.write(Large { before: self.large, layout }) };
        self.large = large;
        block.wrapping_add(offset)
    }

    #[expect(unsafe_code, reason = "as above")]
    fn free(&mut self) {
        self.used = 0;
        while !self.large.is_null() {
            let block = self.large;
            // SAFETY: it was written when the block was allocated.
            let Large { before, layout } = unsafe { block.read() };
            // SAFETY: allocated with this layout, and in the list once.
            unsafe { dealloc(block.cast(), layout) };
            self.large = before;
        }
    }
}

/// Frees what the arguments of this call took, and says whether the next ones go there.
#[expect(unsafe_code, reason = "the one `static` that changes without a lock")]
pub(crate) fn free_arguments(is_in_use: bool) {
    // SAFETY: an instance has one thread, and nobody else holds a reference by now.
    let arguments = unsafe { &mut *ARGUMENTS.0.get() };
    arguments.free();
    arguments.is_in_use = is_in_use;
}

/// Where the host puts what it hands over: the canonical ABI's `realloc`. Until the instance is set
/// up that is memory of the global allocator, as bindings of other interfaces expect, which own it
/// and free it. (What is told when it is set up stays there.)
#[expect(unsafe_code, reason = "the host calls it by this name and with these raw parts")]
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    let (Ok(old_layout), Ok(layout)) =
        (Layout::from_size_align(old_len, align), Layout::from_size_align(new_len, align))
    else {
        wasm32::unreachable()
    };
    // SAFETY: as in `free_arguments`.
    let arguments = unsafe { &mut *ARGUMENTS.0.get() };
    let new = match (arguments.is_in_use, old_layout.size(), layout.size()) {
        (_, 0, 0) => ptr::without_provenance_mut(align),
        (true, _, _) => arguments.take(layout),
        // SAFETY: the size of the layout is not zero.
        (false, 0, _) => unsafe { alloc(layout) },
        // SAFETY: by the canonical ABI `old` came from here with `old_len` and `align`, and it is
        // never asked to shrink to nothing.
        (false, _, _) => unsafe { realloc(old, old_layout, new_len) },
    };
    // Zero is an address like any other to the host: only a trap tells it that memory has run out.
    if new.is_null() {
        wasm32::unreachable()
    }
    if arguments.is_in_use {
        // SAFETY: by the canonical ABI `old` came from here with `old_len` bytes; they are not given
        // anew before `free_arguments`.
        unsafe { new.copy_from_nonoverlapping(old, old_len.min(new_len)) };
    }
    new
}
