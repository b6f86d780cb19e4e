//! How much a connection may have to do at a time, and what becomes of it without memory.

use super::Conn;
use crate::{
    log,
    owed::{FULL, FULL_OWN, Owed},
    turn::Turn,
};

impl Conn {
    /// Whether no more is taken up before some of what there is has gone.
    pub(super) fn is_full(&self, turn: &Turn<'_>) -> bool {
        self.cramped
            || self.output.len() + self.owed.weight() >= FULL
            || self.output.held() >= FULL_OWN
            || self.owed.len() >= turn.config.limits.pipeline
    }

    /// Makes room for one more answer. Where there is no memory for it, it has to wait for those before;
    /// and where there are none, all is over.
    #[inline(always)]
    pub(super) fn make_room(&mut self) -> bool {
        (self.output.make_room() && self.owed.make_room()) || self.wait_or_end()
    }

    #[cold]
    fn wait_or_end(&mut self) -> bool {
        self.cramped = true;
        if self.output.is_empty() && (self.owed.is_empty() || self.owed.is_ready()) {
            self.owed = Owed::default();
            self.end();
            log::no_memory("a connection is closed");
        }
        false
    }
}
