//! Configurations, as the fuzzer draws them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| gocache::check::config(input));
