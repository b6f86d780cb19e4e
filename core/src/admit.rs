//! Admission: room is made before memory is taken. An entry is reserved, then allocated, then
//! linked in. Who holds a lock lets go of it in between, so that evicted entries are given back
//! outside of it.

use crate::{
    budget::Budget,
    entry::{Memory, Parts, Value},
    error::Refusal,
    store::Lack,
};

/// Attempts to link an entry in. The tables that have to grow for it take up to some 64 KiB, and an
/// attempt may have made room for a dozen bytes; more are needed only where other threads take it.
const ATTEMPTS: usize = 8 << 10;

/// Attempts to allocate something, each but the first after as much was given back as it takes up: where
/// memory is in pieces, the first that is long enough may come late.
const TRIES: usize = 5;

/// Where an entry is going.
pub(crate) trait Place<A: Memory> {
    /// Links the entry in, or hands it back.
    fn insert(&mut self, entry: Value<A>) -> Result<(), (Value<A>, Lack)>;

    /// Gives back about so many bytes somewhere. Says whether it gave back any.
    fn evict(&mut self, bytes: usize) -> bool;
}

/// Makes an entry of these parts and links it in, or leaves no trace of it.
pub(crate) fn admit<A: Memory>(
    parts: &Parts<'_>,
    allocator: &A,
    budget: &Budget,
    place: &mut impl Place<A>,
) -> Result<(), Refusal> {
    let entry = allocate(parts, allocator, budget, place)?;
    link(entry, budget, place)
}

fn allocate<A: Memory>(
    parts: &Parts<'_>,
    allocator: &A,
    budget: &Budget,
    place: &mut impl Place<A>,
) -> Result<Value<A>, Refusal> {
    let bytes = parts.memory::<A>();
    for tries in 1..=TRIES {
        while !budget.reserve(bytes) {
            if !place.evict(bytes) {
                return Err(Refusal::TooLarge);
            }
        }
        match Value::allocate(parts, allocator.clone()) {
            Ok(entry) => return Ok(entry),
            Err(_) => budget.release(bytes),
        }
        // After the last one nothing more goes: it would go in vain.
        if tries == TRIES || !give_back(bytes, budget, place) {
            break;
        }
    }
    Err(Refusal::OutOfMemory)
}

/// Evicts entries until the allocator has so many bytes back: what is lent it has not. Says whether any
/// went.
fn give_back<A: Memory>(bytes: usize, budget: &Budget, place: &mut impl Place<A>) -> bool {
    let target = budget.held().saturating_sub(bytes);
    let went = (0..ATTEMPTS).take_while(|_| budget.held() > target && place.evict(bytes));
    went.count() > 0
}

fn link<A: Memory>(
    mut entry: Value<A>,
    budget: &Budget,
    place: &mut impl Place<A>,
) -> Result<(), Refusal> {
    let bytes = entry.memory();
    let mut refusal = Refusal::TooLarge;
    let mut tries = 1;
    for _ in 0..ATTEMPTS {
        let (back, lack) = match place.insert(entry) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        entry = back;
        let goes_on = match lack {
            Lack::Budget(more) => place.evict(more),
            // The entry that goes first may leave a place in the table, which then need not grow.
            Lack::Memory(more) => {
                refusal = Refusal::OutOfMemory;
                tries += 1;
                let bytes = if tries > 2 { more.max(bytes) } else { bytes };
                tries <= TRIES && give_back(bytes, budget, place)
            }
            Lack::Outdated => false,
        };
        if !goes_on {
            break;
        }
    }
    drop(entry);
    budget.release(bytes);
    Err(refusal)
}
