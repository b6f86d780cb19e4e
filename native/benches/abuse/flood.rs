//! More of everything than anyone asks for: requests, keys, header bytes.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Instant;

use crate::fault::{Plan, Told, keep_pace};
use crate::peer::{Peer, request};
use crate::site::{DIGITS, Site};

const PIPELINED: usize = 100_000;

const KEYS_AT_ONCE: usize = 8;
const CONNECTIONS: usize = 8;
/// What the server may grow by: over all unknown keys, and over the second half of them.
const GROWTH_MAX: u64 = 8 << 20;
const GROWTH_LATER_MAX: u64 = 1 << 20;

/// All heads are begun before one is over its deadline, however long the handshakes take.
pub(crate) const HEADS_TABLE: &str = "[deadlines]\nhead = \"60s\"\n";
const HEAD_BYTES: usize = 64 << 10;
/// As much as the server takes of a head that is not whole.
const HEAD_HELD: usize = 31 << 10;
const HEADS_GROWTH_MAX: u64 = 64 << 20;

const MIB: f64 = (1 << 20) as f64;

/// All on one connection, written as fast as the server takes them.
pub(crate) fn pipeline(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let round: Vec<u8> = (0..DIGITS).flat_map(|digit| request(&digit.to_string())).collect();
    let one = site.connect()?.get("0")?.bytes;
    let begin = Instant::now();
    let mut answers = 0;
    while answers == 0 || begin.elapsed() < plan.length {
        let peer = site.connect()?;
        let mut writer = peer.stream.try_clone()?;
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let many = round.repeat(100);
                (0..PIPELINED / DIGITS / 100).try_for_each(|_| writer.write_all(&many))
            });
            let read = in_order(peer, one);
            asking.join().map_err(|_| io::Error::other("the writer panicked"))??;
            read
        })?;
        answers += PIPELINED;
    }
    let rate = answers as f64 / begin.elapsed().as_secs_f64();
    told.say(format!("{PIPELINED} a connection in order, {:.2} M/s", rate / 1e6));
    Ok(told)
}

/// Takes all answers, each of so many bytes, the last of which tells which it is.
fn in_order(mut peer: Peer, one: usize) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    while at < PIPELINED * one {
        let count = peer.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::Error::other(format!("cut after {} answers", at / one)));
        }
        let first = (at / one + 1) * one;
        for end in (first..=at + count).step_by(one) {
            let digit = usize::from(buffer[end - 1 - at].wrapping_sub(b'0'));
            if digit != (end / one - 1) % DIGITS {
                return Err(io::Error::other(format!("answer {} is another's", end / one)));
            }
        }
        at += count;
    }
    Ok(())
}

/// Keys that the origin does not have, each asked for once.
pub(crate) fn unknown_keys(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let (before, used) = (site.figures()?.resident, site.used()?);
    let mut peers = (0..CONNECTIONS).map(|_| site.connect()).collect::<io::Result<Vec<_>>>()?;
    let begin = Instant::now();
    let mut number = 0;
    let mut half = before;
    let mut asked = 0;
    let batch = KEYS_AT_ONCE * CONNECTIONS;
    let pace = plan.length * batch as u32 / plan.unknown_keys as u32;
    while asked < plan.unknown_keys {
        keep_pace(begin, pace, asked / batch);
        for peer in &mut peers {
            let mut batch = Vec::new();
            for _ in 0..KEYS_AT_ONCE {
                number += 1;
                batch.extend(request(&format!("unknown-{number:09}")));
            }
            peer.send(&batch)?;
        }
        for peer in &mut peers {
            for _ in 0..KEYS_AT_ONCE {
                let status = peer.answer()?.status;
                if status != 404 {
                    return Err(io::Error::other(format!("{status} for an unknown key")));
                }
                asked += 1;
            }
        }
        if half == before && asked >= plan.unknown_keys / 2 {
            half = site.look()?.resident;
        }
    }
    let after = site.look()?.resident;
    let rate = asked as f64 / begin.elapsed().as_secs_f64();
    told.say(format!("{asked} answered 404, {:.0} k/s", rate / 1e3));
    let (grown, later) = (after.saturating_sub(before), after.saturating_sub(half));
    let what = format!("+{:.1} MiB, second half +{:.1}", grown as f64 / MIB, later as f64 / MIB);
    told.judge(grown <= GROWTH_MAX && later <= GROWTH_LATER_MAX, what, "at most 8 and 1");
    let used = site.used()?.saturating_sub(used);
    told.judge(used == 0, format!("{used} B more in the cache"), "none");
    Ok(told)
}

/// Each sends as much of a head as is taken, all at the same time, and then far more.
pub(crate) fn large_heads(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let before = site.figures()?.resident;
    let mut head = b"GET /_gocache/bench/hot HTTP/1.1\r\nHost: bench\r\nX: ".to_vec();
    head.resize(HEAD_BYTES, b'x');
    let mut peers = Vec::with_capacity(plan.large_heads);
    let pace = plan.length / 2 / plan.large_heads as u32;
    let mut begin = Instant::now();
    for number in 0..plan.large_heads {
        keep_pace(begin, pace, number);
        let mut peer = site.connect()?;
        peer.send(&head[..HEAD_HELD])?;
        peers.push(peer);
    }
    let grown = site.look()?.resident.saturating_sub(before);
    let what = format!("{:.0} MiB for {} unfinished heads", grown as f64 / MIB, peers.len());
    let most = HEADS_GROWTH_MAX + plan.session_bytes_max() * plan.large_heads as u64;
    told.judge(grown <= most, what, format!("at most {}", most >> 20));
    let (mut too_long, mut too_many) = (0, 0);
    begin = Instant::now();
    for (number, mut peer) in peers.into_iter().enumerate() {
        keep_pace(begin, pace, number);
        // It may have been answered already, and the rest of it refused.
        drop(peer.send(&head[HEAD_HELD..]));
        match peer.answer() {
            Ok(answer) if answer.status == 431 => too_long += 1,
            Ok(answer) if answer.status == 503 => too_many += 1,
            _ => {}
        }
    }
    let all = too_long + too_many == plan.large_heads;
    told.judge(all, format!("{too_long} answered 431, {too_many} 503"), "all");
    Ok(told)
}
