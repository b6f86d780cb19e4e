//! What becomes of a configuration that follows another one in a running server: which groups stay,
//! and which keys wait for a restart.

use gocache_core::GroupId;

use super::{Config, GroupConfig};

impl Config {
    /// The number of the group of a name. There are a handful of groups: a scan beats a table.
    pub(crate) fn group(&self, name: &[u8]) -> Option<GroupId> {
        let mut groups = self.groups.iter();
        groups.find(|group| group.name.as_bytes() == name).map(|group| group.id)
    }

    /// The group of a number, if it still stands in the file.
    pub(crate) fn listed(&self, id: GroupId) -> Option<&GroupConfig> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The group of a number, in the file or gone from it: what began under a number ends under it.
    pub(crate) fn numbered(&self, GroupId(id): GroupId) -> &GroupConfig {
        &self.numbered[usize::from(id)]
    }

    /// Numbers that groups have or had.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = GroupId> {
        // No more than there are numbers.
        (0..self.numbered.len()).map(|id| GroupId(id as u16))
    }

    /// Takes the place of the configuration `before`. Groups that stay keep their numbers, and new
    /// ones get numbers that none had: what is in flight is never taken for another group's. A group
    /// with another policy is a new one, of the same name.
    ///
    /// Says which keys have changed that only a start reads; they are as before.
    ///
    /// # Errors
    /// If no numbers are left.
    pub(crate) fn follow(&mut self, before: &Self) -> Result<Vec<&'static str>, String> {
        self.numbered.clone_from(&before.numbered);
        for group in &mut self.groups {
            let is_same = |old: &&GroupConfig| old.name == group.name && old.policy == group.policy;
            let next = u16::try_from(self.numbered.len());
            let id = match (before.groups.iter().find(is_same), next) {
                (Some(old), _) => old.id,
                (None, Ok(next)) => GroupId(next),
                (None, Err(_)) => {
                    return Err("65,536 groups have come and gone; restart the server".to_owned());
                }
            };
            group.id = id;
            match self.numbered.get_mut(usize::from(id.0)) {
                Some(place) => place.clone_from(group),
                None => self.numbered.push(group.clone()),
            }
        }
        let mut waiting = Vec::new();
        let mut keep = |key, differs: bool| differs.then(|| waiting.push(key));
        keep("listen", self.listen != before.listen);
        keep("ops_listen", self.ops_listen != before.ops_listen);
        keep("loops", self.loops != before.loops);
        (self.listen, self.ops_listen, self.loops) =
            (before.listen, before.ops_listen, before.loops);
        Ok(waiting)
    }
}
