//! However many ask for a cold key at once, the origin is asked once and all of them get its
//! answer.

use std::time::{Duration, Instant};

use crate::harness::{Asked, Client, Frontend, PATIENCE, Reply, Setup, Site, get, head};

promises! {
    a_hundred_clients_make_one_load,
    a_failing_load_fails_all_who_wait_and_none_after,
    a_missing_key_is_missing_for_all_who_wait,
    a_hanging_load_is_given_up_at_the_deadline,
    a_load_that_comes_in_time_is_served,
    hits_do_not_wait_for_a_load,
    a_hit_ahead_of_a_miss_does_not_wait_for_it,
    loads_of_different_keys_do_not_wait_for_each_other,
    get_and_head_share_a_load,
    the_first_to_ask_may_leave,
    a_later_one_may_leave,
    all_may_leave,
}

// It does one thing at a time, so that nobody waits for the load of another.
hosted! { in jco for Jco:
    a_load_that_comes_in_time_is_served,
    a_hit_ahead_of_a_miss_does_not_wait_for_it,
}

// The others count loads, of which each of its instances makes one: see `hosts`.
hosted! { in serve for Serve:
    a_load_that_comes_in_time_is_served,
    hits_do_not_wait_for_a_load,
    a_hit_ahead_of_a_miss_does_not_wait_for_it,
    loads_of_different_keys_do_not_wait_for_each_other,
    a_later_one_may_leave,
}

const HERD: usize = 100;

/// As many clients as asked for, their requests read by the server and the origin asked.
fn herd(site: &Site, key: &str, size: usize) -> Vec<Client> {
    let clients = (0..size).map(|_| site.waiting(key)).collect();
    site.origin.await_loads(key, 1);
    clients
}

fn a_hundred_clients_make_one_load<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut clients = herd(&site, "Tom", HERD);
    assert!(
        clients[0].silent_for(Duration::from_millis(20)),
        "nobody has an answer before the origin gave one"
    );
    gate.open();
    for client in &mut clients {
        client.answer().status(200).body("630");
    }
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads for {HERD} clients");
}

fn a_failing_load_fails_all_who_wait_and_none_after<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::status(500))));
    let mut clients = herd(&site, "Tom", HERD);
    gate.open();
    for client in &mut clients {
        client.answer().status(502);
    }
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads for {HERD} clients");
    site.origin.set("Tom", Reply::value("630"));
    for client in &mut clients {
        client.get("Tom").status(200).body("630");
    }
    assert_eq!(site.origin.loads_of("Tom"), 2, "loads, the failed one and the next");
}

fn a_missing_key_is_missing_for_all_who_wait<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::NotFound)));
    let mut clients = herd(&site, "Tom", 20);
    gate.open();
    for client in &mut clients {
        client.answer().status(404).body("Tom not exist\n");
    }
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads for 20 clients");
}

fn a_hanging_load_is_given_up_at_the_deadline<F: Frontend>() {
    let deadline = Duration::from_millis(600);
    let site = Setup::new().deadline("load", "600ms").start::<F>();
    site.origin.set("Tom", Reply::Hang);
    site.get("hot").status(200);
    let begin = Instant::now();
    let mut clients = herd(&site, "Tom", 20);
    for client in &mut clients {
        client.answer().status(504);
        assert!(
            begin.elapsed() >= deadline,
            "given up after {:?}, before the deadline",
            begin.elapsed()
        );
    }
    assert!(begin.elapsed() < deadline + PATIENCE / 2, "given up only after {:?}", begin.elapsed());
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads for 20 clients");
    site.origin.set("Tom", Reply::value("630"));
    for client in &mut clients {
        client.get("Tom").status(200).body("630");
    }
    assert_eq!(site.origin.loads_of("Tom"), 2, "loads, the hanging one and the next");
}

fn a_load_that_comes_in_time_is_served<F: Frontend>() {
    let site = Setup::new().deadline("load", "5s").start::<F>();
    let slow = Reply::After(Duration::from_millis(200), Box::new(Reply::value("630")));
    site.origin.set("Tom", slow);
    site.get("Tom").status(200).body("630");
}

/// One loop, so that the hits share it with the load.
fn hits_do_not_wait_for_a_load<F: Frontend>() {
    let site = Setup::new().loops(1).start::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut opened_before = site.connect();
    opened_before.get("hot").status(200);
    let mut waiting = herd(&site, "Tom", 3);
    for _ in 0..10 {
        opened_before.get("hot").status(200).body("hot value");
        site.get("hot").status(200).body("hot value");
    }
    gate.open();
    for client in &mut waiting {
        client.answer().status(200).body("630");
    }
}

fn a_hit_ahead_of_a_miss_does_not_wait_for_it<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    site.get("hot").status(200);
    let mut client = site.connect();
    client.send(get("hot") + &get("hot") + &get("Tom") + &get("hot"));
    client.answer().status(200).body("hot value");
    client.answer().status(200).body("hot value");
    site.origin.await_loads("Tom", 1);
    gate.open();
    client.answer().status(200).body("630");
    client.answer().status(200).body("hot value");
}

fn loads_of_different_keys_do_not_wait_for_each_other<F: Frontend>() {
    let site = Setup::new().loops(1).start::<F>();
    let gate = site.origin.gate();
    site.origin.set_otherwise(Reply::Held(gate.clone(), Box::new(Reply::Echo)));
    let keys: Vec<String> = (0..8).map(|number| format!("key-{number}")).collect();
    let mut clients: Vec<Client> = keys.iter().map(|key| site.waiting(key)).collect();
    for key in &keys {
        site.origin.await_loads(key, 1);
    }
    gate.open();
    for (client, key) in clients.iter_mut().zip(&keys) {
        client.answer().status(200).body(key);
    }
}

fn get_and_head_share_a_load<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut header = site.connect();
    header.send(head("Tom"));
    site.origin.await_loads("Tom", 1);
    let mut getter = site.waiting("Tom");
    gate.open();
    header.answer_to(Asked::Head).status(200).has("content-length", "3");
    getter.answer().status(200).body("630");
    header.get("hot").status(200);
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads for a HEAD and a GET");
}

fn the_first_to_ask_may_leave<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let first = herd(&site, "Tom", 1);
    let mut later = site.waiting("Tom");
    drop(first);
    site.get("hot").status(200);
    gate.open();
    later.answer().status(200).body("630");
    assert_eq!(site.origin.loads_of("Tom"), 1, "loads when the first to ask has left");
}

fn a_later_one_may_leave<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut stays = herd(&site, "Tom", 2);
    drop(site.waiting("Tom"));
    drop(stays.pop());
    // Its place may be taken by another connection, which must not get the answer that was not for
    // it.
    let mut stranger = site.connect();
    stranger.get("hot").status(200);
    gate.open();
    stays[0].answer().status(200).body("630");
    assert!(
        stranger.silent_for(Duration::from_millis(20)),
        "an answer for one who has left went to another"
    );
    stranger.get("hot").status(200).body("hot value");
}

fn all_may_leave<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    drop(herd(&site, "Tom", 5));
    let mut next = site.waiting("Tom");
    drop(site.waiting("Tom"));
    gate.open();
    next.answer().status(200).body("630");
    next.get("Tom").status(200).body("630");
    assert!(
        site.origin.loads_of("Tom") <= 2,
        "{} loads, one flight after the other",
        site.origin.loads_of("Tom")
    );
}
