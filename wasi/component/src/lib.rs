//! The gocache core as a WebAssembly component: `wit/node.wit` says what it exports, `gocache-core`
//! does it. This crate only carries values across; whatever decides something belongs in the core.
//! With the feature `http-0-2` or `http-0-3` it answers HTTP requests too: see `http`.
//!
//! The canonical ABI is written by hand, for the sake of a hit: its key comes as numbers, or in a
//! buffer that is there already, and its value goes out where it lies in the cache.
//!
//! It is a component for wasm32 and an empty library elsewhere, so that the workspace builds as one.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(any(target_arch = "wasm32", test))]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod exports;

#[cfg(target_arch = "wasm32")]
mod guest;

#[cfg(target_arch = "wasm32")]
mod abi;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(any(test, all(target_arch = "wasm32", any(feature = "http-0-2", feature = "http-0-3"))))]
mod http;
#[cfg(target_arch = "wasm32")]
mod runtime;
