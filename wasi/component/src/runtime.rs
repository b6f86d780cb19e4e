//! What std would bring along: an allocator, the host's way to it, a panic handler, and the C
//! library's `memcmp`. None of it imports anything.

use alloc::alloc::{Layout, alloc, realloc};
use core::{arch::wasm32, panic::PanicInfo, ptr};

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[expect(unsafe_code, reason = "an empty block, which is how a library is named to the linker")]
#[link(name = "c")]
unsafe extern "C" {}

/// A trap ends the instance, and with it the cache. There is nobody to tell the message to: the
/// host logs the trap.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}

/// Where the host puts the arguments of a call: the canonical ABI's `realloc`. The bindings free
/// what it gave with the global allocator, so it must be the same one; the C library has another.
#[expect(unsafe_code, reason = "the host calls it by this name and with these raw parts")]
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(old: *mut u8, old_len: usize, align: usize, new_len: usize) -> *mut u8 {
    let (Ok(old_layout), Ok(layout)) =
        (Layout::from_size_align(old_len, align), Layout::from_size_align(new_len, align))
    else {
        wasm32::unreachable()
    };
    let new = match (old_layout.size(), layout.size()) {
        (0, 0) => ptr::without_provenance_mut(align),
        // SAFETY: the size of the layout is not zero.
        (0, _) => unsafe { alloc(layout) },
        // SAFETY: by the canonical ABI `old` came from here with `old_len` and `align`, and it is
        // never asked to shrink to nothing.
        (_, _) => unsafe { realloc(old, old_layout, new_len) },
    };
    // Zero is an address like any other to the host: only a trap tells it that memory has run out.
    if new.is_null() { wasm32::unreachable() } else { new }
}
