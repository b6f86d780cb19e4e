//! What is put is served, what is deleted is loaded anew, and the origin learns of neither.

use std::time::Duration;

use crate::harness::{
    Answer, CacheStatus, Client, Frontend, Reply, Setup, Site, delete, eventually, get, put, write,
};

promises! {
    what_is_put_is_served_and_the_origin_is_not_asked,
    what_is_deleted_is_loaded_anew,
    a_key_that_is_not_cached_is_deleted_too,
    a_key_is_the_same_in_every_method,
    what_is_put_lives_as_long_as_what_is_loaded,
    a_condition_is_refused_and_never_ignored,
    a_load_in_the_air_does_not_bring_the_old_value_back,
    requests_behind_a_write_see_it,
    a_write_waits_for_what_was_asked_before,
    a_herd_of_writers_leaves_one_of_their_values,
}

fn site<F: Frontend>() -> Site {
    Setup::new().writes("").start::<F>()
}

/// RFC 9110, 15.3.5: nothing but the head.
#[track_caller]
fn done(answer: &Answer) {
    answer.status(204).must(answer.field("content-type").is_none(), "a 204 about no content");
}

fn what_is_put_is_served_and_the_origin_is_not_asked<F: Frontend>() {
    let site = Setup::new().group("content_type", "text/x-score").writes("").start::<F>();
    let mut client = site.connect();
    let large = "x".repeat(100_000);
    for value in ["630", "", "631", &large, "632"] {
        let typed = put("Tom", value).replace("Content-L", "Content-Type: a/b\r\nContent-L");
        done(&client.send(typed).answer());
        let answer = site.get("Tom");
        answer.status(200).body(value).has("content-type", "text/x-score");
        answer.must(CacheStatus::of(&answer).is_hit(), "a hit");
    }
    client.get("hot").status(200);
    done(&client.send(put("hot", "colder")).answer());
    client.get("hot").status(200).body("colder");
    assert_eq!((site.origin.loads(), site.origin.loads_of("hot")), (1, 1), "loads");
}

fn what_is_deleted_is_loaded_anew<F: Frontend>() {
    let site = site::<F>();
    site.origin.set("Tom", Reply::value("630"));
    let mut client = site.connect();
    client.get("Tom").status(200).body("630");
    site.origin.set("Tom", Reply::value("631"));
    client.get("Tom").status(200).body("630");
    done(&client.send(delete("Tom")).answer());
    client.get("Tom").status(200).body("631");
    assert_eq!(site.origin.loads_of("Tom"), 2, "loads, one of them after the DELETE");
}

fn a_key_that_is_not_cached_is_deleted_too<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    for _ in 0..2 {
        done(&client.send(delete("nobody")).answer());
    }
    // Content of a DELETE means nothing (RFC 9110, 9.3.5), and is read past.
    done(&client.send(write("DELETE", "Tom", "Content-Length: 3\r\n", "630")).answer());
    done(
        &client
            .send(write("DELETE", "Tom", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"))
            .answer(),
    );
    client.get("hot").status(200);
    assert_eq!(site.origin.loads(), 1, "the load of hot");
}

fn a_key_is_the_same_in_every_method<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    let target = "http://gocache/_gocache/scores/a%2F%00%ff?x=y";
    done(&client.send(put("a", "1").replace("/_gocache/scores/a", target)).answer());
    client.get("a/%00%FF").status(200).body("1");
    site.origin.set_otherwise(Reply::Echo);
    client.get("a").status(200).body("a");
    let long = "k".repeat(9_000);
    client.send(delete(&long)).answer().status(414).mentions("8192").one_line();
    client.send(put(&long, "1")).answer().status(414).one_line();
    client.get("a").status(200);
}

fn what_is_put_lives_as_long_as_what_is_loaded<F: Frontend>() {
    let site = Setup::new().group("lifetime", "200ms").writes("").start::<F>();
    site.origin.set("Tom", Reply::value("from the origin"));
    site.connect().send(put("Tom", "630")).answer().status(204);
    site.get("Tom").status(200).need("age");
    eventually("the value is past its lifetime", || site.get("Tom").body == b"from the origin");
}

fn a_condition_is_refused_and_never_ignored<F: Frontend>() {
    let site = site::<F>();
    let mut client = site.connect();
    client.send(put("Tom", "before")).answer().status(204);
    let tag = client.get("Tom").need("etag").to_string();
    for condition in [
        "If-Match: *",
        &format!("If-Match: {tag}"),
        "if-none-match: *",
        "If-None-Match: \"x\"",
        "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        let fields = format!("{condition}\r\nContent-Length: 5\r\n");
        client.send(write("PUT", "Tom", &fields, "after")).answer().status(412).one_line();
        client.send(write("DELETE", "Tom", &format!("{condition}\r\n"), "")).answer().status(412);
        client.get("Tom").status(200).body("before");
    }
    // RFC 9110, 13.1.3: of no meaning but for GET and HEAD.
    let fields = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n";
    client.send(write("PUT", "Tom", fields, "after")).answer().status(204);
}

fn a_load_in_the_air_does_not_bring_the_old_value_back<F: Frontend>() {
    let site = site::<F>();
    for (key, request, then) in
        [("deleted", delete("deleted"), "new"), ("put", put("put", "written"), "written")]
    {
        let gate = site.origin.gate();
        site.origin.set(key, Reply::Held(gate.clone(), Box::new(Reply::value("old"))));
        let mut before = site.waiting(key);
        site.origin.await_loads(key, 1);
        done(&site.connect().send(request).answer());
        site.origin.set(key, Reply::value("new"));
        site.get(key).status(200).body(then);
        gate.open();
        before.answer().status(200).body("old");
        site.get(key).status(200).body(then);
    }
}

fn requests_behind_a_write_see_it<F: Frontend>() {
    let site = site::<F>();
    site.origin.set("Tom", Reply::value("origin"));
    let mut client = site.connect();
    let round = [
        get("Tom"),
        put("Tom", "1"),
        get("Tom"),
        put("Tom", "22"),
        get("Tom"),
        delete("Tom"),
        get("Tom"),
        delete("Tom"),
    ];
    client.send(round.concat().repeat(20));
    for _ in 0..20 {
        client.answer().status(200).body("origin");
        done(&client.answer());
        client.answer().status(200).body("1");
        done(&client.answer());
        client.answer().status(200).body("22");
        done(&client.answer());
        client.answer().status(200).body("origin");
        done(&client.answer());
    }
    assert_eq!(site.origin.loads_of("Tom"), 40, "one for each time that it was not cached");
}

/// RFC 9112, 9.3.2: only what is safe may be done before what was asked earlier is answered.
fn a_write_waits_for_what_was_asked_before<F: Frontend>() {
    let site = site::<F>();
    site.connect().send(put("Sam", "before")).answer().status(204);
    let gate = site.origin.gate();
    site.origin.set("Tom", Reply::Held(gate.clone(), Box::new(Reply::value("630"))));
    let mut client = site.waiting("Tom");
    site.origin.await_loads("Tom", 1);
    client.send(put("Sam", "after") + &get("Sam"));
    assert!(client.silent_for(Duration::from_millis(50)), "nothing before the first answer");
    site.get("Sam").status(200).body("before");
    gate.open();
    client.answer().status(200).body("630");
    done(&client.answer());
    client.answer().status(200).body("after");
    client.send(delete("Sam")).answer().status(204);
}

fn a_herd_of_writers_leaves_one_of_their_values<F: Frontend>() {
    let site = site::<F>();
    let values: Vec<String> = (0..40).map(|number| number.to_string().repeat(200)).collect();
    let mut writers: Vec<Client> = values.iter().map(|_| site.connect()).collect();
    for (writer, value) in writers.iter_mut().zip(&values) {
        writer.send(put("Tom", value) + &get("Tom"));
    }
    for writer in &mut writers {
        done(&writer.answer());
        let seen = writer.answer().status(200).body.clone();
        assert!(values.iter().any(|value| value.as_bytes() == seen), "a value that nobody put");
    }
    let last = site.get("Tom").body;
    assert_eq!(site.get("Tom").body, last);
    assert_eq!(site.origin.loads(), 0, "loads");
}
