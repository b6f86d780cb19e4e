//! The gocache core as a WebAssembly component: `wit/node.wit` says what it exports, `gocache-core`
//! does it. This crate only carries values across; whatever decides something belongs in the core.
//! With the feature `http-0-2` or `http-0-3` it answers HTTP requests too: see `http`.
//!
//! It is a component for wasm32 and an empty library elsewhere, so that the workspace builds as one.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(any(target_arch = "wasm32", test))]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(any(test, all(target_arch = "wasm32", any(feature = "http-0-2", feature = "http-0-3"))))]
mod http;
#[cfg(target_arch = "wasm32")]
mod runtime;
