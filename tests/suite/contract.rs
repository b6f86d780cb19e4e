//! Each cause of a refusal has a status of its own, and its body says in one line what was refused.

use crate::harness::{Answer, Frontend, Reply, Setup, Site};

promises! {
    a_target_without_group_or_key_is_told_which,
    a_group_that_is_not_there_is_named,
    a_target_outside_the_base_is_not_found,
    bad_percent_encoding_is_told_where,
    control_bytes_in_the_target_are_refused,
    other_methods_are_told_which_are_allowed,
    options_about_the_server_are_a_request,
    writes_are_off_unless_allowed,
    causes_of_the_origin_are_told_apart,
}

// Which bytes a target may have is the host's business there.
hosted! {
    a_target_without_group_or_key_is_told_which,
    a_group_that_is_not_there_is_named,
    a_target_outside_the_base_is_not_found,
    bad_percent_encoding_is_told_where,
    other_methods_are_told_which_are_allowed,
    options_about_the_server_are_a_request,
    writes_are_off_unless_allowed,
    causes_of_the_origin_are_told_apart,
}

/// A request with this request line, a good `Host` and these further field lines.
fn request(line: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: gocache\r\n{fields}\r\n")
}

fn a_target_without_group_or_key_is_told_which<F: Frontend>() {
    let site = Site::new::<F>();
    for (target, missing) in [
        ("/_gocache/", "group"),
        ("/_gocache//", "group"),
        ("/_gocache//k", "group"),
        ("/_gocache/?/scores/k", "group"),
        ("/_gocache/scores", "key"),
        ("/_gocache/scores/", "key"),
        ("/_gocache/scores?/k", "key"),
        ("/_gocache/scores/?k", "key"),
    ] {
        let answer = site.ask(&format!("GET {target}"), "");
        answer.status(400).mentions(missing).one_line();
    }
    assert_eq!(site.origin.loads(), 0, "loads for requests without a key");
}

fn a_group_that_is_not_there_is_named<F: Frontend>() {
    let site = Site::new::<F>();
    site.ask("GET /_gocache/prices/Tom", "").status(404).body("no such group: prices\n");
    site.ask("GET /_gocache/score/Tom", "").status(404).body("no such group: score\n");
    site.ask("GET /_gocache/scoress/Tom", "").status(404).body("no such group: scoress\n");
}

fn a_target_outside_the_base_is_not_found<F: Frontend>() {
    let site = Site::new::<F>();
    for target in [
        "/",
        "/x",
        "/scores/Tom",
        "/_gocachex/scores/hot",
        "/_GOCACHE/scores/hot",
        "//_gocache/scores/hot",
        "/?/_gocache/scores/hot",
    ] {
        site.ask(&format!("GET {target}"), "").status(404).one_line();
    }
    assert_eq!(site.origin.loads(), 0, "loads for targets outside of the base");
}

fn bad_percent_encoding_is_told_where<F: Frontend>() {
    let site = Site::new::<F>();
    for target in ["%", "a%", "%4", "a%4", "%zz", "%4g", "%g4", "%%41", "a%2", "%+1", "%u0041"] {
        let answer = site.ask(&format!("GET /_gocache/scores/{target}"), "");
        answer.status(400).one_line();
        answer.must(answer.body.iter().any(u8::is_ascii_digit), "a body that says where");
    }
    site.ask("GET /_gocache/%zz/k", "").status(400);
    assert_eq!(site.origin.loads(), 0, "loads for targets that cannot be decoded");
}

fn control_bytes_in_the_target_are_refused<F: Frontend>() {
    let site = Site::new::<F>();
    for byte in [0, 1, 8, b'\t', 0x0b, 0x1f, 0x7f] {
        let request =
            [b"GET /_gocache/scores/a", &[byte][..], b"b HTTP/1.1\r\nHost: gocache\r\n\r\n"]
                .concat();
        site.connect().send(request).answer().status(400).one_line();
    }
    assert_eq!(site.origin.loads(), 0, "loads for targets with control bytes");
}

/// `Allow` as a set: its order is free.
#[track_caller]
fn allowed(answer: &Answer) -> Vec<String> {
    let mut methods: Vec<String> =
        answer.need("allow").split(',').map(|name| name.trim().to_string()).collect();
    methods.sort();
    methods
}

fn other_methods_are_told_which_are_allowed<F: Frontend>() {
    let site = Site::new::<F>();
    site.get("hot").status(200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        for target in ["hot", "cold"] {
            let answer = site.ask(&format!("{method} /_gocache/scores/{target}"), "");
            let allowed = allowed(answer.status(405));
            answer.must(allowed == ["GET", "HEAD"], "Allow: GET, HEAD");
        }
    }
    assert_eq!(site.origin.loads(), 1, "loads for methods that are not allowed");
}

/// It asks about the server and not about a key: what it says is left open, but it is no bad
/// request.
fn options_about_the_server_are_a_request<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    let answer = client.send("OPTIONS * HTTP/1.1\r\nHost: gocache\r\n\r\n").answer();
    answer.must(
        matches!(answer.status, 200 | 204 | 404 | 405 | 501),
        "an answer, or a refusal of it",
    );
    if answer.says("close") {
        client.end();
    } else {
        client.get("hot").status(200);
    }
}

fn writes_are_off_unless_allowed<F: Frontend>() {
    let site = Site::new::<F>();
    let mut client = site.connect();
    client.get("hot").status(200);
    let put =
        request("PUT /_gocache/scores/hot", "Content-Length: 5\r\nAuthorization: Bearer guess\r\n");
    site.connect().send(put + "other").answer().status(405);
    let delete = request("DELETE /_gocache/scores/hot", "Authorization: Bearer guess\r\n");
    site.connect().send(delete).answer().status(405);
    client.get("hot").status(200).body("hot value");
    assert_eq!(site.origin.loads_of("hot"), 1, "loads of a key that nobody may change");
}

/// Details are in the suite of the origin; here they stand side by side.
fn causes_of_the_origin_are_told_apart<F: Frontend>() {
    let site = Setup::new().deadline("load", "300ms").start::<F>();
    site.origin.set("broken", Reply::close());
    site.origin.set("failing", Reply::status(500));
    site.origin.set("late", Reply::Hang);
    let mut client = site.connect();
    for (key, status) in
        [("missing", 404), ("broken", 502), ("failing", 502), ("late", 504), ("hot", 200)]
    {
        client.get(key).status(status);
    }
}
