//! The floor: a map and nothing else. To bound it, a queue of copies of the keys, in place and not
//! allocated, says which came first.

use std::{collections::VecDeque, sync::Arc};

use hashbrown::HashMap;

use super::{Contender, Hash, Room};
use crate::data::Key;

/// A bare map; it knows no use of an entry, only the order of arrival.
pub struct Floor {
    map: HashMap<Box<[u8]>, Arc<[u8]>, Hash>,
    arrivals: VecDeque<Key>,
    room: Room,
}

impl Contender for Floor {
    const NAME: &'static str = "floor";
    type Handle = Arc<[u8]>;

    fn new(room: Room) -> Self {
        Self { map: HashMap::default(), arrivals: VecDeque::new(), room }
    }

    fn get(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        self.map.get(key).cloned()
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) {
        if let Room::Full(entries) = self.room {
            if self.map.len() == entries
                && let Some(oldest) = self.arrivals.pop_front()
            {
                self.map.remove(&*oldest);
            }
            self.arrivals.push_back(Key::copied(key));
        }
        self.map.insert(key.into(), value.into());
    }
}
