//! The normal client: a GET of a cached value now and then, and how long each takes.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::site::Site;

/// Between two requests.
const PACE: Duration = Duration::from_micros(500);

/// One keep-alive connection to the server that is abused, and one to another beside it, on the same
/// core, that nobody abuses: what that one suffers is the machine's doing.
pub(crate) struct Probe {
    ours: Peer,
    control: Peer,
}

/// How long the answers took.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) ours: Latencies,
    pub(crate) control: Latencies,
}

#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Probe {
    pub(crate) fn connect(ours: &Site, control: &Site) -> io::Result<Self> {
        Ok(Self { ours: ours.connect()?, control: control.connect()? })
    }

    /// Asks both in turn until `is_over`. How long it takes is of interest where it `counts`.
    pub(crate) fn run(
        &mut self,
        samples: &mut Samples,
        is_over: impl Fn() -> bool,
        counts: impl Fn() -> bool,
    ) -> io::Result<()> {
        let Self { ours, control } = self;
        while !is_over() {
            for (peer, latencies) in
                [(&mut *ours, &mut samples.ours), (&mut *control, &mut samples.control)]
            {
                let took = time(peer)?;
                if counts() {
                    latencies.0.push(took);
                }
                thread::sleep(PACE);
            }
        }
        Ok(())
    }

    pub(crate) fn run_for(&mut self, samples: &mut Samples, length: Duration) -> io::Result<()> {
        let begin = Instant::now();
        self.run(samples, || begin.elapsed() >= length, || true)
    }
}

fn time(peer: &mut Peer) -> io::Result<Duration> {
    let begin = Instant::now();
    peer.get("hot")
        .map_err(|error| io::Error::other(format!("the normal client failed: {error}")))?;
    Ok(begin.elapsed())
}

impl Latencies {
    /// In microseconds, the one that so many in a thousand do not exceed.
    pub(crate) fn per_mille(&self, share: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * share / 1_000).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(f64::NAN, |it| it.as_secs_f64() * 1e6)
    }
}
