//! `Guest`: the exported verbs, each one the core's method of that name behind a check of what the
//! core takes for granted (a node that is set up, a group that exists).

use alloc::{string::ToString, vec::Vec};

use gocache_core::{Fetch, GroupId, Instant, Node, PeerId, Ring, Seed, Waiter};
use spin::Once;

use crate::{
    bindings::wit::{self, Misuse},
    convert::group,
};

/// The node of this instance and how many groups it has.
static NODE: Once<(Node, u16)> = Once::new();

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
        let made = set_up(groups, ring, seed)?;
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
        let got = node_of(group)?.get(GroupId(group), &key, asker.into(), Waiter(waiter), now);
        Ok(got.map(Into::into).map_err(Into::into))
    }

    fn land(
        fetch: wit::Fetch,
        outcome: Result<wit::Load, wit::LoadError>,
        now: u64,
    ) -> Result<wit::Landing, Misuse> {
        let node = node_of(fetch.group)?;
        let outcome = outcome.map(Into::into).map_err(Into::into);
        Ok(node.land(Fetch::from(fetch), outcome, Instant::from_millis(now)).into())
    }

    fn overdue(now: u64) -> Result<Vec<wit::Done>, Misuse> {
        let (node, _) = node()?;
        Ok(node.overdue(Instant::from_millis(now)).into_iter().map(Into::into).collect())
    }

    fn remove(group: u16, key: Vec<u8>) -> Result<bool, Misuse> {
        Ok(node_of(group)?.remove(GroupId(group), &key))
    }

    fn stats() -> Result<Vec<wit::Counters>, Misuse> {
        let (node, _) = node()?;
        Ok(node.stats().map(|(_, stats)| stats.into()).collect())
    }
}

fn node() -> Result<&'static (Node, u16), Misuse> {
    NODE.get().ok_or(Misuse::Unconfigured)
}

/// The node, if it has this group: the core panics for one that it does not have.
fn node_of(group: u16) -> Result<&'static Node, Misuse> {
    match node()? {
        (node, groups) if group < *groups => Ok(node),
        _ => Err(Misuse::UnknownGroup(group)),
    }
}

fn set_up(
    groups: Vec<wit::GroupSettings>,
    ring: Option<wit::RingSettings>,
    seed: u64,
) -> Result<(Node, u16), Misuse> {
    let refuse = |why: &str| Misuse::Configuration(why.to_string());
    let count = u16::try_from(groups.len()).map_err(|_| refuse("too many groups"))?;
    let mut node = Node::new();
    for settings in &groups {
        let group = group(settings, Seed::new(seed))
            .ok_or_else(|| refuse("a budget or a limit exceeds what 32 bits can address"))?;
        node.add(group).ok_or_else(|| refuse("two groups have the same name"))?;
    }
    if let Some(wit::RingSettings { names, place }) = ring {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let ring = Ring::new(&names).map_err(|error| refuse(&error.to_string()))?;
        if usize::from(place) >= names.len() {
            return Err(refuse("the node's own place lies outside the ring"));
        }
        node.join(ring, PeerId(place));
    }
    Ok((node, count))
}
