//! The loads of a loop: beginning them, and telling who waited for one.

use gocache_core::{Error, Fetch, Found, Landing, Load, LoadError};

use super::{
    event_loop::EventLoop,
    lanes::Post,
    shared::{Route, Shared},
};
use crate::{config::Config, data::Address, engine::Engine};

/// Who is told at once of a load that is over; the others in later turns. There may be many thousands of
/// them.
const TOLD_A_TURN: usize = 256;

impl EventLoop {
    /// Tells of what was posted, and goes on with what is not told yet.
    pub(super) fn posts<E: Engine>(&mut self, shared: &Shared<E>) {
        self.untold.extend(shared.control.collect(self.lane));
        let mut left = TOLD_A_TURN;
        while left > 0
            && let Some(mut post) = self.untold.pop_front()
        {
            let told = post.waiters.len().min(left);
            left -= told;
            for waiter in post.waiters.drain(..told) {
                self.tell(&shared.config, waiter.into(), &post.result);
            }
            if !post.waiters.is_empty() {
                self.untold.push_front(post);
            }
        }
    }

    /// Begins a load where the core wants it.
    pub(super) fn dispatch<E: Engine>(&mut self, shared: &Shared<E>, fetch: Fetch) {
        match shared.route(&fetch, self.local.clock.now()) {
            Route::Exchange(upstream) => self.begin_load(shared, fetch, upstream),
            Route::Pool(pool) => {
                if let Err(fetch) = pool.submit(fetch) {
                    self.land(shared, fetch, Err(LoadError::Busy));
                }
            }
            Route::Nowhere(error) => self.land(shared, fetch, Err(error)),
        }
    }

    pub(super) fn land<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        fetch: Fetch,
        result: Result<Load, LoadError>,
    ) {
        match shared.engine.land(fetch, result, self.local.clock.now()) {
            Landing::Refetch(fetch) => self.errands.fetches.push(fetch),
            Landing::Done(done) => {
                let (lane, mut told, mut rest) = (self.lane, 0, None);
                shared.control.deliver(done, Some(lane), |address, result| {
                    told += 1;
                    if told <= TOLD_A_TURN {
                        return self.tell(&shared.config, address, result);
                    }
                    let rest = rest.get_or_insert_with(|| Post::new(result));
                    rest.waiters.push(address.into());
                });
                self.untold.extend(rest);
            }
        }
    }

    /// Brings the outcome of a load to a connection of this loop. It may be one of very many, and who
    /// asks just now does not wait for all their answers to be sent.
    fn tell(&mut self, config: &Config, address: Address, result: &Result<Found, Error>) {
        if let Some(client) = self.clients.get_mut(address.slot) {
            client.conn.land(address.serial, result.clone(), &self.local.turn(config));
            self.mark_again(address.slot);
        }
    }
}
