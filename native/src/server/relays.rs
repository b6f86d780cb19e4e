//! Writes on their way through the cluster: to the owner of the key first, then to all others at
//! once.
//!
//! In this order, for what another node loads meanwhile comes from the owner: were it told first, it
//! could load the old value once more before the owner is told, and serve it after the write.

use std::sync::Arc;

use gocache_core::{Error, Status};
use slab::Slab;

use super::{event_loop::EventLoop, shared::Shared, upstream::Upstream};
use crate::{
    answer::Answer,
    data::Address,
    engine::Engine,
    upstream::{Exchange, Purpose},
    writes::Write,
};

/// Bytes of a response to a write, which is one line at the most.
const MAX_LINE: usize = 4 << 10;

#[derive(Default)]
pub(super) struct Relays {
    under_way: Slab<Relay>,
}

/// A write that all nodes are to do.
struct Relay {
    client: Address,
    write: Write,
    /// All nodes as they were when it began: another configuration may number them otherwise.
    nodes: Vec<Arc<Upstream>>,
    own: usize,
    owner: usize,
    /// The others have been told too.
    is_with_all: bool,
    /// Nodes that have been told and have not answered.
    waits_for: usize,
    done: usize,
    /// Of several, the one that says most to the client.
    failure: Option<Error>,
}

impl EventLoop {
    /// Begins with the writes that were asked for.
    pub(super) fn relay<E: Engine>(&mut self, shared: &Shared<E>) {
        let Some(cluster) = &shared.config.cluster else { return };
        while let Some((client, mut write)) = self.errands.writes.pop() {
            let (own, owner) = (cluster.own, cluster.ring.owner(&write.key));
            // The owner keeps the value, the others forget theirs.
            let content = (owner != own).then(|| write.content.take()).flatten();
            let (own, owner) = (usize::from(own.0), usize::from(owner.0));
            let relay = Relay {
                client,
                write,
                nodes: shared.peers().cloned().collect(),
                own,
                owner,
                is_with_all: false,
                waits_for: 1,
                done: 0,
                failure: None,
            };
            let slot = self.relays.under_way.insert(relay);
            self.pass_on(shared, slot, owner, content.as_deref());
        }
    }

    /// Has one node do the write.
    fn pass_on<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        node: usize,
        content: Option<&[u8]>,
    ) {
        let now = self.local.clock.now();
        let Relay { write, nodes, own, .. } = &self.relays.under_way[slot];
        if node == *own {
            let done = write.apply(&*shared.engine, now);
            return self.passed_on(shared, slot, done);
        }
        let upstream = Arc::clone(&nodes[node]);
        let method = if content.is_some() { "PUT" } else { "DELETE" };
        let request = shared.request(method, &upstream, write.group, &write.key, content);
        let request = match request {
            Ok(request) => request,
            Err(error) => return self.passed_on(shared, slot, Err(error.into())),
        };
        let exchange = Exchange::new(Purpose::Write(slot), request, MAX_LINE, now);
        self.begin_exchange(shared, &upstream, exchange);
    }

    /// Takes note of what a node has done, and goes on when all that were told have answered.
    pub(super) fn passed_on<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        slot: usize,
        result: Result<(), Error>,
    ) {
        let relay = &mut self.relays.under_way[slot];
        relay.waits_for -= 1;
        match result {
            Ok(()) => relay.done += 1,
            Err(error) => relay.failure = Some(relay.failure.map_or(error, |it| worse(it, error))),
        }
        if relay.waits_for > 0 {
            return;
        }
        let nodes = relay.nodes.len();
        if nodes > 1 && !relay.is_with_all {
            relay.is_with_all = true;
            relay.waits_for = nodes - 1;
            relay.write.content = None;
            let owner = relay.owner;
            let others = (0..nodes).filter(|&node| node != owner);
            others.for_each(|node| self.pass_on(shared, slot, node, None));
            return;
        }
        let Relay { client: Address { slot, serial, .. }, done, failure, .. } =
            self.relays.under_way.remove(slot);
        if let Some(client) = self.clients.get_mut(slot) {
            let turn = self.local.turn(&shared.config);
            client.conn.written(serial, answer(failure, done, nodes), &turn);
            self.mark(slot);
        }
    }
}

/// What is the client's to mend comes first, then what was too late.
fn worse(one: Error, other: Error) -> Error {
    let rank = |error: Error| match error {
        Error::TooLarge | Error::KeyTooLong { .. } => 2,
        Error::TimedOut => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn answer(failure: Option<Error>, done: usize, nodes: usize) -> Answer {
    let status = match failure {
        None => return Answer::Done,
        Some(error @ (Error::TooLarge | Error::KeyTooLong { .. })) => {
            return Answer::line(error.into(), error.to_string());
        }
        Some(Error::TimedOut) => Status::GatewayTimeout,
        Some(_) => Status::BadGateway,
    };
    Answer::line(status, format!("{done} of {nodes} nodes have done it; send it again"))
}
