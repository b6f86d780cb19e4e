//! What a loop has for itself, and how everything that happens in one turn of it sees that.

use std::sync::Arc;

use gocache_core::Fetch;

use crate::{
    batch::Batch,
    clock::{Clock, Epoch},
    config::Config,
    data::Address,
    meter::{Meter, Meters, Tally},
    recurring::Recurring,
    writes::Write,
};

/// What one loop has for itself, whoever its connections are: no other thread looks at it.
pub(crate) struct Local {
    pub(crate) clock: Clock,
    pub(crate) tally: Tally,
    pub(crate) recurring: Recurring,
    /// The server is shutting down: every answer is the last of its connection.
    pub(crate) draining: bool,
}

/// What is the same for everything that happens in one turn of a loop.
pub(crate) struct Turn<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: &'a Clock,
    pub(crate) tally: &'a Tally,
    pub(crate) recurring: &'a Recurring,
    /// See [`Local`].
    pub(crate) draining: bool,
}

/// What connections ask for that is not done at once, and where the answers are to go.
pub(crate) struct Errands {
    /// Where the next answer is to go; the serial number counts up.
    pub(crate) next: Address,
    /// Requests that are asked together.
    pub(crate) batch: Batch,
    /// Loads that have to be begun.
    pub(crate) fetches: Vec<Fetch>,
    /// Writes that have to be passed on.
    pub(crate) writes: Vec<(Address, Write)>,
}

impl Local {
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            clock: Clock::new(epoch),
            tally: Tally::default(),
            recurring: Recurring::default(),
            draining: false,
        }
    }

    /// Counts into this meter from now on.
    pub(crate) fn join(&mut self, meter: &Arc<Meter>) {
        self.tally = Tally::new(Arc::clone(meter));
    }

    /// Goes on with another configuration, or begins with a first one.
    pub(crate) fn adopt(&mut self, config: &Config) {
        self.tally.resize(config.ids().len());
        self.recurring.renew(config, self.clock.date());
    }

    /// Begins a turn.
    pub(crate) fn begin(&mut self) {
        if self.clock.tick() {
            self.recurring.set_date(self.clock.date());
        }
    }

    pub(crate) fn turn<'a>(&'a self, config: &'a Config) -> Turn<'a> {
        let Self { clock, tally, recurring, draining } = self;
        Turn { config, clock, tally, recurring, draining: *draining }
    }

    /// Ends a turn: counts what was answered in it.
    pub(crate) fn end(&self, meters: &Meters, lane: usize) {
        self.tally.record(meters, lane, self.clock.turn(), || self.clock.elapsed());
    }
}

impl Errands {
    /// Those of the loop with this number.
    pub(crate) fn new(lane: usize) -> Self {
        let next = Address { lane, slot: 0, serial: 0 };
        let (batch, writes) = (Batch::default(), Vec::new());
        // Those of a connection, by the usual limit: what is there from the start cannot be missing.
        let fetches = Vec::with_capacity(256);
        Self { next, batch, fetches, writes }
    }

    /// Makes room for the loads that so many requests may need, and those that are asked together with
    /// them, if there is memory for it.
    pub(crate) fn make_room(&mut self, requests: usize) -> bool {
        self.fetches.try_reserve(self.batch.len() + requests).is_ok()
    }

    /// Where the answer to the next request of this connection is to go.
    #[inline]
    pub(crate) fn address(&mut self) -> Address {
        self.next.serial = self.next.serial.wrapping_add(1);
        self.next
    }
}
