//! The exports of `wit/node.wit` under the names and in the shape that the canonical ABI gives them:
//! arguments come flat, lists among them as an address and a length; the answer is the address of
//! one of `abi`'s types. What they do is the business of `guest`.
#![expect(unsafe_code, reason = "the canonical ABI is pointers into linear memory")]

use core::{cell::UnsafeCell, ptr, slice};

use gocache_core::{GroupId, Instant, PeerId, Source};

use crate::{
    abi::{
        Answer, Ask, Counters, Done, Error, Found, GroupSettings, Landing, List, Maybe, Misuse,
        Outcome, Wrong,
    },
    convert,
    guest::{Configuration, STATE, State},
    runtime,
};

/// Where an answer is written. One is enough: the host reads it before it calls again.
#[repr(C, align(8))]
struct Room(UnsafeCell<[u8; ROOM]>);

const ROOM: usize = 96;

// SAFETY: an instance has one thread.
unsafe impl Sync for Room {}

static ANSWER: Room = Room(UnsafeCell::new([0; ROOM]));

type Reply<T> = *const Outcome<T, Misuse>;

/// Runs a verb and writes down its answer. What arguments came in is free afterwards.
fn answer<T>(verb: impl FnOnce(&mut State) -> Result<T, Wrong>) -> Reply<T> {
    respond(|state| {
        let answer = verb(state).map_err(|wrong| state.misuse(wrong));
        runtime::free_arguments(state.is_set_up());
        answer.into()
    })
}

/// Lets go of the last answer, and writes down the next one.
fn respond<T>(verb: impl FnOnce(&mut State) -> T) -> *const T {
    const { assert!(size_of::<T>() <= ROOM && align_of::<T>() <= 8) };
    let mut state = STATE.lock();
    state.forget();
    let room = ANSWER.0.get().cast::<T>();
    // SAFETY: there is room for it, as checked above, which nothing else refers to: the host has
    // read the answer before, and does not run now.
    unsafe { room.write(verb(&mut state)) };
    room
}

/// A list among the arguments.
///
/// # Safety
/// It came so from the host, or as a part of what did.
unsafe fn slice<'a, T>(start: *const T, len: usize) -> &'a [T] {
    match len {
        0 => &[],
        // SAFETY: by the canonical ABI the host has asked `cabi_realloc` for this room and filled
        // it with so many of `T`, and it stays until `free_arguments`.
        _ => unsafe { slice::from_raw_parts(start, len) },
    }
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#configure")]
extern "C" fn configure(
    groups: *const Maybe<GroupSettings>,
    groups_len: usize,
    has_ring: u8,
    names: *const List<u8>,
    names_len: usize,
    place: u16,
    seed: u64,
) -> Reply<()> {
    // SAFETY: as `slice` asks for.
    let text =
        |list: &List<u8>| unsafe { slice(ptr::with_exposed_provenance(list.address), list.len) };
    // SAFETY: as above.
    let groups = unsafe { slice(groups, groups_len) };
    // SAFETY: as above. (Without a ring the host passes zeros.)
    let names = unsafe { slice(names, names_len) };
    let ring = (has_ring != 0).then_some((names, PeerId(place)));
    answer(|state| state.configure(&Configuration { groups, ring, seed, text: &text }))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#get")]
extern "C" fn get(
    group: u16,
    key: *const u8,
    key_len: usize,
    asker: u8,
    waiter: u64,
    now: u64,
) -> Reply<Outcome<Answer, Error>> {
    // SAFETY: as it asks for.
    let key = unsafe { slice(key, key_len) };
    let ask = Ask { group, key_bytes: key_len as u32, asker, waiter };
    answer(|state| state.get(&ask, key, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#hit")]
extern "C" fn hit(
    group: u16,
    key_0: u64,
    key_1: u64,
    key_2: u64,
    key_3: u64,
    key_4: u64,
    key_5: u64,
    key_6: u64,
    key_7: u64,
    key_bytes: u8,
    now: u64,
) -> *const Maybe<Found> {
    let words = [key_0, key_1, key_2, key_3, key_4, key_5, key_6, key_7].map(u64::to_le_bytes);
    let key = words.as_flattened();
    // A key that ends behind the words ends with them.
    let key = &key[..key.len().min(key_bytes.into())];
    // No list came in, so that there is nothing to free.
    respond(|state| state.hit(GroupId(group), key, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#hits")]
extern "C" fn hits(
    groups: *const u16,
    groups_len: usize,
    key_bytes: *const u32,
    key_bytes_len: usize,
    keys: *const u8,
    keys_len: usize,
    now: u64,
) -> *const List<Maybe<Found>> {
    // SAFETY: as it asks for.
    let (groups, key_bytes) =
        unsafe { (slice(groups, groups_len), slice(key_bytes, key_bytes_len)) };
    // SAFETY: as above.
    let keys = unsafe { slice(keys, keys_len) };
    respond(|state| {
        let hits = state.hits(groups, key_bytes, keys, Instant::from_millis(now));
        runtime::free_arguments(state.is_set_up());
        hits
    })
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#get-batch")]
extern "C" fn get_batch(
    asks: *const Ask,
    asks_len: usize,
    keys: *const u8,
    keys_len: usize,
    now: u64,
) -> Reply<List<Outcome<Answer, Error>>> {
    // SAFETY: as it asks for.
    let (asks, keys) = unsafe { (slice(asks, asks_len), slice(keys, keys_len)) };
    answer(|state| state.get_batch(asks, keys, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#land")]
extern "C" fn land(
    group: u16,
    flight: u64,
    key: *const u8,
    key_len: usize,
    is_peer: u8,
    peer: u16,
    is_error: u8,
    value_or_error: usize,
    value_len: usize,
    age: u64,
    has_lifetime: u8,
    lifetime: u64,
    now: u64,
) -> Reply<Landing> {
    // SAFETY: as it asks for.
    let key = unsafe { slice(key, key_len) };
    let source = if is_peer == 0 { Source::Origin } else { Source::Peer(PeerId(peer)) };
    let fetch = convert::Ticket { group: GroupId(group), flight, key, source };
    let outcome = match is_error {
        0 => Ok(convert::Brought {
            // SAFETY: as it asks for.
            value: unsafe { slice(ptr::with_exposed_provenance(value_or_error), value_len) },
            age,
            lifetime: (has_lifetime != 0).then_some(lifetime),
        }),
        _ => Err(convert::load_error(value_or_error)),
    };
    answer(|state| state.land(&fetch, outcome, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#overdue")]
extern "C" fn overdue(now: u64) -> Reply<Maybe<Done>> {
    answer(|state| state.overdue(Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#put")]
extern "C" fn put(
    group: u16,
    key: *const u8,
    key_len: usize,
    value: *const u8,
    value_len: usize,
    now: u64,
) -> Reply<Outcome<(), Error>> {
    // SAFETY: as it asks for.
    let (key, value) = unsafe { (slice(key, key_len), slice(value, value_len)) };
    answer(|state| state.put(GroupId(group), key, value, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#remove")]
extern "C" fn remove(group: u16, key: *const u8, key_len: usize, now: u64) -> Reply<bool> {
    // SAFETY: as it asks for.
    let key = unsafe { slice(key, key_len) };
    answer(|state| state.remove(GroupId(group), key, Instant::from_millis(now)))
}

#[unsafe(export_name = "gocache:node/engine@0.1.0#stats")]
extern "C" fn stats() -> Reply<List<Maybe<Counters>>> {
    answer(|state| state.stats())
}
