//! Connections that are kept and not used.

use std::io;
use std::thread;
use std::time::Instant;

use crate::fault::{Plan, Told};
use crate::peer::Peer;
use crate::site::Site;

/// Bytes of the server's memory for an idle connection.
const BYTES_MAX: u64 = 600;
/// The same with TLS, most of which is the state of rustls.
const SECURE_BYTES_MAX: u64 = 10 << 10;

/// Each asks once, so that it is a keep-alive connection, and then holds its place.
pub(crate) fn connections(site: &Site, plan: &Plan) -> io::Result<Told> {
    let mut told = Told::default();
    let before = site.figures()?;
    // That they come is another fault.
    site.set_prelude(true);
    let begin = Instant::now();
    let mut peers: Vec<Peer> = Vec::with_capacity(plan.idle);
    for number in 0..plan.idle {
        let fails = |error| io::Error::other(format!("connection {number}: {error}"));
        let mut peer = site.connect().map_err(fails)?;
        peer.get("hot").map_err(fails)?;
        peers.push(peer);
    }
    told.say(format!("{} opened in {:.1} s", peers.len(), begin.elapsed().as_secs_f64()));
    site.set_prelude(false);
    thread::sleep(plan.length);
    let held = site.look()?.resident.saturating_sub(before.resident);
    let each = held / peers.len() as u64;
    let most = if plan.is_secure { SECURE_BYTES_MAX } else { BYTES_MAX };
    told.judge(each <= most, format!("{each} B each"), format!("at most {most}"));
    for peer in peers.iter_mut().step_by(100) {
        peer.get("hot")?;
    }
    told.say("all kept");
    Ok(told)
}
