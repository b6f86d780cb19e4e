//! The way of a hit without its sockets, for benches: heads go in and answers come out, and all that is
//! between them is what the loops of a server do in a turn.

use std::io::IoSlice;

use gocache_core::{GroupId, Instant, Landing, Load, LoadError};

use crate::{
    clock::Epoch,
    config::Config,
    conn::Conn,
    data::{Address, DataPlane},
    engine::{self, Engine, Node},
    memory,
    meter::Meters,
    output::{MAX_SLICES, Output},
    phase::Next,
    turn::{Errands, Local},
    writes::Permits,
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
    local: Local,
    conns: Vec<Conn>,
    spare: Output,
    errands: Errands,
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
        let put = Engine::put(&self.node, group, key, value, Instant::ZERO);
        put.map_err(|error| error.to_string())
    }

    /// The loop of this number, with so many connections.
    pub fn enter(&self, lane: usize, connections: usize) -> Loop<'_> {
        let mut local = Local::new(self.epoch);
        local.join(&self.meters.lanes[lane]);
        local.adopt(&self.config);
        let now = local.clock.now();
        Loop {
            shared: self,
            local,
            conns: (0..connections).map(|slot| Conn::new(now, slot as u8)).collect(),
            spare: Output::default(),
            errands: Errands::new(lane),
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
        self.local.begin();
        let Self { shared, local, conns, spare, errands } = self;
        let turn = local.turn(&shared.config);
        for (slot, conn) in conns.iter_mut().enumerate() {
            errands.next.slot = slot;
            conn.lend(spare);
            let mut plane = DataPlane {
                engine: &shared.node,
                has_room: errands.make_room(shared.config.limits.pipeline),
                errands,
                permits: &shared.permits,
                is_node: false,
            };
            conn.resume(&mut plane, &turn);
            let count = read(scratch);
            conn.receive(&mut scratch[..count], &mut plane, &turn);
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = conn.slices(&mut slices);
            sent(&slices[..count]);
            let bytes = slices[..count].iter().map(|slice| slice.len()).sum();
            conn.sent(bytes, turn.clock.now());
            conn.reclaim(spare);
        }
        local.end(&shared.meters, errands.next.lane);
    }

    /// Whether this connection is over.
    pub fn is_over(&self, slot: usize) -> bool {
        let next = self.conns[slot].next(&self.local.turn(&self.shared.config));
        matches!(next, Next::Shut | Next::Drop)
    }

    /// Loads that were asked for, which nobody does.
    pub fn misses(&self) -> usize {
        self.errands.fetches.len()
    }

    /// Ends them, each with this value, and tells who waits.
    pub fn land(&mut self, value: &[u8]) {
        let Self { shared, local, conns, errands, .. } = self;
        let turn = local.turn(&shared.config);
        for fetch in errands.fetches.drain(..) {
            let load = memory::value(value).map(Load::from).map_err(|_| LoadError::OutOfMemory);
            let now = turn.clock.now();
            let Landing::Done(done) = Engine::land(&shared.node, fetch, load, now) else {
                continue;
            };
            for waiter in done.waiters {
                let Address { slot, serial, .. } = waiter.into();
                conns[slot].land(serial, done.result.clone(), &turn);
            }
        }
    }
}
