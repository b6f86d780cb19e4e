//! What the origin may answer: a value in any framing HTTP has, no such key, or a failure that
//! stays its own.

use std::time::Duration;

use crate::harness::{Frontend, Reply, Setup, Site};

promises! {
    values_come_in_any_framing,
    whatever_else_it_answers_is_a_bad_gateway,
    a_broken_answer_is_a_bad_gateway,
    an_origin_that_is_not_there_is_a_bad_gateway,
    an_origin_too_late_is_a_gateway_timeout,
    a_connection_that_it_closes_between_loads_costs_nothing,
}

// What is broken is for the host's client to find, and each of them lets something pass.
hosted! {
    values_come_in_any_framing,
    whatever_else_it_answers_is_a_bad_gateway,
    an_origin_that_is_not_there_is_a_bad_gateway,
    an_origin_too_late_is_a_gateway_timeout,
    a_connection_that_it_closes_between_loads_costs_nothing,
}

fn values_come_in_any_framing<F: Frontend>() {
    let site = Site::new::<F>();
    let long: Vec<u8> = (0..50_000_u32).map(|place| (place % 241) as u8).collect();
    let until_close = |version: &str| {
        let head = format!("HTTP/{version} 200 OK\r\nConnection: close\r\n\r\n");
        Reply::Raw([head.as_bytes(), &long].concat())
    };
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                   HTTP/1.1 200 OK\r\ncontent-LENGTH:3 \r\n\r\n630";
    let replies = [
        ("length", Reply::value(&long), long.as_slice()),
        ("chunks", Reply::Chunked(long.clone()), long.as_slice()),
        ("chunks-of-nothing", Reply::Chunked(Vec::new()), b""),
        ("until-close", until_close("1.1"), long.as_slice()),
        ("until-close-1.0", until_close("1.0"), long.as_slice()),
        (
            "no-reason",
            Reply::RawKept(b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n630".into()),
            b"630",
        ),
        ("interim", Reply::RawKept(interim.into()), b"630"),
    ];
    for (key, reply, value) in replies {
        site.origin.set(key, reply);
        site.get(key).status(200).body(value);
        site.get(key).status(200).body(value);
        assert_eq!(site.origin.loads_of(key), 1, "loads of {key}");
    }
}

/// The client learns that the origin failed, and nothing of what it said or where it is.
#[track_caller]
fn is_bad_gateway(site: &Site, key: &str) {
    let answer = site.get(key);
    answer.status(502).must(!answer.body.is_empty(), "one line that says what failed");
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    for internal in ["127.0.0.1", "secret", "values/", "os error", ".rs"] {
        answer.must(
            !text.contains(internal),
            &format!("a body without internals such as {internal}"),
        );
    }
}

fn whatever_else_it_answers_is_a_bad_gateway<F: Frontend>() {
    let site = Site::new::<F>();
    for code in [201, 204, 206, 301, 302, 304, 400, 401, 403, 410, 500, 502, 503, 504] {
        let key = format!("status-{code}");
        let reply = match code {
            // These two have no content by definition.
            204 | 304 => Reply::RawKept(format!("HTTP/1.1 {code} Scripted\r\n\r\n").into_bytes()),
            _ => Reply::status(code),
        };
        site.origin.set(&key, reply);
        is_bad_gateway(&site, &key);
    }
    site.get("hot").status(200);
}

fn a_broken_answer_is_a_bad_gateway<F: Frontend>() {
    let site = Site::new::<F>();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answers = [
        ("nothing", String::new()),
        ("garbage", "this is not HTTP\r\n\r\nat all".into()),
        ("other version", "HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx".into()),
        ("no status", "HTTP/1.1 OK\r\nContent-Length: 1\r\n\r\nx".into()),
        ("cut head", "HTTP/1.1 200 OK\r\nContent-Le".into()),
        ("cut body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".into()),
        ("no number", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhalf".into()),
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".into(),
        ),
        ("huge length", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\nx", "9".repeat(30))),
        ("unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx".into()),
        ("cut chunk", format!("{chunked}5\r\nhel")),
        ("no last chunk", format!("{chunked}5\r\nhello\r\n")),
        ("chunk without end", format!("{chunked}5\r\nhelloX\r\n0\r\n\r\n")),
        ("no chunk size", format!("{chunked}\r\nhello\r\n0\r\n\r\n")),
        ("huge chunk", format!("{chunked}FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n")),
        ("only interim", "HTTP/1.1 103 Early Hints\r\n\r\n".into()),
    ];
    for (name, answer) in answers {
        let key = name.replace(' ', "-");
        site.origin.set(&key, Reply::Raw(answer.into_bytes()));
        is_bad_gateway(&site, &key);
    }
    site.get("hot").status(200);
}

/// Port 1 has had no listener for decades.
fn an_origin_that_is_not_there_is_a_bad_gateway<F: Frontend>() {
    let site = Setup::new().url("http://127.0.0.1:1/values/").start::<F>();
    is_bad_gateway(&site, "Tom");
    is_bad_gateway(&site, "Tom");
}

fn an_origin_too_late_is_a_gateway_timeout<F: Frontend>() {
    let site = Setup::new().deadline("load", "300ms").start::<F>();
    let late = Reply::After(Duration::from_secs(4), Box::new(Reply::value("too late")));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    site.origin.set("late", late);
    site.origin.set("stuck", Reply::RawKept(cut.into()));
    for key in ["late", "stuck"] {
        let answer = site.get(key);
        answer.status(504).must(!answer.body.is_empty(), "one line that says what was late");
    }
    // A late answer belongs to nobody: it must not be taken for that to the next question.
    site.origin.set("Tom", Reply::value("630"));
    site.get("Tom").status(200).body("630");
}

/// The answer promises to keep the connection, and then the origin ends it: the next load opens
/// another.
fn a_connection_that_it_closes_between_loads_costs_nothing<F: Frontend>() {
    let site = Setup::new().loops(1).start::<F>();
    let mut client = site.connect();
    for number in 0..20 {
        let key = format!("key-{number}");
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n630";
        site.origin.set(&key, Reply::Raw(answer.into()));
        client.get(&key).status(200).body("630");
    }
}
