//! Files that are not the component, and hosts that are not ours.

use std::{fs, path::Path};

use gocache_wasi::{Component, ComponentError, Settings, StartError, WasiEngine};
use wasmtime::component::Val;

use crate::{
    COMPONENT,
    bare::{Bare, answered, bytes, client},
    change, guest, ring, settings,
};

/// `(component)` in bytes.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
/// `(module)` in bytes.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

#[test]
fn a_file_that_is_not_the_component_is_refused_in_one_line() {
    let missing = Component::from_file(Path::new("no/such.wasm")).unwrap_err();
    assert!(matches!(missing, ComponentError::Unreadable(_)));
    const NONE: &str = "is not a WebAssembly component";
    let wasm = fs::read(&*guest::FILE).unwrap();
    // The interface's own name, of which there are several.
    let other = String::from_utf8(wasm.iter().map(|byte| byte & 0x7f).collect()).unwrap();
    let mut other_version = wasm.clone();
    for (at, name) in other.match_indices("gocache:node/engine@0.1.0") {
        other_version[at + name.len() - 3] = b'2';
    }
    for (bytes, says) in [
        (b"".as_slice(), NONE),
        (b"#!/bin/sh", NONE),
        (MODULE, "is a WebAssembly module and not a component; build it"),
        (EMPTY, "of another world"),
        (&other_version, "of another world or version than `gocache:node/engine@0.1.0`"),
        (&wasm[..wasm.len() / 2], "does not compile"),
    ] {
        let error = Component::new(bytes).unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn settings_that_make_no_node_are_refused() {
    let refusal = |settings| match WasiEngine::new(&COMPONENT, settings) {
        Err(StartError::Refused(why)) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("refused"),
    };
    let mut twice = settings();
    twice.groups[1].as_mut().unwrap().name = "scores".to_owned();
    assert_eq!(refusal(twice), "the node has a group of that name");
    let mut large = settings();
    change(&mut large, 1, |group| group.budget = 1 << 32);
    assert_eq!(refusal(large), "a budget or a limit exceeds what 32 bits can address");
    let mut stray = ring();
    stray.own.0 = 3;
    let stray = Settings { ring: Some(stray), ..settings() };
    assert_eq!(refusal(stray), "the node's own place lies outside the ring");
    let mut repeated = ring();
    repeated.names[2] = repeated.names[0].clone();
    let repeated = Settings { ring: Some(repeated), ..settings() };
    assert_eq!(refusal(repeated), "node 2 of the list stands there twice");
    let tiny = Settings { memory_bytes: Some(1 << 16), ..settings() };
    assert!(matches!(WasiEngine::new(&COMPONENT, tiny), Err(StartError::Trap(_))));
}

/// Not through our bindings: any host may load the component.
#[test]
fn it_answers_a_host_that_is_wrong() {
    let mut bare = Bare::new();
    let unconfigured = Some("unconfigured".to_owned());
    let key = bytes(b"k");
    assert_eq!(bare.misuse("stats", &[]), unconfigured);
    assert_eq!(bare.misuse("overdue", &[Val::U64(0)]), unconfigured);
    let remove = [Val::U16(0), key.clone(), Val::U64(0)];
    assert_eq!(bare.misuse("remove", &remove), unconfigured);
    // Keys that end behind the end of all keys.
    let batch = [Val::List(vec![client(u32::MAX); 2]), key.clone(), Val::U64(0)];
    assert_eq!(bare.misuse("get-batch", &batch), unconfigured);
    // A key that ends behind its words.
    let words = Val::Tuple(vec![Val::U64(u64::MAX); 8]);
    let hit = [Val::U16(0), words, Val::U8(u8::MAX), Val::U64(0)];
    assert_eq!(bare.call("hit", &hit), Val::Option(None));
    // Keys as above, and one that has a group and no length.
    let groups = Val::List(vec![Val::U16(0), Val::U16(0), Val::U16(u16::MAX)]);
    let key_bytes = Val::List(vec![Val::U32(1), Val::U32(u32::MAX)]);
    let hits = [groups, key_bytes, key, Val::U64(0)];
    assert_eq!(bare.call("hits", &hits), Val::List(vec![]));
    let configuration = [Val::List(Vec::new()), Val::Option(None), Val::U64(1)];
    for _ in 0..2 {
        assert_eq!(bare.misuse("configure", &configuration), None, "as often as one likes");
    }
    assert_eq!(bare.misuse("stats", &[]), None);
    let nowhere = Val::Result(Err(Some(Box::new(Val::Variant("no-such-group".to_owned(), None)))));
    assert_eq!(bare.call("get-batch", &batch), answered(Val::List(vec![nowhere; 2])));
    assert_eq!(bare.call("hit", &hit), Val::Option(None));
    assert_eq!(bare.call("hits", &hits), Val::List(vec![Val::Option(None); 2]));
}
