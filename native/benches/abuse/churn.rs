//! Connections that come and go, in order and without.

use std::io;
use std::time::{Duration, Instant};

use crate::fault::{Plan, Told, keep_pace};
use crate::peer::request;
use crate::site::Site;

const CONNECTS_A_MINUTE: u32 = 20_000;

/// Each asks once and goes.
pub(crate) fn connects(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let pace = Duration::from_secs(60) / CONNECTS_A_MINUTE;
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < plan.length {
        site.connect()?.get("hot")?;
        count += 1;
        keep_pace(begin, pace, count);
    }
    let rate = count as f64 / begin.elapsed().as_secs_f64() * 60.0;
    told.say(format!("{rate:.0} a minute, all served"));
    Ok(told)
}

/// Each is reset at another place, as fast as it goes.
pub(crate) fn resets(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let hot = request("hot");
    let pages = request("page").repeat(100);
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < plan.length {
        let mut peer = site.connect()?;
        match count % 5 {
            0 => {}
            1 => peer.send(&hot[..hot.len() / 2])?,
            2 => peer.send(&hot)?,
            3 => drop(peer.get("hot")?),
            _ => peer.send(&pages)?,
        }
        peer.reset()?;
        count += 1;
    }
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    told.say(format!("{rate:.0} a second, at five places"));
    Ok(told)
}
