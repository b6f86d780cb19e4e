//! One look at the system's clocks for each turn of a loop.

use std::time::{Duration, Instant as SystemInstant, SystemTime, UNIX_EPOCH};

use gocache_core::Instant;

/// How long a rendered date is used on. Two of these stay under the second that it may lag behind.
const DATE_REFRESH: Duration = Duration::from_millis(400);

/// Length of an IMF-fixdate (RFC 9110, 5.6.7).
pub(crate) const DATE_LEN: usize = 29;

/// The start from which all threads of a process count their instants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(SystemInstant);

impl Epoch {
    pub(crate) fn begin() -> Self {
        Self(SystemInstant::now())
    }

    pub(crate) fn now(self) -> Instant {
        let millis = u64::try_from(self.0.elapsed().as_millis());
        Instant::from_millis(millis.unwrap_or(u64::MAX))
    }
}

/// The time of one loop: monotonic for deadlines, the wall clock only for the `Date` field.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Epoch,
    now: Instant,
    date: [u8; DATE_LEN],
    rendered: Instant,
}

impl Clock {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let now = epoch.now();
        Self { epoch, now, date: render_date(), rendered: now }
    }

    /// Looks at the clock anew.
    pub(crate) fn tick(&mut self) {
        self.now = self.epoch.now();
        if self.now.since(self.rendered) >= DATE_REFRESH {
            self.date = render_date();
            self.rendered = self.now;
        }
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    pub(crate) const fn date(&self) -> &[u8; DATE_LEN] {
        &self.date
    }
}

fn render_date() -> [u8; DATE_LEN] {
    /// The last second of the year 9999. The format has no later one, and httpdate panics there.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    // A clock before 1970 counts as 1970.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + since);
    text.as_bytes().try_into().unwrap_or(*b"Thu, 01 Jan 1970 00:00:00 GMT")
}
