//! `Waiters`: the requests of one instance that wait for loads, their own or each other's.

use alloc::collections::BTreeMap;
use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use gocache_core::{Done, Error, Found, Waiter};
use spin::Mutex;

/// All that wait, by their numbers.
pub(crate) struct Waiters(Mutex<Table>);

struct Table {
    next: u64,
    places: BTreeMap<u64, State>,
}

enum State {
    /// It has been polled or it has not.
    Waiting(Option<Waker>),
    Told(Result<Found, Error>),
}

/// One that waits, as a future of what it is told. It is forgotten with its place.
pub(crate) struct Place<'a> {
    waiters: &'a Waiters,
    number: u64,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Table { next: 0, places: BTreeMap::new() }))
    }

    /// A place for one more.
    pub(crate) fn enter(&self) -> Place<'_> {
        let mut table = self.0.lock();
        let number = table.next;
        table.next += 1;
        table.places.insert(number, State::Waiting(None));
        Place { waiters: self, number }
    }

    /// Tells all who waited for this load.
    pub(crate) fn tell(&self, done: &Done) {
        for Waiter(number) in &done.waiters {
            let told = State::Told(done.result.clone());
            let before =
                self.0.lock().places.get_mut(number).map(|it| core::mem::replace(it, told));
            // Not under the lock: who is woken may look at once.
            if let Some(State::Waiting(Some(waker))) = before {
                waker.wake();
            }
        }
    }
}

impl Place<'_> {
    pub(crate) fn waiter(&self) -> Waiter {
        Waiter(self.number)
    }
}

impl Future for Place<'_> {
    type Output = Result<Found, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.waiters.0.lock().places.get_mut(&self.number) {
            Some(State::Told(result)) => Poll::Ready(result.clone()),
            Some(State::Waiting(waker)) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            // A place is in the table as long as it is.
            None => Poll::Ready(Err(Error::Failed)),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let state = self.waiters.0.lock().places.remove(&self.number);
        drop(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{sync::Arc, task::Wake};
    use core::{
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use gocache_core::{
        Asker, Fetch, Get, Group, GroupId, Instant, Landing, LoadError, Node, Seed, Settings, Value,
    };

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn node() -> Node {
        let mut node = Node::new();
        let group = Group::new("scores", Settings::default(), Seed::new(1)).expect("memory");
        node.add(group).expect("memory");
        node
    }

    fn get(node: &Node, place: &Place<'_>) -> Option<Fetch> {
        let got = node.get(GroupId(0), b"Tom", Asker::Client, place.waiter(), Instant::ZERO);
        match got.expect("it is not busy") {
            Get::Fetch(fetch) => Some(fetch),
            Get::Wait => None,
            Get::Hit(_) => panic!("nothing was loaded"),
        }
    }

    fn landed(node: &Node, fetch: Fetch, value: Result<&[u8], LoadError>) -> Done {
        let load = value.and_then(|bytes| Ok(Value::new(bytes)?.into()));
        let Landing::Done(done) = node.land(fetch, load, Instant::ZERO) else { panic!("no ring") };
        done
    }

    #[test]
    fn all_who_wait_for_a_load_are_woken_and_told() {
        let (node, waiters) = (node(), Waiters::new());
        let (first, second) = (waiters.enter(), waiters.enter());
        let fetch = get(&node, &first).expect("the first loads");
        assert!(get(&node, &second).is_none(), "the second waits");
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let (mut first, mut second) = (pin!(first), pin!(second));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        waiters.tell(&landed(&node, fetch, Ok(b"630")));
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
        for place in [first, second] {
            let Poll::Ready(told) = place.poll(&mut context) else { panic!("it was told") };
            assert_eq!(&*told.expect("a value").value, b"630");
        }
    }

    #[test]
    fn one_who_is_told_before_it_looks_need_not_be_woken() {
        let (node, waiters) = (node(), Waiters::new());
        let mut place = pin!(waiters.enter());
        let fetch = get(&node, &place).expect("it loads");
        waiters.tell(&landed(&node, fetch, Err(LoadError::NotFound)));
        let told = place.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(told, Poll::Ready(Err(Error::NotFound))));
    }

    #[test]
    fn one_who_leaves_is_neither_told_nor_kept() {
        let (node, waiters) = (node(), Waiters::new());
        let (leaves, stays) = (waiters.enter(), waiters.enter());
        let fetch = get(&node, &leaves).expect("it loads");
        assert!(get(&node, &stays).is_none());
        drop(leaves);
        waiters.tell(&landed(&node, fetch, Ok(b"630")));
        let told = pin!(stays).poll(&mut Context::from_waker(Waker::noop()));
        assert!(told.is_ready());
        assert!(waiters.0.lock().places.is_empty());
    }
}
