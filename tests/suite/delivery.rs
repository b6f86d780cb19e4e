//! What a request says does not depend on the segments it comes in.

use std::thread;
use std::time::Duration;

use crate::harness::{Asked, Client, Frontend, Reply, Site, get, head};

promises! {
    a_pipeline_byte_by_byte,
    a_pipeline_cut_in_two_at_every_place,
    a_refusal_cut_in_two_at_every_place,
}

/// Long enough for the server to see one segment before the next; if it does not, the test is
/// weaker, never wrong.
const BETWEEN_SEGMENTS: Duration = Duration::from_micros(300);

/// A hit with a body in chunks, a miss, a HEAD, a hit with a body by length, a refusal: every way
/// that bytes are read.
fn pipeline() -> Vec<u8> {
    let chunks = get("hot").replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
    let length = get("hot").replace("\r\n\r\n", "\r\nContent-Length: 12\r\n\r\n");
    let all = [
        chunks + "5;a=\"b\"\r\nhello\r\n0c\r\nhello\r\nhello\r\n0\r\nX: y\r\n\r\n",
        get("echoed%20key"),
        "\r\n".to_string() + &head("hot"),
        length + "GET / HTTP/1",
        get("%zz"),
    ];
    all.concat().into_bytes()
}

#[track_caller]
fn read_pipeline(client: &mut Client) {
    client.answer().status(200).body("hot value");
    client.answer().status(200).body("echoed key");
    client.answer_to(Asked::Head).status(200).has("content-length", "9");
    client.answer().status(200).body("hot value");
    client.answer().status(400);
}

fn a_pipeline_byte_by_byte<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let mut whole = site.connect();
    whole.send(pipeline());
    read_pipeline(&mut whole);
    let mut client = site.connect();
    for byte in pipeline() {
        client.send([byte]);
        thread::sleep(BETWEEN_SEGMENTS);
    }
    read_pipeline(&mut client);
}

fn a_pipeline_cut_in_two_at_every_place<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let bytes = pipeline();
    for place in 1..bytes.len() {
        let mut client = site.connect();
        client.send(&bytes[..place]);
        thread::sleep(BETWEEN_SEGMENTS);
        client.send(&bytes[place..]);
        read_pipeline(&mut client);
    }
}

fn a_refusal_cut_in_two_at_every_place<F: Frontend>() {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    let wrong = get("hot").replace("\r\n\r\n", "\r\nA: b\r\r\n\r\n");
    let two = get("hot").replace("\r\n\r\n", "\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n");
    let fold = get("hot").replace("\r\n\r\n", "\r\nA: b\r\n c\r\n\r\n");
    for request in [wrong, two, fold] {
        for place in 1..request.len() {
            let mut client = site.connect();
            client.offer(&request[..place]);
            thread::sleep(BETWEEN_SEGMENTS);
            client.offer(request[place..].to_string() + &get("smuggled"));
            client.answer().status(400);
            client.end();
        }
    }
    assert_eq!(site.origin.loads_of("smuggled"), 0, "requests behind a refused one");
}
