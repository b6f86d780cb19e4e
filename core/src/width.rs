//! How wide the processor calculates: where code for 64 bits at once is large and slow, a plain loop
//! takes its place.

/// Whether it calculates with 32 bits at a time. WebAssembly has numbers of 64.
pub(crate) const IS_NARROW: bool =
    cfg!(not(any(target_pointer_width = "64", target_family = "wasm")));
