//! What recurs from one request to the next, and is kept ready in each loop.

use std::cell::{Cell, RefCell};

use gocache_core::{GroupId, Route, http::CacheStatus};

use crate::{
    clock::DATE_LEN,
    config::Config,
    http1::{HitHead, KnownFields, Request},
};

#[derive(Debug, Default)]
pub(crate) struct Recurring {
    /// How requests begin, and their fields.
    pub(crate) known: RefCell<KnownFields>,
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
        self.known.get_mut().clear();
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

    /// Takes note of the group that a request is for.
    pub(crate) fn asked(&self, GroupId(group): GroupId) {
        self.last.set(group);
    }

    /// Takes note of a request that was read from this head, and asked.
    pub(crate) fn note(&self, place: u8, request: &Request<'_>, head: &[u8]) {
        let last = self.last.get();
        let begin = self.groups.get(usize::from(last)).and_then(|group| group.target.as_deref());
        let begin = begin.filter(|begin| request.target.starts_with(begin));
        let group = begin.map(|begin| (GroupId(last), begin.len()));
        self.known.borrow_mut().note(place, request, group, head);
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
    use crate::http1::{Head, HeadLimits};

    const LIMITS: HeadLimits = HeadLimits { bytes: 200, fields: 3, target: 100 };

    /// The group and the key that are known of a target when another one has been asked for, and those
    /// that it names.
    fn both(recurring: &Recurring, first: &str, target: &str) -> [Option<(u16, Vec<u8>)>; 2] {
        let config = config();
        let read = |target: &str| {
            let route = Route::parse(&config.base, target.as_bytes()).ok()?;
            Some((config.group(&route.group)?, route.key.into_owned()))
        };
        let head = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let bytes = head(first);
        let Head::Complete(request, used) = Head::parse(bytes.as_bytes(), &LIMITS) else {
            panic!("{first} is a target");
        };
        read(first).into_iter().for_each(|(group, _)| recurring.asked(group));
        recurring.note(0, &request, &bytes.as_bytes()[..used]);
        let bytes = head(target);
        let known = recurring.known.borrow().request(0, bytes.as_bytes(), &LIMITS);
        let key = known.and_then(|(request, _)| request.key);
        [
            key.map(|(group, key)| (group.0, key.to_vec())),
            read(target).map(|(group, key)| (group.0, key)),
        ]
    }

    fn config() -> Config {
        let groups = ["plain", "more", "a b", "a/b", "a%25", "plain%"]
            .map(|name| format!("[groups.\"{name}\"]\norigin = \"o\"\nbudget = \"1 MiB\"\n"));
        let origin = "[origins.o]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n";
        Config::from_toml(&(origin.to_owned() + &groups.concat())).expect("it is valid")
    }

    #[test]
    fn a_key_that_is_known_is_the_one_that_is_named() {
        let config = config();
        let mut recurring = Recurring::default();
        let target = "/_gocache/plain/key";
        assert_eq!(both(&recurring, target, target)[0], None, "no configuration yet");
        recurring.renew(&config, b"Sun, 06 Nov 1994 08:49:37 GMT");
        let names = ["plain", "more", "a%20b", "a%2Fb", "a%25", "a%2525", "plain%25", "none"];
        let keys = ["key", "a/b", "%41", "k?q", "k?q/r", "?", "", "k%", "..", "/", "%41/b", "a/"];
        let targets =
            || names.iter().flat_map(|name| keys.map(|key| format!("/_gocache/{name}/{key}")));
        let mut found = 0;
        for first in targets().chain(["/".to_owned(), "/_gocache/plain".to_owned()]) {
            for target in targets() {
                let [short, long] = both(&recurring, &first, &target);
                found += usize::from(short.is_some());
                assert!(short.is_none() || short == long, "{first}, {target}: {short:?}, {long:?}");
            }
        }
        // Two of the groups stand in a target as they are, and so do five of the keys, whatever came first.
        assert_eq!(found, 2 * keys.len() * 5);
        let known = |first: &str, target: &str| both(&recurring, first, target)[0].is_some();
        for key in ["key", "a/b", "..", "/"] {
            assert!(known("/_gocache/plain/%41", &format!("/_gocache/plain/{key}")), "{key}");
        }
        assert!(known("/_gocache/plain/a/b", "/_gocache/plain/c"));
        assert!(known("/_gocache/plain/a?b/c", "/_gocache/plain/a"));
        assert!(!known("/_gocache/more/a", "/_gocache/plain/a"));
        assert!(!known("/_gocache/plain/a", "/_gocache/plain/a?b"), "a query");
    }
}
