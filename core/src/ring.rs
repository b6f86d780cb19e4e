//! `Ring`: which node owns a key. Consistent hashing after Karger et al. (STOC '97): each node
//! stands at many points of a circle, a key belongs to the next point clockwise, so that a node
//! that comes or goes moves only the keys next to its points.

use core::fmt;

use allocator_api2::{alloc::Global, vec::Vec};
use twox_hash::XxHash3_64;

use crate::{entry::OutOfMemory, flight::PeerId, room};

/// Points of each node. The share of a node then strays some 8 % (1/sqrt of it) from the mean.
const POINTS: u32 = 160;

/// Why no ring can be made of a list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// The list is empty.
    Empty,
    /// The list has more nodes than the 65,536 that a `PeerId` tells apart.
    TooMany,
    /// The node at this place in the list stands there a second time.
    Repeated(usize),
    /// There is no memory for its points.
    OutOfMemory,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a ring needs at least one node"),
            Self::TooMany => f.write_str("a ring takes at most 65,536 nodes"),
            Self::Repeated(at) => write!(f, "node {at} of the list stands there twice"),
            Self::OutOfMemory => f.write_str("no memory for the points of the ring"),
        }
    }
}

impl core::error::Error for RingError {}

impl From<OutOfMemory> for RingError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// The nodes of a cluster on their circle. Every node that makes it from the same names, in any
/// order, finds the same owner for each key.
#[derive(Debug)]
pub struct Ring {
    points: Vec<(u64, PeerId)>,
    fingerprint: u64,
}

impl Ring {
    /// The ring of the nodes with these names. A name is what the nodes agree on, such as the
    /// address under which they reach each other.
    ///
    /// # Errors
    /// If the list is empty, too long, or names a node twice, or there is no memory.
    pub fn new(names: &[&str]) -> Result<Self, RingError> {
        if names.is_empty() {
            return Err(RingError::Empty);
        }
        let mut sorted = room::empty(names.len(), Global)?;
        for (place, &name) in names.iter().enumerate() {
            sorted.push((name, u16::try_from(place).map_err(|_| RingError::TooMany)?));
        }
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(RingError::Repeated(usize::from(pair[1].1)));
        }
        // For all names with a byte between them, or one of them with a number.
        let most = names.iter().fold(4, |sum: usize, name| sum.saturating_add(name.len() + 1));
        let mut text = room::empty(most, Global)?;
        let mut points = room::empty(names.len() * POINTS as usize, Global)?;
        for &(name, place) in &sorted {
            let own = (0..POINTS).map(|number| point(name, number, &mut text));
            points.extend(own.map(|at| (at, PeerId(place))));
        }
        // By name where two points collide, so that they stand in the same order on every node.
        let name = |id: PeerId| names[usize::from(id.0)];
        points.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| name(a.1).cmp(name(b.1))));
        text.clear();
        for (number, (name, _)) in sorted.iter().enumerate() {
            text.extend_from_slice(if number > 0 { b"\n" } else { b"" });
            text.extend_from_slice(name.as_bytes());
        }
        Ok(Self { points, fingerprint: XxHash3_64::oneshot(&text) })
    }

    /// The same ring once more.
    ///
    /// # Errors
    /// If there is no memory for its points.
    pub fn try_clone(&self) -> Result<Self, OutOfMemory> {
        let points = room::copied(&self.points, Global)?;
        Ok(Self { points, fingerprint: self.fingerprint })
    }

    /// The node that owns a key.
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> PeerId {
        let hash = XxHash3_64::oneshot(key);
        let next = self.points.partition_point(|&(at, _)| at < hash);
        self.points[next % self.points.len()].1
    }

    /// The same number for the same set of nodes: two nodes that differ in it have yet to agree.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// Where on the circle a node's point of this number stands.
fn point(name: &str, number: u32, text: &mut Vec<u8>) -> u64 {
    text.clear();
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(&number.to_le_bytes());
    XxHash3_64::oneshot(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const NAMES: [&str; 4] = ["10.0.0.1:9999", "10.0.0.2:9999", "10.0.0.3:9999", "10.0.0.4:9999"];

    fn owners<'a>(names: &[&'a str]) -> Vec<&'a str> {
        let ring = Ring::new(names).expect("distinct names");
        let owner = |key: u32| names[usize::from(ring.owner(format!("key-{key}").as_bytes()).0)];
        (0..40_000).map(owner).collect()
    }

    #[test]
    fn the_order_of_the_list_does_not_matter() {
        let mut reversed = NAMES;
        reversed.reverse();
        assert_eq!(owners(&NAMES), owners(&reversed));
        let [a, b] =
            [NAMES, reversed].map(|names| Ring::new(&names).expect("distinct").fingerprint());
        assert_eq!(a, b);
        assert_ne!(a, Ring::new(&NAMES[..3]).expect("distinct").fingerprint());
    }

    /// While a cluster is upgraded, its nodes are of two versions.
    #[test]
    fn another_version_has_the_same_ring() {
        let ring = Ring::new(&NAMES).expect("distinct names");
        assert_eq!(ring.fingerprint(), 0x88a4_e8f9_c7a1_18eb);
        let owners = (0..40_000).map(|key: u32| u64::from(ring.owner(&key.to_le_bytes()).0));
        let all = owners.fold(0, |all: u64, owner| all.wrapping_mul(31).wrapping_add(owner));
        assert_eq!(all, 0xebd4_d10f_5ceb_98c8);
    }

    #[test]
    fn each_node_owns_about_its_share() {
        let all = owners(&NAMES);
        for name in NAMES {
            let share =
                all.iter().filter(|&&owner| owner == name).count() as f64 / all.len() as f64;
            assert!((0.18..0.32).contains(&share), "{name} owns {share}");
        }
    }

    #[test]
    fn a_node_that_leaves_moves_only_its_own_keys() {
        for (before, after) in owners(&NAMES).into_iter().zip(owners(&NAMES[..3])) {
            assert!(before == after || before == NAMES[3], "{before} lost a key to {after}");
        }
    }

    #[test]
    fn a_list_that_makes_no_ring_is_refused() {
        assert_eq!(Ring::new(&[]).expect_err("empty"), RingError::Empty);
        assert_eq!(Ring::new(&["a", "b", "a"]).expect_err("twice"), RingError::Repeated(2));
    }
}
