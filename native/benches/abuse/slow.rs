//! Who sends a head byte by byte, or a handshake, and who asks much and reads little.

use std::collections::BTreeMap;
use std::hint;
use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::{Plan, Told};
use crate::peer::{Heard, Peer, request};
use crate::site::{PAGE_BYTES, Site};

const DEADLINE: Duration = Duration::from_secs(3);
pub(crate) const HEAD_TABLE: &str = "[deadlines]\nhead = \"3s\"\n";
pub(crate) const WRITE_TABLE: &str = "[deadlines]\nwrite = \"3s\"\n";
/// No cut comes later after its deadline.
const LATE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);
/// Between two bytes of a head.
const TICKS_A_BYTE: u32 = 5;

/// Between two bytes that each come alone. The server has just taken the one when the next comes: were
/// there more time, most of what is measured would be the system's way into idleness and out of it.
const BYTE_EVERY: Duration = Duration::from_micros(30);
const BYTE_MAX: Duration = Duration::from_micros(10);
/// Of a head that comes so.
const HEAD_BYTES: usize = 8_000;

/// Bytes that the server may hold for one who does not read.
const UNREAD_BYTES_MAX: u64 = 64 << 10;
/// What a slow reader takes at once.
const SIP: usize = 4 << 10;

/// Each begins a head and never ends it.
pub(crate) fn heads(site: &Site, plan: &Plan) -> io::Result<Told> {
    const HEAD: &[u8] = b"GET /_gocache/bench/hot HTTP/1.1\r\nHost: bench\r\nX: ";
    drip(plan, || site.connect(), HEAD, b"x")
}

/// Each begins a handshake of TLS and never ends it: a record of 512 bytes, of which most never come.
pub(crate) fn handshakes(site: &Site, plan: &Plan) -> io::Result<Told> {
    const HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252];
    drip(plan, || Peer::connect(site.address), HELLO, &[0])
}

/// So many begin with this, and go on with that.
fn drip(
    plan: &Plan,
    connect: impl Fn() -> io::Result<Peer>,
    head: &[u8],
    byte: &[u8],
) -> io::Result<Told> {
    let mut told = Told::default();
    let begin = Instant::now();
    let mut peers = Vec::with_capacity(plan.slow_heads);
    for _ in 0..plan.slow_heads {
        let mut peer = connect()?;
        let since = Instant::now();
        peer.send(head)?;
        peer.stream.set_nonblocking(true)?;
        peers.push((peer, since));
    }
    let mut cuts = Vec::new();
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let mut tick = 0;
    while !peers.is_empty() && begin.elapsed() < 3 * DEADLINE {
        tick += 1;
        peers.retain_mut(|(peer, since)| match peer.hear(1 << 10) {
            Heard::Nothing => {
                if tick % TICKS_A_BYTE == 0 {
                    // Where it fails, the next look says why.
                    drop(peer.send(byte));
                }
                true
            }
            Heard::Bytes(bytes) => {
                let status = String::from_utf8_lossy(bytes.get(9..12).unwrap_or_default());
                *statuses.entry(status.into_owned()).or_default() += 1;
                cuts.push(since.elapsed());
                false
            }
            Heard::End => {
                *statuses.entry("no answer".to_owned()).or_default() += 1;
                cuts.push(since.elapsed());
                false
            }
        });
        thread::sleep(TICK);
    }
    let (first, last) = (cuts.iter().min(), cuts.iter().max());
    let (first, last) = (first.copied().unwrap_or_default(), last.copied().unwrap_or_default());
    let in_time = peers.is_empty() && first >= DEADLINE && last <= DEADLINE + LATE;
    let what = format!(
        "{} cut after {:.1} to {:.1} s: {statuses:?}",
        cuts.len(),
        first.as_secs_f64(),
        last.as_secs_f64()
    );
    told.judge(in_time, what, format!("all, after {DEADLINE:?} to {:?}", DEADLINE + LATE));
    Ok(told)
}

/// Long heads, each byte in a segment of its own.
pub(crate) fn segments(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    // What the probe alone costs.
    let (begin, cpu) = (Instant::now(), site.look()?.cpu);
    thread::sleep(plan.length / 2);
    let quiet = (site.look()?.cpu - cpu).as_secs_f64() / begin.elapsed().as_secs_f64();
    let mut head = b"GET /_gocache/bench/hot HTTP/1.1\r\nHost: bench\r\nX: ".to_vec();
    head.resize(HEAD_BYTES, b'x');
    head.extend(b"\r\n\r\n");
    let mut peer = site.connect()?;
    let (begin, cpu, mut count) = (Instant::now(), site.look()?.cpu, 0);
    while begin.elapsed() < plan.length {
        for byte in head.chunks(1) {
            peer.send(byte)?;
            count += 1;
            while begin.elapsed() < BYTE_EVERY * count {
                hint::spin_loop();
            }
        }
        peer.answer()?;
    }
    let spent = (site.look()?.cpu - cpu).as_secs_f64() - quiet * begin.elapsed().as_secs_f64();
    let each = Duration::from_secs_f64(spent.max(0.0) / f64::from(count));
    let what = format!("{count} segments, {:.1} µs of the server each", each.as_secs_f64() * 1e6);
    told.judge(each <= BYTE_MAX, what, format!("at most {BYTE_MAX:?}"));
    Ok(told)
}

/// Each keeps its pipeline full. The one half reads now and then, the other never.
pub(crate) fn readers(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let before = site.figures()?;
    let requests = request("page").repeat(2 << 10);
    let mut peers = Vec::with_capacity(plan.slow_readers);
    for _ in 0..plan.slow_readers {
        let mut peer = site.connect_narrow(SIP)?;
        if plan.is_secure {
            // The handshake, as long as it may wait.
            peer.get("hot")?;
        }
        peer.stream.set_nonblocking(true)?;
        // A request that is cut in the middle goes on where it was cut.
        peers.push((peer, 0, true));
    }
    let mut heard = 0;
    let begin = Instant::now();
    // At the first deadline the system may find room for a little more: the second one cuts.
    while begin.elapsed() < 3 * DEADLINE {
        for (number, (peer, at, stands)) in peers.iter_mut().enumerate() {
            if number % 2 == 0 && *stands {
                match peer.hear(SIP) {
                    Heard::Nothing => {}
                    Heard::Bytes(bytes) => heard += bytes.len(),
                    Heard::End => *stands = false,
                }
            }
            match peer.write(&requests[*at..]) {
                Ok(count) => *at = (*at + count) % requests.len(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => *stands = false,
            }
        }
        thread::sleep(TICK);
    }
    let held = site.peak().resident.saturating_sub(before.resident);
    let each = held / peers.len() as u64;
    let what = format!("{each} B held for each");
    let most = UNREAD_BYTES_MAX + plan.session_bytes_max();
    told.judge(each <= most, what, format!("at most {most}"));
    let standing = |half| peers.iter().skip(half).step_by(2).filter(|(_, _, it)| *it).count();
    let (readers, others) = (standing(0), standing(1));
    let half = peers.len() / 2;
    let all = readers == half && others == 0;
    let what =
        format!("{readers} of {half} slow ones served on, {} of the others cut", half - others);
    told.judge(all, what, "all");
    let rate = heard as f64 / 1024.0 / begin.elapsed().as_secs_f64() / half as f64;
    told.say(format!("values of {} KiB read at {rate:.0} KiB/s", PAGE_BYTES >> 10));
    Ok(told)
}
