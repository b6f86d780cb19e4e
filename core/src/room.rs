//! Vectors that say so when there is no memory. Room is made first, and nothing is put where there
//! is none: so no path leads to the panic of a vector that has to grow.

use allocator_api2::{alloc::Allocator, vec::Vec};

use crate::entry::OutOfMemory;

/// An empty vector with room for so many items, and for no more.
pub(crate) fn empty<T, A: Allocator>(len: usize, allocator: A) -> Result<Vec<T, A>, OutOfMemory> {
    let mut items = Vec::new_in(allocator);
    items.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    Ok(items)
}

/// A vector of so many items.
pub(crate) fn filled<T, A: Allocator>(
    len: usize,
    allocator: A,
    mut item: impl FnMut(usize) -> T,
) -> Result<Vec<T, A>, OutOfMemory> {
    let mut items = empty(len, allocator)?;
    (0..len).for_each(|at| place(&mut items, item(at)));
    Ok(items)
}

/// A copy of these items.
pub(crate) fn copied<T: Copy, A: Allocator>(
    items: &[T],
    allocator: A,
) -> Result<Vec<T, A>, OutOfMemory> {
    let mut copy = empty(items.len(), allocator)?;
    items.iter().for_each(|item| place(&mut copy, *item));
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
