//! The gocache core as a WebAssembly component: `wit/node.wit` says what it exports, `gocache-core`
//! does it. This crate only carries values across; whatever decides something belongs in the core.
//!
//! It is a component for wasm32 and an empty library elsewhere, so that the workspace builds as one.
#![cfg_attr(target_arch = "wasm32", no_std)]

#[cfg(target_arch = "wasm32")]
extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod convert;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(target_arch = "wasm32")]
mod runtime;
