//! How a table of exact bytes is held against a server.
//!
//! Behind every case stands a well-formed request for a key of its own, in the same segment. Where
//! the connection is to be kept it gets its answer, and so does one more that is sent later; where
//! it is to end, the origin is never asked for that key: whoever misjudges where the request of the
//! case ends would ask.

use crate::harness::{Answer, Asked, Client, Frontend, Reply, Site, escaped, get};

/// What has to come of the bytes of a case.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// One answer with one of these statuses, and the end, which the answer announces.
    Ends(&'static [u16]),
    /// These answers one after the other, and the connection is kept.
    Keeps(&'static [u16]),
}

/// Where the rule stands, what is sent, and what has to come of it.
pub(super) type Case<'a> = (&'a str, &'a [u8], Then);

pub(super) const OK: Then = Then::Keeps(&[200]);
pub(super) const LAST: Then = Then::Ends(&[200]);
pub(super) const REFUSED: Then = Then::Ends(&[400]);
/// No grammar, but also no version that the server knows: either may be what it sees first.
pub(super) const REFUSED_OR_VERSION: Then = Then::Ends(&[400, 505]);
pub(super) const REFUSED_OR_CODING: Then = Then::Ends(&[400, 501]);
/// Too large for any limit, whether or not it is also too large to be counted.
pub(super) const REFUSED_OR_LARGE: Then = Then::Ends(&[400, 413]);
pub(super) const UNKNOWN: Then = Then::Ends(&[501]);

pub(super) const LINE: &[u8] = b"GET /_gocache/scores/hot HTTP/1.1\r\n";
pub(super) const OLD_LINE: &[u8] = b"GET /_gocache/scores/hot HTTP/1.0\r\n";
pub(super) const HOST: &[u8] = b"Host: gocache\r\n";

/// Sends every case on a connection of its own; `request` makes a whole request of it.
pub(super) fn hold<F: Frontend>(cases: &[Case<'_>], request: impl Fn(&[u8]) -> Vec<u8>) {
    let site = Site::new::<F>();
    site.origin.set_otherwise(Reply::Echo);
    site.get("hot").status(200);
    let mut failures = Vec::new();
    for (number, (section, bytes, then)) in cases.iter().enumerate() {
        let sent = request(bytes);
        let behind = format!("behind-{number}");
        if let Err(got) = play(&site, &sent, &behind, *then) {
            let sent = escaped(&sent);
            failures.push(format!(
                "\n  RFC {section}\n    sent: {sent}\n    expected: {then:?}\n    got: {got}"
            ));
        }
        site.get("hot").status(200).body("hot value");
    }
    let failed = failures.len();
    assert!(failures.is_empty(), "{failed} of {} cases failed:{}", cases.len(), failures.concat());
}

fn play(site: &Site, sent: &[u8], behind: &str, then: Then) -> Result<(), String> {
    let mut client = site.connect();
    client.offer([sent, get(behind).as_bytes()].concat());
    match then {
        Then::Ends(allowed) => {
            let answer = next(&mut client, sent)?;
            if !allowed.contains(&answer.status) || !answer.says("close") {
                return Err(answer.to_string());
            }
            let rest = client.try_answers_to_the_end()?;
            let statuses: Vec<u16> = rest.iter().map(|answer| answer.status).collect();
            match (&statuses[..], site.origin.loads_of(behind)) {
                ([], 0) => Ok(()),
                (more, loads) => Err(format!("{}, {more:?}, {loads} loads", answer.status)),
            }
        }
        Then::Keeps(statuses) => {
            for status in statuses {
                let answer = next(&mut client, sent)?;
                let stays = *status < 200 || answer.says("keep-alive") == is_old(sent);
                if answer.status != *status || answer.says("close") || !stays {
                    return Err(answer.to_string());
                }
            }
            let answer = next(&mut client, b"")?;
            if answer.status != 200 || answer.body != behind.as_bytes() {
                return Err(format!("{statuses:?}, and then {answer}"));
            }
            client.offer(get("hot"));
            let later = next(&mut client, b"")?;
            if later.status == 200 { Ok(()) } else { Err(format!("at last {later}")) }
        }
    }
}

/// The next answer; one that refuses says why in one line.
fn next(client: &mut Client, sent: &[u8]) -> Result<Answer, String> {
    let is_head = sent.starts_with(b"HEAD ");
    let asked = if is_head { Asked::Head } else { Asked::Get };
    let answer = client.next_answer(asked)?.ok_or("the end of the connection")?;
    let lines = answer.body.iter().filter(|byte| **byte == b'\n').count();
    let is_told = is_head || answer.status < 400 || (lines == 1 && answer.body.len() > 1);
    if is_told { Ok(answer) } else { Err(format!("not one line: {answer}")) }
}

/// HTTP/1.0 is told that its connection is kept, HTTP/1.1 expects it.
fn is_old(sent: &[u8]) -> bool {
    let line = sent.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.ends_with(b"HTTP/1.0")
}
