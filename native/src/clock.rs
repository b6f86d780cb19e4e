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

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn now(self) -> Instant {
        Instant::ZERO.after(self.elapsed())
    }
}

/// The time of one loop: monotonic for deadlines, the wall clock only for the `Date` field.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Epoch,
    /// When the present turn began: exactly, and in the milliseconds of the core.
    turn: Duration,
    now: Instant,
    date: [u8; DATE_LEN],
    rendered: Instant,
}

impl Clock {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let turn = epoch.elapsed();
        let now = Instant::ZERO.after(turn);
        Self { epoch, turn, now, date: render_date(), rendered: now }
    }

    /// Looks at the clock anew. Says whether the date was rendered anew too.
    pub(crate) fn tick(&mut self) -> bool {
        self.turn = self.epoch.elapsed();
        self.now = Instant::ZERO.after(self.turn);
        let is_old = self.now.since(self.rendered) >= DATE_REFRESH;
        if is_old {
            self.date = render_date();
            self.rendered = self.now;
        }
        is_old
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// When the present turn began, since the start.
    pub(crate) const fn turn(&self) -> Duration {
        self.turn
    }

    /// The time as it is in the midst of a turn, since the start: another look at the clock.
    pub(crate) fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
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
