//! Vectors that say so when there is no memory. Room is made first, and nothing is put where there
//! is none: so no path leads to the panic of a vector that has to grow.

use allocator_api2::{alloc::Allocator, vec::Vec};

use crate::entry::OutOfMemory;

/// A vector of so many items, and with room for no more.
pub(crate) fn filled<T, A: Allocator>(
    len: usize,
    allocator: A,
    mut item: impl FnMut(usize) -> T,
) -> Result<Vec<T, A>, OutOfMemory> {
    let mut items = Vec::new_in(allocator);
    items.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    (0..len).for_each(|at| place(&mut items, item(at)));
    Ok(items)
}

/// A copy of these bytes.
pub(crate) fn copied<A: Allocator>(bytes: &[u8], allocator: A) -> Result<Vec<u8, A>, OutOfMemory> {
    let mut copy = filled(bytes.len(), allocator, |_| 0)?;
    copy.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Ok(copy)
}

/// Adds an item.
pub(crate) fn push<T, A: Allocator>(items: &mut Vec<T, A>, item: T) -> Result<(), OutOfMemory> {
    items.try_reserve(1).map_err(|_| OutOfMemory)?;
    place(items, item);
    Ok(())
}

/// Adds an item where there is room, and only there, as the compiler can see.
pub(crate) fn place<T, A: Allocator>(items: &mut Vec<T, A>, item: T) {
    if items.len() < items.capacity() {
        items.push(item);
    }
}
