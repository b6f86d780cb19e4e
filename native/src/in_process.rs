//! The way of a hit without its sockets, for benches: heads go in and answers come out, and all that is
//! between them is what the loops of a server do in a turn.

use std::{io::IoSlice, sync::Arc};

use gocache_core::{Fetch, GroupId, Instant};

use crate::{
    answer::Turn,
    clock::{Clock, Epoch},
    config::Config,
    conn::Conn,
    data::{Address, DataPlane},
    engine::{self, Node},
    meter::{Meters, Tally},
    output::{MAX_SLICES, Output},
    recurring::Recurring,
    writes::{Permits, Write},
};

/// What the loops of a server share, without the server.
pub struct Shared {
    config: Config,
    node: Node,
    meters: Meters,
    permits: Permits,
    epoch: Epoch,
}

/// One loop, and its connections.
pub struct Loop<'a> {
    shared: &'a Shared,
    clock: Clock,
    tally: Tally,
    recurring: Recurring,
    conns: Vec<Conn>,
    spare: Output,
    next: Address,
    fetches: Vec<Fetch>,
    writes: Vec<(Address, Write)>,
}

impl Shared {
    /// # Errors
    /// If there is no memory for the groups, or no random number.
    pub fn new(config: Config) -> Result<Self, String> {
        let node = engine::node(&config)?;
        let (meters, permits) = (Meters::new(config.loops, &config), Permits::default());
        Ok(Self { config, node, meters, permits, epoch: Epoch::begin() })
    }

    /// The groups, in the order of their names.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Stores a value.
    ///
    /// # Errors
    /// Why it could not be.
    pub fn put(&self, group: GroupId, key: &[u8], value: &[u8]) -> Result<(), String> {
        let put = self.node.put(group, key, value, Instant::ZERO);
        put.map_err(|error| error.to_string())
    }

    /// The loop of this number, with so many connections.
    pub fn enter(&self, lane: usize, connections: usize) -> Loop<'_> {
        let clock = Clock::new(self.epoch);
        let mut tally = Tally::new(Arc::clone(&self.meters.lanes[lane]));
        tally.resize(self.config.ids().len());
        let mut recurring = Recurring::default();
        recurring.renew(&self.config, clock.date());
        Loop {
            shared: self,
            conns: (0..connections).map(|slot| Conn::new(clock.now(), slot as u8)).collect(),
            clock,
            tally,
            recurring,
            spare: Output::default(),
            next: Address { lane, slot: 0, serial: 0 },
            fetches: Vec::new(),
            writes: Vec::new(),
        }
    }
}

impl Loop<'_> {
    /// A turn in which each connection has something to read: `read` puts it into the buffer and says
    /// how much it is, and `sent` is shown what a `writev` would take.
    pub fn turn(
        &mut self,
        scratch: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> usize,
        mut sent: impl FnMut(&[IoSlice<'_>]),
    ) {
        if self.clock.tick() {
            self.recurring.set_date(self.clock.date());
        }
        let Self { shared, clock, tally, recurring, conns, spare, next, fetches, writes } = self;
        let turn = Turn::new(&shared.config, clock, tally, recurring, false);
        for (slot, conn) in conns.iter_mut().enumerate() {
            next.slot = slot;
            conn.lend(spare);
            let mut plane = DataPlane {
                engine: &shared.node,
                next,
                fetches,
                writes,
                permits: &shared.permits,
                is_node: false,
            };
            let count = read(scratch);
            conn.receive(&mut scratch[..count], &mut plane, &turn);
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = conn.slices(&mut slices);
            sent(&slices[..count]);
            let bytes = slices[..count].iter().map(|slice| slice.len()).sum();
            conn.sent(bytes, clock.now());
            conn.reclaim(spare);
        }
        tally.record(&shared.meters, next.lane, clock.turn(), || clock.elapsed());
    }

    /// Loads that were asked for, which nobody does.
    pub fn misses(&self) -> usize {
        self.fetches.len()
    }
}
