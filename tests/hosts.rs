//! The component in hosts of others, beyond what the suite asks of every frontend: what is promised
//! of one instance that runs many requests, what is said of wrong settings, and JavaScript.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{
    COMPONENT, Client, Frontend, HTTP_0_3, Hosted, Reply, Serve, Setup, Site, free_address, get,
    is_on_path, wasmtime_serve,
};

/// `wasmtime serve` makes another instance where one is busy at that moment. In each of them one
/// request loads and the others wait for it, and there are few of them.
#[test]
fn a_herd_makes_one_load_in_each_instance() {
    const HERD: usize = 100;
    if !Serve::is_installed() {
        return;
    }
    let site = Site::new::<Serve>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut clients: Vec<Client> = (0..HERD).map(|_| site.waiting("Tom")).collect();
    site.origin.await_loads("Tom", 1);
    gate.open();
    let mut firsts = 0;
    for client in &mut clients {
        let answer = client.answer();
        answer.status(200).body("630");
        firsts += usize::from(answer.need("cache-status") == "gocache; fwd=uri-miss");
    }
    let loads = site.origin.loads_of("Tom");
    assert_eq!(loads, firsts, "loads, and requests that were the first in their instance");
    assert!(loads <= HERD / 10, "{loads} loads for {HERD} clients");
}

/// A slow origin delays no hit, not by what it is slow.
#[test]
fn hits_are_quick_while_the_origin_hangs() {
    if !Serve::is_installed() {
        return;
    }
    let site = Setup::new().deadline("load", "4s").start::<Serve>();
    site.origin.set_otherwise(Reply::Hang);
    let mut client = site.connect();
    client.get("hot").status(200);
    let _waiting: Vec<Client> = (0..20)
        .map(|number| {
            let mut waiting = site.connect();
            waiting.send(get(&format!("key-{number}")));
            waiting
        })
        .collect();
    site.origin.await_loads("key-19", 1);
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let begin = Instant::now();
            client.get("hot").status(200).body("hot value");
            begin.elapsed()
        })
        .collect();
    times.sort();
    // A thousandth of what the loads take would do; but this machine may be busy.
    assert!(times[180] < Duration::from_millis(400), "{:?} of {times:?}", times[180]);
}

/// There is no log and no exit code: who set it up sees it with the first request.
#[test]
fn a_wrong_setting_is_told_by_its_name() {
    if !is_on_path("wasmtime") {
        return;
    }
    let told = |settings: &[(&str, &str)]| {
        let owned = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let addr = free_address();
        let host = wasmtime_serve(&HTTP_0_3, addr, BTreeMap::from_iter(owned), &[]);
        let _host = Hosted::spawn(host, addr);
        Client::connect(addr).get("Tom")
    };
    told(&[]).status(500).one_line().mentions("GOCACHE_GROUPS");
    let half = [("GOCACHE_GROUPS", "scores"), ("GOCACHE_GROUPS_SCORES_BUDGET", "much")];
    told(&half).status(500).one_line().mentions("GOCACHE_GROUPS_SCORES_BUDGET");
    told(&[("GOCACHE_CLUSTER_PEERS", "a:1,a:1")]).status(500).one_line();
}

/// What imports nothing needs nothing of its host: the example runs in Node without a shim.
#[test]
fn a_program_in_javascript_embeds_the_cache() {
    if !is_on_path("jco") || !is_on_path("node") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("transpiled");
    let mut transpile = Command::new("jco");
    transpile.arg("transpile").arg(&*COMPONENT).arg("--quiet").arg("--out-dir").arg(&folder);
    assert!(transpile.status().expect("it is installed").success(), "{transpile:?}");
    fs::write(folder.join("package.json"), r#"{"type":"module"}"#).expect("it is writable");
    let mut test = Command::new("node");
    let file = "../wasi/component/examples/embed.test.mjs";
    test.arg("--test").arg(file).env("GOCACHE_TRANSPILED", &folder);
    let tested = test.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("it is installed");
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
}
