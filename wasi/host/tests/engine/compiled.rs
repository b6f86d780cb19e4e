//! A component as machine code in a file, and all that can be wrong with it.

use std::sync::LazyLock;

use gocache_wasi::{Component, ComponentError, WasiEngine};
use wasmtime::{Config, Engine, ModuleVersionStrategy};

use crate::{COMPONENT, fetch, get, guest, land, settings, value};

static COMPILED: LazyLock<Vec<u8>> = LazyLock::new(|| COMPONENT.compiled().unwrap());

/// What a wasmtime with other settings makes of the component, in a file of ours.
fn compiled_by(configure: impl FnOnce(&mut Config)) -> Vec<u8> {
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true);
    configure(&mut config);
    let wasm = std::fs::read(&*guest::FILE).unwrap();
    let code = Engine::new(&config).unwrap().precompile_component(&wasm).unwrap();
    let digest = gocache_core::Value::new(&code).unwrap().digest();
    [&*code, &digest.to_le_bytes()].concat()
}

#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let error = Component::new(bytes).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.contains("gocache-wasi compile"), "{error}");
    error
}

#[test]
fn it_serves_as_the_one_that_it_was_made_of() {
    assert_eq!(compiled_by(|_| ()), *COMPILED, "the other cases differ from this one");
    let component = Component::new(&COMPILED).unwrap();
    let engine = WasiEngine::new(&component, settings()).unwrap();
    land(&engine, fetch(&engine, b"Tom", 1), value(b"630"));
    assert!(matches!(get(&engine, b"Tom", 2), gocache_core::Get::Hit(_)));
    assert_eq!(component.compiled().unwrap(), *COMPILED, "and it can be written down again");
}

#[test]
fn one_that_is_not_whole_is_refused() {
    for len in [4, 11, 12, 64, 4_096, COMPILED.len() / 2, COMPILED.len() - 9, COMPILED.len() - 1] {
        let told = refusal(&COMPILED[..len]);
        assert!(told.contains("is not whole"), "{len} bytes: {told}");
    }
    let mut rotten = COMPILED.clone();
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    assert!(refusal(&rotten).contains("is not whole"));
}

#[test]
fn one_of_another_wasmtime_is_refused() {
    let other = ModuleVersionStrategy::Custom("47.0.2".to_owned());
    let other = compiled_by(|config| {
        config.module_version(other).unwrap();
    });
    let told = refusal(&other);
    assert!(told.contains("was compiled by another version") && told.contains("47.0.2"), "{told}");
    let told = refusal(&compiled_by(|config| {
        config.epoch_interruption(false);
    }));
    assert!(told.contains("epoch"), "{told}");
}

#[test]
fn one_of_another_world_is_refused() {
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true);
    let empty = b"\0asm\x0d\0\x01\0";
    let code = Engine::new(&config).unwrap().precompile_component(empty).unwrap();
    let digest = gocache_core::Value::new(&code).unwrap().digest();
    let error = Component::new(&[&*code, &digest.to_le_bytes()].concat()).unwrap_err();
    assert!(matches!(error, ComponentError::OtherWorld(_)), "{error}");
}
