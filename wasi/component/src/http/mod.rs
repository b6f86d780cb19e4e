//! The cache behind `wasi:http`, for hosts that serve such components. `preview2` and `preview3`
//! are the two versions of it; what they have in common knows neither.

#![cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "its callers import WASI"))]

// From the outside inwards: a file uses only files below it.
#[cfg(all(feature = "http-0-2", target_arch = "wasm32"))]
mod preview2;
#[cfg(all(feature = "http-0-3", target_arch = "wasm32"))]
mod preview3;

mod site;
#[cfg(any(feature = "http-0-3", test))]
mod waiters;

mod question;

mod answer;
mod settings;
mod units;
