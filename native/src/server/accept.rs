//! Accepting: how many connections at a time, and what becomes of it when the system has no
//! descriptor for one.

use std::{io, mem, sync::atomic::Ordering, time::Duration};

use super::{event_loop::EventLoop, lanes::Control, shared::Shared};
use crate::locks::assert_none_held;

/// Connections that a turn takes. Whoever is served already waits for no more than these.
pub(super) const A_TURN: usize = 16;

/// How long to wait when the system has no descriptor for a new connection. There is no event for
/// one that comes free.
const PAUSE: Duration = Duration::from_millis(50);

impl EventLoop {
    /// Takes connections that wait at the listener, up to so many. If there may be more, the next
    /// turn goes on with them.
    pub(super) fn accept<E>(&mut self, shared: &Shared<E>, most: usize) {
        // Where all wake up for all, who takes one at a time leaves some to the others.
        let most = if self.is_shared { 1 } else { most };
        for _ in 0..most {
            let Some(listener) = &self.listener else { return };
            assert_none_held();
            match listener.accept() {
                Ok((stream, _)) => self.welcome(shared, stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.accepts_again(&shared.control);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    self.accept_at = Some(self.local.clock.now().after(PAUSE));
                    return self.accepts_none(&shared.control, &error);
                }
            }
        }
        self.accepts_more = true;
    }

    /// Tells the log that connections have to wait: once for all loops, for as long as it goes on.
    fn accepts_none(&mut self, control: &Control, error: &io::Error) {
        let is_first = !mem::replace(&mut self.is_starved, true);
        if is_first && control.starved.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                %error,
                "new connections have to wait until others end; with a higher limit of descriptors \
                 (ulimit -n, LimitNOFILE) or a lower limits.connections they would not"
            );
        }
    }

    /// All who waited have been taken. (Before that, each that ends makes room for one, and it is
    /// not over.)
    fn accepts_again(&mut self, control: &Control) {
        if mem::take(&mut self.is_starved) && control.starved.fetch_sub(1, Ordering::Relaxed) == 1 {
            tracing::info!("new connections wait no longer");
        }
    }
}
