//! What recurs from one request to the next, and is kept ready in each loop.

use std::cell::RefCell;

use gocache_core::{GroupId, http::CacheStatus};

use crate::{
    clock::DATE_LEN,
    config::Config,
    http1::{HitHead, KnownFields},
};

#[derive(Debug, Default)]
pub(crate) struct Recurring {
    /// The fields of requests.
    pub(crate) fields: RefCell<KnownFields>,
    /// How the heads of hits begin, by the number of the group.
    hits: Vec<HitHead>,
}

impl Recurring {
    /// What recurs with another configuration, or from the first one on.
    pub(crate) fn renew(&mut self, config: &Config, date: &[u8; DATE_LEN]) {
        self.fields.get_mut().clear();
        let head = |group| {
            let content_type = config.numbered(group).content_type.as_bytes();
            HitHead::new(content_type, CacheStatus::Hit.of_value().as_bytes(), date)
        };
        self.hits = config.ids().map(head).collect();
    }

    pub(crate) fn set_date(&mut self, date: &[u8; DATE_LEN]) {
        self.hits.iter_mut().for_each(|head| head.set_date(date));
    }

    /// How the head of a hit begins whose connection goes on.
    pub(crate) fn hit(&self, group: GroupId) -> Option<&HitHead> {
        self.hits.get(usize::from(group.0))
    }
}
