//! Lanes: how threads tell event loops what concerns their connections.

use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use gocache_core::{Done, Error, Fetch, Found, Landing, Waiter};
use mio::Waker;

use crate::data::Address;

/// What is posted to a loop.
pub(super) enum Post {
    /// A load is over, for these waiters of the loop.
    Landed(Result<Found, Error>, Vec<Waiter>),
    /// A load is to go on at another source.
    Fetch(Fetch),
}

/// The post box of one loop.
pub(super) struct Lane {
    waker: Waker,
    posts: Mutex<Vec<Post>>,
}

/// In which part of its life the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    Serving,
    /// The data plane finishes what it has begun.
    Draining,
    /// The operations plane ends too.
    Stopped,
}

/// What the loops of a server share whatever engine it has: their post boxes, the stage, and how
/// many connections there are.
pub(super) struct Control {
    lanes: Box<[Lane]>,
    stage: AtomicU8,
    pub(super) connections: AtomicUsize,
}

impl Control {
    pub(super) fn new(wakers: Vec<Waker>) -> Self {
        let lane = |waker| Lane { waker, posts: Mutex::default() };
        Self {
            lanes: wakers.into_iter().map(lane).collect(),
            stage: AtomicU8::new(Stage::Serving as u8),
            connections: AtomicUsize::new(0),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Stopped,
        }
    }

    /// Moves on to a stage, of which every loop then learns.
    pub(super) fn advance(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel);
        for lane in &self.lanes {
            lane.wake();
        }
    }

    /// Passes on what a landing that happened on no loop calls for.
    pub(super) fn landed(&self, landing: Landing) {
        match landing {
            Landing::Done(done) => self.deliver(done, None, |_, _| ()),
            Landing::Refetch(fetch) => self.lanes[0].post(Post::Fetch(fetch)),
        }
    }

    /// Tells everyone who waited for a load: those of the lane `here` through `tell`, the others by
    /// a post to their loop.
    pub(super) fn deliver(
        &self,
        done: Done,
        here: Option<usize>,
        mut tell: impl FnMut(Address, &Result<Found, Error>),
    ) {
        let mut remote: Vec<Vec<Waiter>> = Vec::new();
        for waiter in done.waiters {
            let address = Address::from(waiter);
            if Some(address.lane) == here {
                tell(address, &done.result);
                continue;
            }
            if remote.len() <= address.lane {
                remote.resize_with(address.lane + 1, Vec::new);
            }
            remote[address.lane].push(waiter);
        }
        for (lane, waiters) in self.lanes.iter().zip(remote) {
            if !waiters.is_empty() {
                lane.post(Post::Landed(done.result.clone(), waiters));
            }
        }
    }

    /// Takes what was posted to a loop.
    pub(super) fn collect(&self, lane: usize) -> Vec<Post> {
        let mut posts = self.lanes[lane].posts.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut posts)
    }
}

impl Lane {
    fn post(&self, post: Post) {
        // Nothing can panic under this lock, and the list would be sound if it did.
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        self.wake();
    }

    fn wake(&self) {
        // It fails only where the loop is gone, and with it whoever waited on it.
        drop(self.waker.wake());
    }
}
