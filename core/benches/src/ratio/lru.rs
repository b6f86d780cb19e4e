//! Exact LRU over dense ids, as the reference.

use super::Policy;

#[derive(Clone, Copy)]
struct Link {
    newer: u32,
    older: u32,
}

/// Objects in a ring of links, with one link more than there are objects for its ends.
pub struct Lru {
    links: Vec<Link>,
    /// Size of each object that is in; an object may have no bytes.
    held: Vec<Option<u64>>,
    room: u64,
    used: u64,
}

impl Lru {
    /// A cache of so many bytes for objects of the ids `0..objects`.
    pub fn new(objects: usize, room: u64) -> Self {
        let end = u32::try_from(objects).expect("ids are u32");
        let links = vec![Link { newer: end, older: end }; objects + 1];
        Self { links, held: vec![None; objects], room, used: 0 }
    }

    fn end(&self) -> u32 {
        self.held.len() as u32
    }

    fn link_newest(&mut self, id: u32) {
        let end = self.end();
        let newest = self.links[end as usize].older;
        self.links[id as usize] = Link { newer: end, older: newest };
        self.links[newest as usize].newer = id;
        self.links[end as usize].older = id;
    }

    fn unlink(&mut self, id: u32) {
        let Link { newer, older } = self.links[id as usize];
        self.links[newer as usize].older = older;
        self.links[older as usize].newer = newer;
    }
}

impl Policy for Lru {
    fn access(&mut self, id: u32, size: u64) -> bool {
        let hit = self.held[id as usize].is_some();
        if hit {
            self.unlink(id);
        } else if size > self.room {
            return false;
        } else {
            while self.used + size > self.room {
                let oldest = self.links[self.end() as usize].newer;
                self.unlink(oldest);
                self.used -= self.held[oldest as usize].take().unwrap_or(0);
            }
            self.held[id as usize] = Some(size);
            self.used += size;
        }
        self.link_newest(id);
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let mut lru = Lru::new(5, 10);
        let sizes = [4, 4, 2, 5, 11];
        let hits = [0, 1, 2, 0, 3, 0, 1, 4, 0].map(|id| lru.access(id, sizes[id as usize]));
        // 3 needs 5 bytes: 1 and 2 go, 0 has been used since; 1 then puts 3 out; 4 never fits.
        assert_eq!(hits, [false, false, false, true, false, true, false, false, true]);
    }
}
