//! Operations on a cache or a group, as the fuzzer draws them.
#![no_main]

#[path = "../../../core/tests/script/mod.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|input: &[u8]| script::input::cache(input));
