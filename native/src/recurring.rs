//! What recurs from one request to the next, and is kept ready in each loop.

use std::cell::{Cell, RefCell};

use gocache_core::{GroupId, Route, http::CacheStatus, plain_key};

use crate::{
    clock::DATE_LEN,
    config::Config,
    http1::{HitHead, KnownFields},
};

#[derive(Debug, Default)]
pub(crate) struct Recurring {
    /// The fields of requests.
    pub(crate) fields: RefCell<KnownFields>,
    /// By the number of the group.
    groups: Vec<RecurringGroup>,
    /// The number of the group that was asked last.
    last: Cell<u16>,
}

#[derive(Debug)]
struct RecurringGroup {
    /// How a target begins that names a key of it; none where no target has its name as it stands.
    target: Option<Vec<u8>>,
    /// How the head of a hit begins.
    hit: HitHead,
}

impl Recurring {
    /// What recurs with another configuration, or from the first one on.
    pub(crate) fn renew(&mut self, config: &Config, date: &[u8; DATE_LEN]) {
        self.fields.get_mut().clear();
        let groups = config.ids().map(|group| {
            let content_type = config.numbered(group).content_type.as_bytes();
            let cache_status = CacheStatus::Hit.of_value().as_bytes();
            RecurringGroup {
                target: config.listed(group).and_then(|group| target(&config.base, &group.name)),
                hit: HitHead::new(content_type, cache_status, date),
            }
        });
        self.groups = groups.collect();
    }

    pub(crate) fn set_date(&mut self, date: &[u8; DATE_LEN]) {
        self.groups.iter_mut().for_each(|group| group.hit.set_date(date));
    }

    /// How the head of a hit begins whose connection goes on.
    pub(crate) fn hit(&self, GroupId(group): GroupId) -> Option<&HitHead> {
        self.groups.get(usize::from(group)).map(|group| &group.hit)
    }

    /// Takes note of a group that is asked: the next request is likely to ask the same one.
    pub(crate) fn note(&self, GroupId(group): GroupId) {
        self.last.set(group);
    }

    /// The group and the key of a target, where it names a key as it stands, in the group that was asked
    /// last.
    #[inline]
    pub(crate) fn route<'a>(&self, target: &'a [u8]) -> Option<(GroupId, &'a [u8])> {
        let group = self.last.get();
        let begin = self.groups.get(usize::from(group))?.target.as_deref()?;
        Some((GroupId(group), plain_key(target.strip_prefix(begin)?)?))
    }
}

/// How a target begins that names a group as it stands, if there is one.
fn target(base: &str, group: &str) -> Option<Vec<u8>> {
    let begin = format!("{base}{group}/");
    let target = format!("{begin}key");
    let route = Route::parse(base, target.as_bytes()).ok()?;
    (*route.group == *group.as_bytes() && *route.key == *b"key").then(|| begin.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the short way finds, and what the long one does.
    fn both(recurring: &Recurring, target: &str) -> [Option<(u16, Vec<u8>)>; 2] {
        let config = config();
        let long = Route::parse(&config.base, target.as_bytes())
            .ok()
            .and_then(|route| Some((config.group(&route.group)?.0, route.key.into_owned())));
        let short = recurring.route(target.as_bytes());
        [short.map(|(group, key)| (group.0, key.to_vec())), long]
    }

    fn config() -> Config {
        let groups = ["plain", "more", "a b", "a/b", "a%25", "plain%"]
            .map(|name| format!("[groups.\"{name}\"]\norigin = \"o\"\nbudget = \"1 MiB\"\n"));
        let origin = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n";
        Config::from_toml(&(origin.to_owned() + &groups.concat())).expect("it is valid")
    }

    #[test]
    fn the_short_way_leads_where_the_long_one_does() {
        let config = config();
        let mut recurring = Recurring::default();
        assert_eq!(recurring.route(b"/_gocache/plain/key"), None, "no configuration yet");
        recurring.renew(&config, b"Sun, 06 Nov 1994 08:49:37 GMT");
        let mut found = 0;
        for group in config.ids() {
            recurring.note(group);
            for name in
                ["plain", "more", "a b", "a%20b", "a/b", "a%2Fb", "a%25", "a%2525", "plain%"]
            {
                for key in ["key", "a/b", "%41", "k?q", "?", "", "k\u{1}", "k%", "..", "/"] {
                    let target = format!("/_gocache/{name}/{key}");
                    let [short, long] = both(&recurring, &target);
                    found += usize::from(short.is_some());
                    assert!(short.is_none() || short == long, "{target}: {short:?}, {long:?}");
                }
            }
        }
        assert_eq!(recurring.route(b"/_gocache/plain"), None);
        // Three of the names stand in a target as they are, and so do four of the keys.
        assert_eq!(found, 3 * 4);
    }
}
