//! More connections than there is room for: descriptors, and the limit of connections.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::{Plan, Told, keep_pace};
use crate::peer::{Peer, request};
use crate::site::Site;

/// Descriptors that are left, and who comes for them.
const LEFT: u64 = 100;
const COMING: usize = 300;
/// How soon those who wait are served when descriptors come free.
const RESUMED_WITHIN: Duration = Duration::from_millis(100);
/// The share of a core that a server without descriptors may take, and its probe with it.
const BUSY_MAX: f64 = 0.25;

pub(crate) const LIMIT_TABLE: &str = "[limits]\nconnections = 1000\n";
const LIMIT: usize = 1_000;
const NEWCOMERS_A_SECOND: u32 = 1_000;

/// The server has fewer descriptors than there are clients, for a while.
pub(crate) fn descriptors(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let lines = site.log().lines().count();
    let before = site.figures()?;
    site.limit_descriptors(Some(before.descriptors + LEFT))?;
    let mut peers = (0..COMING).map(|_| ask(site)).collect::<io::Result<Vec<_>>>()?;
    let (begin, cpu) = (Instant::now(), site.look()?.cpu);
    thread::sleep(plan.length / 2);
    let spent = site.look()?.cpu - cpu;
    let share = spent.as_secs_f64() / begin.elapsed().as_secs_f64();
    let (served, waiting): (Vec<_>, Vec<_>) =
        peers.drain(..).map(|peer| (has_answer(&peer), peer)).partition(|(served, _)| *served);
    told.say(format!("{} of {COMING} served, {} wait", served.len(), waiting.len()));
    let what = format!("{:.0} % of a core", share * 100.0);
    told.judge(share <= BUSY_MAX, what, format!("at most {:.0}", BUSY_MAX * 100.0));

    // Who had a place goes, and so many of those who wait get one.
    let free = served.len();
    let begin = Instant::now();
    drop(served);
    let mut waiting = waiting.into_iter().map(|(_, peer)| peer);
    for mut peer in waiting.by_ref().take(free) {
        peer.answer()?;
    }
    let took = begin.elapsed();
    let what = format!("the next {free} {} ms after places came free", took.as_millis());
    told.judge(took <= RESUMED_WITHIN, what, format!("within {RESUMED_WITHIN:?}"));
    site.limit_descriptors(None)?;
    for mut peer in waiting {
        peer.answer()?;
    }
    told.say("all served after it");
    let lines = site.log().lines().skip(lines).filter(|line| line.contains("WARN")).count();
    told.judge(lines == 1, format!("{lines} warnings in the log"), "one");
    Ok(told)
}

fn ask(site: &Site) -> io::Result<Peer> {
    let mut peer = site.connect()?;
    peer.send(&request("hot"))?;
    Ok(peer)
}

fn has_answer(peer: &Peer) -> bool {
    // Nothing has come: it would block.
    peer.stream.set_nonblocking(true).is_ok_and(|()| peer.stream.peek(&mut [0]).is_ok())
        & peer.stream.set_nonblocking(false).is_ok()
}

/// All places are taken, and others come again and again.
pub(crate) fn limit(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let mut holders = Vec::new();
    // The probe has one of the places.
    while holders.len() < LIMIT - 1 {
        let mut peer = site.connect()?;
        peer.get("hot")?;
        holders.push(peer);
    }
    let (mut count, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    let begin = Instant::now();
    while begin.elapsed() < plan.length {
        let since = Instant::now();
        let mut peer = ask(site)?;
        refused += usize::from(peer.answer().is_ok_and(|answer| answer.status == 503));
        slowest = slowest.max(since.elapsed());
        count += 1;
        keep_pace(begin, Duration::from_secs(1) / NEWCOMERS_A_SECOND, count);
    }
    let what = format!("{refused} of {count} newcomers got 503, within {} ms", slowest.as_millis());
    told.judge(refused == count, what, "all");
    drop(holders);
    let begin = Instant::now();
    while site.connect()?.get("hot").is_err() {
        if begin.elapsed() > Duration::from_secs(2) {
            return Err(io::Error::other("no place came free"));
        }
    }
    told.say(format!("a place is free {} ms after", begin.elapsed().as_millis()));
    Ok(told)
}
