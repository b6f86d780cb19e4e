//! Lanes: how threads tell event loops what concerns their connections.

use std::{
    mem,
    sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
};

use gocache_core::{Done, Error, Found, Landing, Waiter};
use mio::Waker;

use crate::{
    data::Address,
    locks::{Lock, assert_none_held},
    reloads::Reloads,
};

/// What is posted to a loop: a load is over, for these waiters of it.
pub(super) struct Post {
    pub(super) result: Result<Found, Error>,
    pub(super) waiters: Vec<Waiter>,
}

impl Post {
    /// For nobody yet.
    pub(super) fn new(result: &Result<Found, Error>) -> Self {
        Self { result: result.clone(), waiters: Vec::new() }
    }
}

/// The post box of one loop.
pub(super) struct Lane {
    waker: Waker,
    posts: Lock<Vec<Post>>,
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
    /// Connections to the data plane.
    pub(super) connections: AtomicUsize,
    /// Loops that cannot accept what waits for them.
    pub(super) starved: AtomicUsize,
    failed: AtomicBool,
    pub(super) reloads: Reloads,
    on_failure: Lock<Option<Hook>>,
}

type Hook = Box<dyn FnOnce() + Send + Sync>;

impl Control {
    pub(super) fn new(wakers: Vec<Waker>) -> Self {
        let lane = |waker| Lane { waker, posts: Lock::default() };
        Self {
            lanes: wakers.into_iter().map(lane).collect(),
            stage: AtomicU8::new(Stage::Serving as u8),
            connections: AtomicUsize::new(0),
            starved: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            reloads: Reloads::new(),
            on_failure: Lock::default(),
        }
    }

    /// How many loops there are.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
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
        self.wake();
    }

    /// Makes every loop turn.
    pub(super) fn wake(&self) {
        self.lanes.iter().for_each(Lane::wake);
    }

    /// Passes on the landing of a worker.
    pub(super) fn landed(&self, landing: Landing) {
        match landing {
            Landing::Done(done) => self.deliver(done, None, |_, _| ()),
            // A worker's loads come from the origin, beyond which there is nobody to ask.
            Landing::Refetch(fetch) => debug_assert!(false, "{fetch:?}"),
        }
    }

    /// A loop has ended that should not have: the server ends with it, in order, rather than go on
    /// in part.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.advance(Stage::Draining);
        let hook = self.on_failure.write().take();
        if let Some(hook) = hook {
            hook();
        }
    }

    /// Arranges for `hook` to be called if a loop fails; at once if one has.
    pub(super) fn on_failure(&self, hook: Hook) {
        *self.on_failure.write() = Some(hook);
        if self.has_failed() {
            self.fail();
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
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
                lane.post(Post { result: done.result.clone(), waiters });
            }
        }
    }

    /// Takes what was posted to a loop.
    pub(super) fn collect(&self, lane: usize) -> Vec<Post> {
        mem::take(&mut *self.lanes[lane].posts.write())
    }
}

impl Lane {
    fn post(&self, post: Post) {
        self.posts.write().push(post);
        self.wake();
    }

    fn wake(&self) {
        assert_none_held();
        // It fails only where the loop is gone, and with it whoever waited on it.
        drop(self.waker.wake());
    }
}
