//! The node as a frontend sees it: who is told to load, who waits, who is told what.

use super::*;
use crate::{
    seed::Seed,
    settings::{Limits, Settings},
};
use core::time::Duration;
use std::{sync::Arc, vec, vec::Vec};

const NOW: Instant = Instant::from_millis(1_000);

fn settings() -> Settings {
    Settings { budget: 64 << 10, ..Settings::default() }
}

fn group(settings: Settings) -> Group {
    Group::new("scores", settings, Seed::new(7)).expect("memory for a few tables")
}

fn alone(group: Group) -> (Node, GroupId) {
    let mut node = Node::new();
    let id = node.add(group).expect("the first of its name");
    (node, id)
}

fn get(node: &Node, key: &[u8], waiter: u64) -> Result<Get, Error> {
    node.get(GroupId(0), key, Asker::Client, Waiter(waiter), NOW)
}

fn fetch(got: Result<Get, Error>) -> Fetch {
    match got {
        Ok(Get::Fetch(fetch)) => fetch,
        other => panic!("expected to be told to fetch, got {other:?}"),
    }
}

fn done(landing: Landing) -> Done {
    match landing {
        Landing::Done(done) => done,
        Landing::Refetch(fetch) => panic!("expected the end of the load, got {fetch:?}"),
    }
}

fn value(bytes: &[u8]) -> Result<Load, LoadError> {
    Ok(Value::new(bytes)?.into())
}

#[test]
fn one_loads_and_all_are_told() {
    let (node, _) = alone(group(settings()));
    let first = fetch(get(&node, b"Tom", 1));
    assert_eq!((first.key(), first.source()), (b"Tom".as_slice(), Source::Origin));
    assert!(matches!(get(&node, b"Tom", 2), Ok(Get::Wait)));
    let _other = fetch(get(&node, b"Sam", 3));

    let told = done(node.land(first, value(b"630"), NOW));
    assert_eq!(told.waiters, [Waiter(1), Waiter(2)]);
    assert_eq!(&*told.result.expect("the load went well").value, b"630");
    assert!(matches!(get(&node, b"Tom", 4), Ok(Get::Hit(found)) if *found.value == *b"630"));

    let (_, stats) = node.stats().next().expect("one group");
    assert_eq!((stats.gets, stats.hits, stats.waits, stats.origin_loads), (4, 1, 1, 2));
    assert_eq!((stats.entries, stats.flights), (1, 1));
}

#[test]
fn a_hit_is_counted_and_a_miss_begins_nothing() {
    let lifetime = Some(Duration::from_secs(10));
    let (node, scores) = alone(group(Settings { lifetime, ..settings() }));
    assert_eq!(node.hit(scores, b"Tom", Instant::ZERO), None);
    assert_eq!(node.hit(GroupId(scores.0 + 1), b"Tom", Instant::ZERO), None);
    assert_eq!(node.put(scores, b"Tom", b"630", Instant::ZERO), Ok(()));
    let (_, untouched) = node.stats().next().expect("it has a group");
    assert_eq!((untouched.gets, untouched.flights), (0, 0));
    let later = |seconds: u64| Instant::from_millis(seconds * 1000);
    let found = node.hit(scores, b"Tom", later(3)).expect("it is cached");
    assert_eq!((&*found.value, found.age), (&b"630"[..], Some(Duration::from_secs(3))));
    assert_eq!(node.hit(scores, b"Tom", later(10)), None);
    let (_, stats) = node.stats().next().expect("it has a group");
    assert_eq!((stats.gets, stats.hits, stats.flights), (1, 1, 0));
}

#[test]
fn a_failed_load_is_told_to_all_and_stored_for_nobody() {
    let (node, _) = alone(group(settings()));
    for (failure, error) in [
        (LoadError::NotFound, Error::NotFound),
        (LoadError::Failed, Error::Failed),
        (LoadError::TimedOut, Error::TimedOut),
        (LoadError::Busy, Error::Busy),
        (LoadError::Panicked, Error::Panicked),
        (LoadError::PeerDown, Error::Failed),
    ] {
        let first = fetch(get(&node, b"Tom", 1));
        assert!(matches!(get(&node, b"Tom", 2), Ok(Get::Wait)));
        let told = done(node.land(first, Err(failure), NOW));
        assert_eq!(told.result, Err(error));
        assert_eq!(told.waiters, [Waiter(1), Waiter(2)]);
    }
    let (_, stats) = node.stats().next().expect("one group");
    assert_eq!((stats.not_found, stats.load_errors, stats.flights), (1, 5, 0));
}

#[test]
fn a_lost_load_ends_at_its_deadline() {
    let limits = Limits { load_deadline: Duration::from_millis(500), ..Limits::default() };
    let (node, _) = alone(group(Settings { limits, ..settings() }));
    let lost = fetch(get(&node, b"Tom", 1));
    assert!(matches!(get(&node, b"Tom", 2), Ok(Get::Wait)));
    assert!(node.overdue(Instant::from_millis(1_499)).is_none());

    let told = node.overdue(Instant::from_millis(1_500)).expect("one is overdue");
    assert!(node.overdue(Instant::from_millis(1_500)).is_none());
    assert_eq!(told.result, Err(Error::TimedOut));
    assert_eq!(told.waiters, [Waiter(1), Waiter(2)]);

    // Who asks now leads a new load; the late landing of the old one changes nothing.
    let second = fetch(get(&node, b"Tom", 3));
    assert!(done(node.land(lost, value(b"old"), NOW)).waiters.is_empty());
    assert!(matches!(get(&node, b"Tom", 4), Ok(Get::Wait)));
    assert_eq!(done(node.land(second, value(b"new"), NOW)).waiters, [Waiter(3), Waiter(4)]);
}

#[test]
fn a_removal_outdates_the_load_in_the_air() {
    let (node, id) = alone(group(settings()));
    let before = fetch(get(&node, b"Tom", 1));
    assert!(!node.remove(id, b"Tom", NOW), "nothing was cached yet");
    let after = fetch(get(&node, b"Tom", 2));

    let told = done(node.land(before, value(b"old"), NOW));
    assert_eq!(told.waiters, [Waiter(1)]);
    assert_eq!(&*told.result.expect("who asked before is served").value, b"old");
    assert!(matches!(get(&node, b"Tom", 3), Ok(Get::Wait)), "the old value was not stored");

    done(node.land(after, value(b"new"), NOW));
    assert!(matches!(get(&node, b"Tom", 4), Ok(Get::Hit(found)) if *found.value == *b"new"));
    assert!(node.remove(id, b"Tom", NOW));
    let _again = fetch(get(&node, b"Tom", 5));
}

#[test]
fn what_is_put_is_a_hit_and_outdates_the_load_in_the_air() {
    let limits = Limits { key_bytes: 3, ..Limits::default() };
    let (node, id) = alone(group(Settings { limits, ..settings() }));
    let before = fetch(get(&node, b"Tom", 1));
    assert_eq!(node.put(id, b"Tom", b"new", NOW), Ok(()));
    let told = done(node.land(before, value(b"old"), NOW));
    assert_eq!(&*told.result.expect("who asked before is served").value, b"old");
    assert!(matches!(get(&node, b"Tom", 2), Ok(Get::Hit(found)) if *found.value == *b"new"));

    assert_eq!(node.put(id, b"Tom", &[0; 64 << 10], NOW), Err(Error::TooLarge));
    let _gone = fetch(get(&node, b"Tom", 3));
    assert_eq!(node.put(id, b"Jack", b"589", NOW), Err(Error::KeyTooLong { limit: 3 }));
    assert_eq!(node.put(GroupId(1), b"Tom", b"630", NOW), Err(Error::NoSuchGroup));
    assert!(!node.remove(id, b"Tom", NOW));
    let (_, stats) = node.stats().next().expect("one group");
    assert_eq!((stats.puts, stats.removals, stats.refused_too_large), (2, 1, 1));
}

#[test]
fn the_limits_hold() {
    let limits = Limits { key_bytes: 3, flights: 2, waiters: 2, ..Limits::default() };
    let (node, _) = alone(group(Settings { limits, ..settings() }));
    assert_eq!(get(&node, b"Jack", 1).expect_err("too long"), Error::KeyTooLong { limit: 3 });
    let first = fetch(get(&node, b"a", 1));
    assert!(matches!(get(&node, b"a", 2), Ok(Get::Wait)));
    assert_eq!(get(&node, b"a", 3).expect_err("two wait"), Error::Busy);
    let _second = fetch(get(&node, b"b", 4));
    assert_eq!(get(&node, b"c", 5).expect_err("two in the air"), Error::Busy);
    done(node.land(first, value(b""), NOW));
    let _third = fetch(get(&node, b"c", 6));
}

#[test]
fn a_value_ages_and_is_loaded_anew() {
    let (node, id) =
        alone(group(Settings { lifetime: Some(Duration::from_secs(60)), ..settings() }));
    let at = |seconds: u64| {
        let now = Instant::from_millis(seconds * 1_000);
        node.get(id, b"Tom", Asker::Client, Waiter(0), now)
    };
    let first = fetch(at(0));
    let told = done(node.land(first, value(b"630"), Instant::ZERO));
    assert_eq!(told.result.expect("loaded").age, Some(Duration::ZERO));
    let Ok(Get::Hit(found)) = at(59) else { panic!("still young") };
    assert_eq!(found.age, Some(Duration::from_secs(59)));
    let _anew = fetch(at(60));
}

/// Two nodes of a ring of two, and a key that node 1 owns.
fn pair() -> ([Node; 2], Vec<u8>) {
    let ring = Ring::new(&["one", "two"]).expect("two names");
    let key = (0..u8::MAX).map(|byte| vec![byte]).find(|key| ring.owner(key) == PeerId(1));
    let nodes = [PeerId(0), PeerId(1)].map(|own| {
        let (mut node, _) = alone(group(settings()));
        node.join(ring.try_clone().expect("memory"), own);
        node
    });
    (nodes, key.expect("one of 255 keys"))
}

#[test]
fn a_key_is_fetched_from_its_owner_and_served_without_a_copy() {
    let ([asked, owner], key) = pair();
    let from_peer = fetch(get(&asked, &key, 1));
    assert_eq!(from_peer.source(), Source::Peer(PeerId(1)));
    assert_eq!(fetch(get(&owner, &key, 1)).source(), Source::Origin);

    let told = done(asked.land(from_peer, value(b"630"), NOW));
    assert_eq!(&*told.result.expect("the owner had it").value, b"630");
    assert_eq!(fetch(get(&asked, &key, 2)).source(), Source::Peer(PeerId(1)));
}

#[test]
fn what_is_put_is_kept_by_its_owner_and_forgotten_by_the_others() {
    let ([other, owner], key) = pair();
    // The owner was down, once: what the origin gave was kept.
    let first = fetch(get(&other, &key, 1));
    let Landing::Refetch(again) = other.land(first, Err(LoadError::PeerDown), NOW) else {
        panic!("the load goes on at the origin")
    };
    done(other.land(again, value(b"old"), NOW));
    for node in [&owner, &other] {
        assert_eq!(node.put(GroupId(0), &key, b"new", NOW), Ok(()));
    }
    assert!(matches!(get(&owner, &key, 2), Ok(Get::Hit(found)) if *found.value == *b"new"));
    assert_eq!(fetch(get(&other, &key, 3)).source(), Source::Peer(PeerId(1)));
}

#[test]
fn a_peer_is_never_sent_on_nor_made_to_wait_for_a_third_node() {
    let ([asked, _], key) = pair();
    let forwarded = fetch(get(&asked, &key, 1));
    let own = fetch(asked.get(GroupId(0), &key, Asker::Peer, Waiter(2), NOW));
    assert_eq!(own.source(), Source::Origin, "the flight to the owner is not joined");
    assert!(matches!(asked.get(GroupId(0), &key, Asker::Peer, Waiter(3), NOW), Ok(Get::Wait)));
    assert_eq!(done(asked.land(own, value(b"x"), NOW)).waiters, [Waiter(2), Waiter(3)]);
    assert_eq!(done(asked.land(forwarded, value(b"x"), NOW)).waiters, [Waiter(1)]);
}

#[test]
fn an_owner_that_is_down_is_replaced_by_the_origin() {
    let ([asked, _], key) = pair();
    let first = fetch(get(&asked, &key, 1));
    let Landing::Refetch(again) = asked.land(first, Err(LoadError::PeerDown), NOW) else {
        panic!("the load goes on at the origin")
    };
    assert_eq!((again.key(), again.source()), (&key[..], Source::Origin));
    assert!(matches!(get(&asked, &key, 2), Ok(Get::Wait)), "it is still one load");
    assert_eq!(done(asked.land(again, value(b"630"), NOW)).waiters, [Waiter(1), Waiter(2)]);
    assert!(matches!(get(&asked, &key, 3), Ok(Get::Hit(_))), "what the origin gave is kept");
    let (_, stats) = asked.stats().next().expect("one group");
    assert_eq!((stats.peer_loads, stats.peer_failures, stats.origin_loads), (1, 1, 1));
}

#[test]
fn a_peer_that_fails_after_the_deadline_begins_no_second_load() {
    let ([asked, _], key) = pair();
    let late = fetch(get(&asked, &key, 1));
    assert!(asked.overdue(Instant::from_millis(60_000)).is_some());
    assert!(done(asked.land(late, Err(LoadError::PeerDown), NOW)).waiters.is_empty());
}

#[test]
fn a_fetch_survives_being_taken_apart_and_a_forged_one_does_nothing() {
    let (node, _) = alone(group(settings()));
    let first = fetch(get(&node, b"Tom", 1));
    let parts = (first.group(), first.flight(), first.key().to_vec(), first.source());
    let forged = Fetch::from_parts(parts.0, parts.1 + 1, &parts.2, parts.3).expect("memory");
    assert!(done(node.land(forged, value(b"bad"), NOW)).waiters.is_empty());
    // Some of these keys share the seven bits of a hash that the table compares before the entries.
    for other in 0..10_000_u32 {
        let forged =
            Fetch::from_parts(parts.0, parts.1, &other.to_le_bytes(), parts.3).expect("memory");
        assert!(done(node.land(forged, value(b"bad"), NOW)).waiters.is_empty(), "{other}");
    }
    let again = Fetch::from_parts(parts.0, parts.1, &parts.2, parts.3).expect("memory");
    assert_eq!(done(node.land(again, value(b"630"), NOW)).waiters, [Waiter(1)]);
    assert!(matches!(get(&node, b"Tom", 2), Ok(Get::Hit(found)) if *found.value == *b"630"));
}

#[test]
fn groups_are_told_apart_and_named_once() {
    let (mut node, scores) = alone(group(settings()));
    assert_eq!(node.add(group(settings())), Err(AddError::Taken));
    let other = node
        .add(Group::new("other", settings(), Seed::new(1)).expect("memory"))
        .expect("a new name");
    assert_eq!(
        (node.group_named(b"scores"), node.group_named(b"other")),
        (Some(scores), Some(other))
    );
    assert_eq!(node.group_named(b"nobody"), None);
}

/// All of them in one chain, which takes no deep stack to drop.
#[test]
fn many_loads_of_one_key_are_dropped_at_once() {
    let limits = Limits { flights: 200_000, ..Limits::default() };
    let (node, id) = alone(group(Settings { limits, ..settings() }));
    for waiter in 0..3_000 {
        let _lost = fetch(get(&node, b"Tom", waiter));
        node.remove(id, b"Tom", NOW);
    }
    assert_eq!(node.stats().map(|(_, stats)| stats.flights).sum::<u64>(), 3_000);
    let thread = std::thread::Builder::new().stack_size(64 << 10);
    thread.spawn(|| drop(node)).expect("a thread").join().expect("it fits the stack");
}

#[test]
fn a_node_that_follows_lands_what_began_before() {
    type Shared = Node<SpinLock, Global, Arc<Group>>;
    let group = |name| Arc::new(Group::new(name, settings(), Seed::new(7)).expect("memory"));
    let (old, kept) = (group("scores"), group("kept"));
    let mut before = Shared::new_in(Global);
    assert_eq!(before.add(Arc::clone(&old)), Ok(GroupId(0)));
    assert_eq!(before.add(Arc::clone(&kept)), Ok(GroupId(1)));
    let get = |node: &Shared, group, waiter| {
        fetch(node.get(GroupId(group), b"Tom", Asker::Client, Waiter(waiter), NOW))
    };
    let (of_old, of_kept) = (get(&before, 0, 1), get(&before, 1, 2));

    // Another group of the same name takes the place of the old one, under another number.
    let mut after = Shared::new_in(Global);
    assert_eq!(after.adopt(GroupId(2), group("scores")), Ok(()));
    assert_eq!(after.adopt(GroupId(1), kept), Ok(()));
    assert_eq!(after.adopt(GroupId(0), old), Ok(()));
    assert_eq!(after.adopt(GroupId(0), group("third")), Err(AddError::Taken));
    let of_new = get(&after, 2, 3);
    for (load, waiter) in [(of_old, 1), (of_kept, 2), (of_new, 3)] {
        assert_eq!(done(after.land(load, value(b"630"), NOW)).waiters, [Waiter(waiter)]);
    }
    let mut last = Shared::new_in(Global);
    assert_eq!(last.adopt(GroupId(2), group("scores")), Ok(()));
    assert!(last.group(GroupId(0)).is_none(), "a number that is free");
    let nobody = last.get(GroupId(0), b"Tom", Asker::Client, Waiter(4), NOW);
    assert_eq!(nobody.err(), Some(Error::NoSuchGroup));
}
