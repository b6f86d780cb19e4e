//! `Site`: what the settings come to. It says whom to ask what, and what their answers mean; asking
//! is the business of the version of `wasi:http`.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use gocache_core::{
    Fetch, Group, GroupId, Load, LoadError, Node, Ring, Route, Seed, Status, Value, encode,
    http::number, is_dot_segment,
};

use super::{
    answer::{Answer, Content},
    question::{Fields, Question},
    settings::{Settings, Target},
};

/// A node, or the nodes that are asked in its place.
pub(crate) struct Site {
    pub(crate) base: String,
    pub(crate) node: Node,
    groups: Vec<Served>,
    nodes: Option<(Ring, Vec<String>)>,
    nodes_tls: bool,
    pub(crate) load: Duration,
    pub(crate) value_bytes: usize,
}

/// What a frontend has to know of a group.
struct Served {
    content_type: String,
    origin: Target,
}

/// A GET to be sent.
pub(crate) struct Call {
    pub(crate) is_https: bool,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) fields: Vec<(&'static str, Vec<u8>)>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) content: Vec<u8>,
}

/// Why nothing of use came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Failed,
    TimedOut,
    OutOfMemory,
}

impl Site {
    /// The site of these variables, or what is wrong with them.
    pub(crate) fn new(variables: &[(String, String)], seed: u64) -> Result<Self, String> {
        let Settings { base, groups, peers, peers_tls, value_bytes, load } =
            Settings::read(variables).map_err(|wrong| wrong.to_string())?;
        let mut node = Node::new();
        let mut served = Vec::new();
        for group in groups {
            let made = Group::new(group.name.as_bytes(), group.settings, Seed::new(seed));
            let made = made.map_err(|error| error.to_string())?;
            node.add(made).map_err(|error| error.to_string())?;
            served.push(Served { content_type: group.content_type, origin: group.origin });
        }
        let nodes = (!peers.is_empty()).then(|| {
            let names: Vec<&str> = peers.iter().map(|name| &**name).collect();
            Ring::new(&names).map_err(|error| error.to_string())
        });
        let nodes = nodes.transpose()?.map(|ring| (ring, peers));
        let (groups, nodes_tls) = (served, peers_tls);
        Ok(Self { base, node, groups, nodes, nodes_tls, load, value_bytes })
    }

    pub(crate) fn content_type(&self, group: GroupId) -> &str {
        self.groups.get(usize::from(group.0)).map_or("", |group| &group.content_type)
    }

    /// What asks the origin for a key; `None` for one that a URL cannot carry.
    pub(crate) fn origin(&self, fetch: &Fetch) -> Option<Call> {
        let origin = &self.groups.get(usize::from(fetch.group().0))?.origin;
        if is_dot_segment(fetch.key()) {
            return None;
        }
        let mut path = origin.path.clone();
        path.extend(encode(fetch.key()));
        Some(Call {
            is_https: origin.is_https,
            authority: origin.authority.clone(),
            path,
            fields: [
                ("user-agent", b"gocache".to_vec()),
                ("accept-encoding", b"identity".to_vec()),
            ]
            .into(),
        })
    }

    /// The nodes to ask in place of an origin, the owner of the key first; `None` where this is the
    /// cache itself.
    pub(crate) fn nodes(&self, key: &[u8]) -> Option<impl ExactSizeIterator<Item = &str>> {
        let (ring, names) = self.nodes.as_ref()?;
        let owner = usize::from(ring.owner(key).0);
        Some((0..names.len()).map(move |step| &*names[(owner + step) % names.len()]))
    }

    /// What asks a node for what was asked here.
    pub(crate) fn to_node(&self, node: &str, question: &Question, fields: &Fields) -> Call {
        let lines = [
            ("if-none-match", &fields.if_none_match),
            ("range", &fields.range),
            ("if-range", &fields.if_range),
        ];
        let lines = lines
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
        Call {
            is_https: self.nodes_tls,
            authority: node.to_owned(),
            path: Route::target(&self.base, &question.group, &question.key).collect(),
            fields: lines.collect(),
        }
    }
}

impl Reply {
    /// Takes a piece of the content.
    pub(crate) fn take(&mut self, piece: &[u8], most: usize) -> Result<(), Failure> {
        if piece.len() > most.saturating_sub(self.content.len()) {
            return Err(Failure::Failed);
        }
        self.content.try_reserve(piece.len()).map_err(|_| Failure::OutOfMemory)?;
        self.content.extend_from_slice(piece);
        Ok(())
    }

    /// The reply, if all of its content came: not all hosts say so where it broke off.
    pub(crate) fn whole(self) -> Result<Self, Failure> {
        let is_length = |name: &str| name.eq_ignore_ascii_case("content-length");
        let length = self.fields.iter().find(|(name, _)| is_length(name));
        let length = length.filter(|_| self.status != 304);
        match length.map(|(_, value)| number(value)) {
            Some(length) if length != Some(self.content.len() as u64) => Err(Failure::Failed),
            _ => Ok(self),
        }
    }
}

/// What the origin's reply comes to.
pub(crate) fn loaded(reply: Result<Reply, Failure>) -> Result<Load, LoadError> {
    let reply = reply.map_err(|failure| match failure {
        Failure::Failed => LoadError::Failed,
        Failure::TimedOut => LoadError::TimedOut,
        Failure::OutOfMemory => LoadError::OutOfMemory,
    })?;
    let is_encoded = reply.fields.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-encoding") && !value.eq_ignore_ascii_case(b"identity")
    });
    match reply.status {
        200 if !is_encoded => Ok(Value::new(&reply.content)?.into()),
        404 => Err(LoadError::NotFound),
        _ => Err(LoadError::Failed),
    }
}

/// What the answer of a node is here, or what it is that none of them answered.
pub(crate) fn passed_on(reply: Result<Reply, Failure>) -> Answer {
    let Reply { status, mut fields, content } = match reply {
        Ok(reply) => reply,
        Err(Failure::Failed) => {
            return Answer::line(Status::BadGateway, "no node of the cluster can be reached");
        }
        Err(Failure::TimedOut) => {
            return Answer::line(Status::GatewayTimeout, "no node of the cluster answered in time");
        }
        Err(Failure::OutOfMemory) => {
            return Answer::line(Status::ServiceUnavailable, "out of memory, try again later");
        }
    };
    // They are about the connection to the node (RFC 9110, 7.6.1).
    let is_of_hop =
        |name: &str| ["connection", "keep-alive"].iter().any(|it| name.eq_ignore_ascii_case(it));
    fields.retain(|(name, _)| !is_of_hop(name));
    Answer { status, fields, content: Content::Bytes(content) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn reply(status: u16, fields: &[(&str, &str)], content: &[u8]) -> Reply {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.as_bytes().to_vec());
        Reply { status, fields: fields.iter().map(owned).collect(), content: content.to_vec() }
    }

    #[test]
    fn only_200_and_404_are_answers_of_an_origin() {
        let load = loaded(Ok(reply(200, &[], b"630"))).expect("a value");
        assert_eq!((&*load.value, load.age), (&b"630"[..], Duration::ZERO));
        assert_eq!(loaded(Ok(reply(404, &[], b""))).err(), Some(LoadError::NotFound));
        for status in [201, 204, 206, 301, 304, 403, 500, 503] {
            assert_eq!(loaded(Ok(reply(status, &[], b""))).err(), Some(LoadError::Failed));
        }
        let encoded = reply(200, &[("Content-Encoding", "gzip")], b"630");
        assert_eq!(loaded(Ok(encoded)).err(), Some(LoadError::Failed));
        assert!(loaded(Ok(reply(200, &[("content-encoding", "identity")], b"630"))).is_ok());
        assert_eq!(loaded(Err(Failure::TimedOut)).err(), Some(LoadError::TimedOut));
    }

    #[test]
    fn a_reply_is_whole_or_none() {
        let with = |length: &str, content: &[u8]| {
            reply(200, &[("Content-Length", length)], content).whole().is_ok()
        };
        assert!(with("3", b"630") && reply(200, &[], b"630").whole().is_ok());
        assert!(!with("4", b"630") && !with("x", b"630") && !with("", b""));
        assert!(reply(304, &[("Content-Length", "9")], b"").whole().is_ok());
    }

    #[test]
    fn a_reply_ends_at_a_limit() {
        let mut reply = reply(200, &[], b"");
        assert_eq!(reply.take(b"63", 3), Ok(()));
        assert_eq!(reply.take(b"00", 3), Err(Failure::Failed));
        assert_eq!(reply.take(b"0", 3), Ok(()));
        assert_eq!(reply.content, b"630");
    }

    #[test]
    fn the_owner_is_asked_first_and_then_the_others() {
        let variables = [("GOCACHE_CLUSTER_PEERS".to_owned(), "a:1,b:1,c:1".to_owned())];
        let site = Site::new(&variables, 1).expect("they are sound");
        let ring = Ring::new(&["a:1", "b:1", "c:1"]).expect("three nodes");
        for key in ["Tom", "Jack", "Sam", "Ann", "Bob"] {
            let nodes: Vec<&str> = site.nodes(key.as_bytes()).expect("a cluster").collect();
            let owner = usize::from(ring.owner(key.as_bytes()).0);
            assert_eq!(nodes[0], ["a:1", "b:1", "c:1"][owner]);
            let mut all = nodes.clone();
            all.sort_unstable();
            assert_eq!(all, vec!["a:1", "b:1", "c:1"]);
        }
    }
}
