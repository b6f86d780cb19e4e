//! `Guest`: the exported verbs, each one the core's method of that name for the node of this
//! instance, if it has been set up.

use alloc::{string::ToString, vec::Vec};

use gocache_core::{
    Error, Fetch, Group, GroupId, Instant, LoadError, Node, PeerId, Ring, Seed, Waiter,
};
use spin::Once;

use crate::{
    bindings::wit::{self, Misuse},
    convert,
};

/// The node of this instance.
static NODE: Once<Node> = Once::new();

pub(crate) struct Guest;

impl wit::Guest for Guest {
    fn configure(
        groups: Vec<wit::GroupSettings>,
        ring: Option<wit::RingSettings>,
        seed: u64,
    ) -> Result<(), Misuse> {
        if NODE.is_completed() {
            return Err(Misuse::Configured);
        }
        let made = set_up(&groups, ring, seed)?;
        NODE.call_once(|| made);
        Ok(())
    }

    fn get(
        group: u16,
        key: Vec<u8>,
        asker: wit::Asker,
        waiter: u64,
        now: u64,
    ) -> Result<Result<wit::Answer, wit::Error>, Misuse> {
        let now = Instant::from_millis(now);
        let got = node()?.get(GroupId(group), &key, asker.into(), Waiter(waiter), now);
        Ok(got.and_then(convert::answer).map_err(Into::into))
    }

    fn land(
        fetch: wit::Fetch,
        outcome: Result<wit::Load, wit::LoadError>,
        now: u64,
    ) -> Result<wit::Landing, Misuse> {
        let node = node()?;
        let group = fetch.group;
        // The key goes first: it finds room where the value does not, and those who wait are told.
        let landing = Fetch::try_from(fetch).map(|fetch| {
            let outcome = outcome.map_err(LoadError::from).and_then(convert::load);
            node.land(fetch, outcome, Instant::from_millis(now)).into()
        });
        Ok(landing.unwrap_or_else(|error| {
            // The load stays in the air, and ends through `overdue`.
            let (outcome, waiters) = (Err(Error::from(error).into()), Vec::new());
            wit::Landing::Done(wit::Done { group, outcome, waiters })
        }))
    }

    fn overdue(now: u64) -> Result<Option<wit::Done>, Misuse> {
        Ok(node()?.overdue(Instant::from_millis(now)).map(Into::into))
    }

    fn put(
        group: u16,
        key: Vec<u8>,
        value: Vec<u8>,
        now: u64,
    ) -> Result<Result<(), wit::Error>, Misuse> {
        let put = node()?.put(GroupId(group), &key, &value, Instant::from_millis(now));
        Ok(put.map_err(Into::into))
    }

    fn remove(group: u16, key: Vec<u8>, now: u64) -> Result<bool, Misuse> {
        Ok(node()?.remove(GroupId(group), &key, Instant::from_millis(now)))
    }

    fn stats() -> Result<Vec<wit::Counters>, Misuse> {
        Ok(node()?.stats().map(|(_, stats)| stats.into()).collect())
    }
}

fn node() -> Result<&'static Node, Misuse> {
    NODE.get().ok_or(Misuse::Unconfigured)
}

fn refuse(why: impl ToString) -> Misuse {
    Misuse::Configuration(why.to_string())
}

fn set_up(
    groups: &[wit::GroupSettings],
    ring: Option<wit::RingSettings>,
    seed: u64,
) -> Result<Node, Misuse> {
    let mut node = Node::new();
    for group in groups {
        let settings = convert::settings(group)
            .ok_or_else(|| refuse("a budget or a limit exceeds what 32 bits can address"))?;
        let group = Group::new(&group.name, settings, Seed::new(seed)).map_err(refuse)?;
        node.add(group).map_err(refuse)?;
    }
    if let Some(wit::RingSettings { names, place }) = ring {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let ring = Ring::new(&names).map_err(refuse)?;
        if usize::from(place) >= names.len() {
            return Err(refuse("the node's own place lies outside the ring"));
        }
        node.join(ring, PeerId(place));
    }
    Ok(node)
}
