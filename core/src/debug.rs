//! How the larger types show themselves: by what tells two of them apart, and no more. Keys and values
//! are none of a log's business.

use core::{borrow::Borrow, fmt};

use lock_api::RawRwLock;

#[cfg(feature = "size-aware")]
use crate::policy::SizeAware;
use crate::{
    cache::Cache,
    entry::Memory,
    getter::Loader,
    group::Group,
    node::Node,
    policy::{Lru, Policy, S3Fifo},
};

impl<P: Policy<A>, A: Memory> fmt::Debug for Cache<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({} entries in {} bytes)", self.len(), self.used())
    }
}

impl<R: RawRwLock, A: Memory> fmt::Debug for Group<R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, used) = (self.name().escape_ascii(), self.budget.used());
        write!(f, "Group({name}: {used} of {} bytes)", self.budget.limit())
    }
}

impl<G, R: RawRwLock, A: Memory> fmt::Debug for Loader<G, R, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loader").field(&self.group).finish()
    }
}

impl<R: RawRwLock, A: Memory, G: Borrow<Group<R, A>>> fmt::Debug for Node<R, A, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.groups().map(|(_, group)| group)).finish()
    }
}

impl fmt::Debug for Lru {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lru")
    }
}

impl<A: Memory> fmt::Debug for S3Fifo<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Fifo")
    }
}

#[cfg(feature = "size-aware")]
impl<A: Memory> fmt::Debug for SizeAware<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SizeAware")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Instant, Seed, Settings};
    use std::format;

    #[test]
    fn a_cache_says_how_full_it_is() {
        let mut cache: Cache = Cache::new(2 << 10, Seed::new(7)).expect("memory");
        cache.insert(b"Tom", b"630", Instant::ZERO).expect("it fits");
        assert_eq!(format!("{cache:?}"), format!("Cache(1 entries in {} bytes)", cache.used()));
    }

    #[test]
    fn a_node_lists_its_groups() {
        let settings = Settings { budget: 4 << 10, ..Settings::default() };
        let group = Group::new(b"a\nb", settings, Seed::new(7)).expect("memory");
        let used = group.stats().bytes;
        let mut node = Node::new();
        node.add(group).expect("the first one");
        assert_eq!(format!("{node:?}"), format!(r"[Group(a\nb: {used} of 4096 bytes)]"));
    }
}
