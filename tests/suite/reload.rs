//! Another configuration is taken up while the server runs: what stays keeps its values, what is in
//! flight ends as it began, and what cannot change is named.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::operations::scrape;
use crate::harness::{Client, Frontend, Origin, Reply, Setup, Site, TOKEN, eventually, get, put};

const OTHER_TOKEN: &str = "another-token-of-the-writers";

promises! {
    another_origin_is_asked_and_values_stay,
    what_is_in_flight_ends_as_it_began,
    deadlines_hold_for_connections_that_stand,
    another_token_counts_at_once,
    a_write_under_way_ends_as_it_began,
    a_bad_configuration_changes_nothing,
    ports_and_loops_wait_for_a_restart,
    groups_come_and_go,
    a_group_that_is_gone_ends_its_loads,
    budgets_lifetimes_and_limits_change,
    another_policy_begins_anew,
}

// Its many clients speak in the clear.
promises! { in native_load for Native: nobody_notices_it_under_load }
promises! { in wasi_load for Wasi: nobody_notices_it_under_load }

#[track_caller]
fn reloaded(site: &Site, text: &str) {
    assert_eq!(site.reload(text), Ok(vec![]), "{text}");
}

/// The file of a site with two groups in place of the one.
fn with_other(site: &Site, setup: &Setup) -> String {
    let text = setup.text(&site.origin);
    text.replace("[limits]", "[groups.other]\norigin = \"api\"\nbudget = \"1 MiB\"\n[limits]")
}

fn get_of(site: &Site, group: &str, key: &str) -> crate::harness::Answer {
    site.ask(&format!("GET /_gocache/{group}/{key}"), "")
}

fn another_origin_is_asked_and_values_stay<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200).body("hot value");
    let other = Origin::start();
    other.set_otherwise(Reply::value("from the other"));
    let setup = Setup::new().url(&other.url()).group("content_type", "text/html");
    reloaded(&site, &setup.text(&site.origin));
    eventually("another type of content", || site.get("hot").need("content-type") == "text/html");
    site.get("hot").status(200).body("hot value");
    site.get("cold").status(200).body("from the other");
    assert_eq!((site.origin.loads(), other.loads()), (1, 1), "loads of the one and the other");
}

/// A request in the name of who has the other token.
fn by_other(request: &str) -> String {
    request.replace(TOKEN, OTHER_TOKEN)
}

fn another_token_counts_at_once<F: Frontend>() {
    let writable = || Setup::new().writes("");
    let site = writable().start::<F>();
    let mut client = site.connect();
    client.send(put("Tom", "630")).answer().status(204);
    client.send(by_other(&put("Tom", "631"))).answer().status(403);
    reloaded(&site, &by_other(&writable().text(&site.origin)));
    // A loop looks at its configuration when it turns: the connection that stands is the slowest.
    eventually("the other token counts", || {
        client.send(by_other(&put("Tom", "632"))).answer().status == 204
    });
    client.send(put("Tom", "633")).answer().status(403);
    client.get("Tom").status(200).body("632");
    reloaded(&site, &Setup::new().text(&site.origin));
    eventually("there are no writes", || {
        client.send(by_other(&put("Tom", "634"))).answer().status == 405
    });
    client.get("Tom").status(200).body("632");
}

fn a_write_under_way_ends_as_it_began<F: Frontend>() {
    let site = Setup::new().writes("").start::<F>();
    let mut client = site.connect();
    let request = put("Tom", &"x".repeat(1000));
    let (granted, rest) = request.split_at(request.len() - 500);
    // The answer to the one before says that the other has been looked at.
    client.send(put("Jack", "589") + granted).answer().status(204);
    reloaded(&site, &Setup::new().text(&site.origin));
    let mut other = site.connect();
    eventually("there are no writes", || other.send(put("Tom", "631")).answer().status == 405);
    client.send(rest).answer().status(204);
    client.get("Tom").status(200).body("x".repeat(1000));
    client.send(put("Tom", "632")).answer().status(405);
}

fn what_is_in_flight_ends_as_it_began<F: Frontend>() {
    let site = Site::new::<F>();
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut clients = [site.waiting("Tom"), site.waiting("Tom")];
    site.origin.await_loads("Tom", 1);
    let other = Origin::start();
    other.set_otherwise(Reply::value("from the other"));
    reloaded(&site, &Setup::new().url(&other.url()).text(&site.origin));
    eventually("the other origin is asked", || {
        let key = format!("key-{}", other.loads() + site.origin.loads());
        drop(site.get(&key));
        other.loads() > 0
    });
    gate.open();
    for client in &mut clients {
        client.answer().status(200).body("630");
    }
    site.get("Tom").status(200).body("630");
    assert_eq!((site.origin.loads_of("Tom"), other.loads_of("Tom")), (1, 0));
}

fn deadlines_hold_for_connections_that_stand<F: Frontend>() {
    let site = Site::new::<F>();
    let mut idle = site.connect();
    idle.get("hot").status(200);
    reloaded(&site, &Setup::new().deadline("idle", "50ms").text(&site.origin));
    idle.end();
}

fn a_bad_configuration_changes_nothing<F: Frontend>() {
    let site = Site::new::<F>();
    let text = Setup::new().deadline("idle", "50ms").text(&site.origin);
    let mut idle = site.connect();
    idle.get("hot").status(200);
    for (wrong, expected) in [
        (text.replace("origin = \"api\"", "origin = \"db\""), "(text):8:10: no origin is named"),
        (text.replace("[limits]", "[limit]"), ": unknown field"),
        (text.replace("loops", "\u{1}"), "(text):3:1: "),
    ] {
        let error = site.reload(&wrong).expect_err("it is wrong");
        assert!(error.contains(expected), "expected {expected}, got {error}");
    }
    idle.get("hot").status(200);
    let last = |site: &Site| {
        let names = ["successful", "success_timestamp_seconds"];
        names.map(|it| scrape(site).of(&format!("gocache_config_last_reload_{it}"), &[]))
    };
    let [successful, at] = last(&site);
    assert_eq!(successful, Some(0.0));
    reloaded(&site, &Setup::new().text(&site.origin));
    assert!(last(&site)[0] == Some(1.0) && last(&site)[1] >= at && at > Some(1.7e9), "{at:?}");
}

fn ports_and_loops_wait_for_a_restart<F: Frontend>() {
    let site = Site::new::<F>();
    let text = Setup::new().loops(3).group("content_type", "text/html").text(&site.origin);
    let text = text.replace("listen = \"127.0.0.1:0\"\nops", "listen = \"127.0.0.1:1\"\nops");
    assert_eq!(site.reload(&text), Ok(vec!["listen", "loops"]));
    eventually("the rest holds", || site.get("hot").need("content-type") == "text/html");
}

fn groups_come_and_go<F: Frontend>() {
    let site = Site::new::<F>();
    let setup = Setup::new();
    let both = with_other(&site, &setup);
    reloaded(&site, &both);
    eventually("a new group", || get_of(&site, "other", "hot").status == 200);
    site.get("hot").status(200).body("hot value");
    assert_eq!(site.origin.loads_of("hot"), 2, "each group has its own values");

    let alone = setup.text(&site.origin).replace("groups.scores", "groups.other");
    reloaded(&site, &alone);
    eventually("the first is gone", || site.get("hot").status == 404);
    get_of(&site, "other", "hot").status(200);
    assert_eq!(site.origin.loads_of("hot"), 2, "the one that stays kept its values");
    assert_eq!(scrape(&site).of_scores("gocache_memory_bytes"), None, "its series end");

    for _ in 0..3 {
        reloaded(&site, &both);
        eventually("it is back", || site.get("hot").status == 200);
        reloaded(&site, &alone);
        eventually("it is gone", || site.get("hot").status == 404);
    }
    assert_eq!(site.origin.loads_of("hot"), 5, "each time without values");
}

fn a_group_that_is_gone_ends_its_loads<F: Frontend>() {
    let site = Setup::new().deadline("load", "20s").start::<F>();
    let setup = Setup::new().deadline("load", "20s").group("content_type", "text/html");
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut client = site.waiting("Tom");
    site.origin.await_loads("Tom", 1);
    // One takes the name of the old one's neighbour, then its own name again.
    let other = setup.text(&site.origin).replace("groups.scores", "groups.other");
    reloaded(&site, &other);
    eventually("the group is gone", || site.get("hot").status == 404);
    reloaded(&site, &with_other(&site, &setup));
    eventually("another one of its name", || site.get("hot").status == 200);
    let mut again = site.waiting("Tom");
    site.origin.await_loads("Tom", 2);
    gate.open();
    let plain = "application/octet-stream";
    client.answer().status(200).body("630").has("content-type", plain);
    again.answer().status(200).body("630").has("content-type", "text/html");
}

fn budgets_lifetimes_and_limits_change<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::value([b'.'; 10 << 10]));
    for number in 0..50 {
        site.get(&format!("key-{number}")).status(200);
    }
    let held = |site: &Site| scrape(site).of_scores("gocache_memory_bytes").expect("a group");
    assert!(held(&site) > 500e3);
    reloaded(&site, &Setup::new().budget("64 KiB").text(&site.origin));
    assert!(held(&site) < 66e3, "{} bytes once it is taken up", held(&site));
    site.get("key-49").status(200);
    assert_eq!(site.origin.loads_of("key-49"), 1, "the last one used is still there");

    let setup = Setup::new().budget("64 KiB").group("lifetime", "1h").limit("key_bytes", 6);
    reloaded(&site, &setup.text(&site.origin));
    site.get("key-49").status(200);
    assert_eq!(site.origin.loads_of("key-49"), 2, "nobody knew how old it was");
    site.get("key-49").status(200).need("age");
    site.get("long-key").status(414);
    site.get("key-4").status(200);
    let shorter = Setup::new().budget("64 KiB").group("lifetime", "1h").limit("key_bytes", 5);
    reloaded(&site, &shorter.text(&site.origin));
    site.get("key-49").status(414);
    site.get("key-4").status(200);
    reloaded(&site, &setup.text(&site.origin));
    site.get("key-49").status(200);
    assert_eq!(site.origin.loads_of("key-49"), 2, "the same lifetime keeps them");
}

fn another_policy_begins_anew<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200);
    let setup = Setup::new().group("policy", "s3-fifo");
    reloaded(&site, &setup.text(&site.origin));
    let loads = || site.origin.loads_of("hot");
    eventually("it is loaded anew", || site.get("hot").status == 200 && loads() == 2);
    reloaded(&site, &setup.text(&site.origin));
    site.get("hot").status(200);
    assert_eq!(loads(), 2, "the same policy again changes nothing");
}

/// Asks for keys until it is to stop; says how many there were.
fn ask_on(addr: SocketAddr, number: usize, stop: &AtomicBool) -> usize {
    let mut client = Client::connect(addr);
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let key = format!("client-{number}-{asked}");
        client.send(get(&key) + &get(&key));
        client.answer().status(200).body(&key);
        client.answer().status(200).body(&key);
        asked += 1;
    }
    asked
}

fn nobody_notices_it_under_load<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let other = Origin::start();
    other.set_otherwise(Reply::Echo);
    let (addr, stop) = (site.addr(), AtomicBool::new(false));
    thread::scope(|scope| {
        let stop = &stop;
        let clients: Vec<_> =
            (0..4).map(|number| scope.spawn(move || ask_on(addr, number, stop))).collect();
        for round in 0..40 {
            let setup = Setup::new().budget(["1 MiB", "64 KiB"][round % 2]);
            let setup = if round % 3 == 0 { setup.url(&other.url()) } else { setup };
            let text =
                if round % 4 == 0 { with_other(&site, &setup) } else { setup.text(&site.origin) };
            reloaded(&site, &text);
            let before = site.origin.loads() + other.loads();
            eventually("loads go on", || site.origin.loads() + other.loads() > before + 4);
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("every answer was right") > 0);
        }
    });
    assert_eq!(scrape(&site).of_scores("gocache_load_errors_total"), Some(0.0));
}
