//! Copies of what others have sent, where there is memory for them: how long they are is not for us to say.

use std::hint;

use gocache_core::{OutOfMemory, Value};

use crate::reserve::fallibly;

/// An empty buffer with room for so many bytes.
pub(crate) fn room(len: usize) -> Result<Vec<u8>, OutOfMemory> {
    let mut bytes = Vec::new();
    fallibly(|| bytes.try_reserve_exact(len)).map_err(|_| OutOfMemory)?;
    Ok(bytes)
}

/// Whether there is memory of that size, for what cannot be told to try.
pub(crate) fn is_there(len: usize) -> bool {
    // The compiler would leave out a buffer that nobody looks at.
    room(len).map(hint::black_box).is_ok()
}

pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = room(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// The same as a value, which the cache may keep.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, OutOfMemory> {
    fallibly(|| Value::new(bytes))
}

/// Bytes as they may stand in a text, and what comes before and behind them.
pub(crate) fn escaped(before: &str, bytes: &[u8], behind: &str) -> Result<String, OutOfMemory> {
    let mut text = String::new();
    let len = before.len() + bytes.escape_ascii().count() + behind.len();
    fallibly(|| text.try_reserve_exact(len)).map_err(|_| OutOfMemory)?;
    text.push_str(before);
    text.extend(bytes.escape_ascii().map(char::from));
    text.push_str(behind);
    Ok(text)
}
