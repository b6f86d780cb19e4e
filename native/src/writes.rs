//! A write, PUT or DELETE of a key: who may, what has to hold for it, and what it does on this node.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use gocache_core::{Asker, Error, GroupId, Instant, Status};

use crate::{
    answer::Answer,
    engine::Engine,
    http1::{Body, BodyError, Credentials, Method, Request, WriteFields},
    memory::copied,
    reserve::fallibly,
    turn::Turn,
};

/// A write that is granted.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) group: GroupId,
    pub(crate) key: Box<[u8]>,
    /// What is put; `None`: the value is removed.
    pub(crate) content: Option<Vec<u8>>,
    /// What another node passes on goes no further.
    pub(crate) asker: Asker,
    limit: usize,
    _permit: Option<Permit>,
}

impl Write {
    /// Grants a write of this key, or says why not. Of a PUT the content is still to come.
    pub(crate) fn grant(
        request: &Request<'_>,
        (group, key): (GroupId, &[u8]),
        asker: Asker,
        permits: &Permits,
        turn: &Turn<'_>,
    ) -> Result<Self, Answer> {
        let unread = WriteFields::default();
        let fields = request.write_fields().unwrap_or(&unread);
        if asker == Asker::Client {
            authorize(&fields.credentials, turn)?;
        }
        let limits = &turn.config.limits;
        if key.len() > limits.key_bytes {
            let error = Error::KeyTooLong { limit: limits.key_bytes };
            return Err(Answer::line(error.into(), error.to_string()));
        }
        // What is beyond any of these could not be stored, or not be had from another node.
        let budget = turn.config.numbered(group).budget;
        let body_bytes = usize::try_from(limits.body_bytes).unwrap_or(usize::MAX);
        let limit = body_bytes.min(limits.value_bytes).min(budget);
        if request.method == Method::Put {
            check_content(request.body, fields, limit)?;
        }
        if fields.is_conditional {
            let text = "the condition is not looked at, for another node may hold the value; \
                        nothing was written";
            return Err(Answer::line(Status::PreconditionFailed, text));
        }
        // What other nodes pass on is within their own limits: would it count here too, two nodes
        // could keep each other from ending what they have begun.
        let permit = match asker {
            Asker::Peer => None,
            Asker::Client => Some(permits.take(limits.writes).ok_or_else(|| {
                let text = "too many writes at once, try again later";
                Answer::line(Status::ServiceUnavailable, text)
            })?),
        };
        let content = (request.method == Method::Put).then(Vec::new);
        let key = copied(key).map_err(|error| Answer::failed(error.into()))?.into();
        Ok(Self { group, key, content, asker, limit, _permit: permit })
    }

    /// Bytes of content at the most.
    pub(crate) fn limit(&self) -> u64 {
        self.limit as u64
    }

    /// Takes a part of the content, which as a whole is within the limit.
    pub(crate) fn append(&mut self, part: &[u8]) -> Result<(), Answer> {
        let Some(content) = &mut self.content else { return Ok(()) };
        let needed = content.len() + part.len();
        if needed > content.capacity() {
            // It grows by doubling, and not beyond what it may hold.
            let capacity = needed.max(2 * content.capacity()).min(self.limit.max(needed));
            let reserved = fallibly(|| content.try_reserve_exact(capacity - content.len()));
            reserved.map_err(|_| Answer::failed(Error::OutOfMemory))?;
        }
        content.extend_from_slice(part);
        Ok(())
    }

    /// Does it on this node.
    pub(crate) fn apply(&self, engine: &impl Engine, now: Instant) -> Result<(), Error> {
        match &self.content {
            Some(content) => engine.put(self.group, &self.key, content, now),
            None => {
                engine.remove(self.group, &self.key, now);
                Ok(())
            }
        }
    }
}

/// The answer to a write that this node alone has done, or failed to do.
pub(crate) fn answer(result: Result<(), Error>) -> Answer {
    result.map_or_else(Answer::failed, |()| Answer::Done)
}

/// 401 for whoever shows no token, 403 for a wrong one.
fn authorize(credentials: &Credentials<'_>, turn: &Turn<'_>) -> Result<(), Answer> {
    match (credentials, &turn.config.writes) {
        (Credentials::Bearer(shown), Some(writes)) if writes.token.is(shown) => Ok(()),
        (Credentials::Bearer(_), _) => Err(Answer::line(Status::Forbidden, "the token is wrong")),
        (Credentials::None, _) => {
            Err(Answer::line(Status::Unauthorized, "a write needs the bearer token"))
        }
        (Credentials::Ambiguous, _) => {
            let text = "the Authorization field stands there more than once";
            Err(Answer::line(Status::BadRequest, text))
        }
    }
}

/// Whether a PUT with such a body can be one of a whole value.
fn check_content(body: Body, fields: &WriteFields<'_>, limit: usize) -> Result<(), Answer> {
    if fields.is_partial {
        // RFC 9110, 14.5: taken for the whole it would destroy the value.
        let text = "a PUT puts the whole value: Content-Range cannot be met";
        return Err(Answer::line(Status::BadRequest, text));
    }
    if fields.is_encoded {
        let text = "a value is stored as it is: Content-Encoding is not known here";
        return Err(Answer::line(Status::UnsupportedMediaType, text));
    }
    match body {
        // No length at all is more likely a slip than the wish to put nothing.
        Body::Empty => {
            let text = "a PUT needs Content-Length (0 for an empty value) or chunked coding";
            Err(Answer::line(Status::LengthRequired, text))
        }
        Body::Length(length) if length > limit as u64 => {
            Err(Answer::body_error(BodyError::TooLarge, limit as u64))
        }
        Body::Length(_) | Body::Chunked | Body::UntilClose => Ok(()),
    }
}

/// How many writes of clients are under way on this node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Permits(Arc<AtomicUsize>);

/// One of them, as long as this value lives.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permits {
    fn take(&self, most: usize) -> Option<Permit> {
        let one_more = |writes: usize| (writes < most).then_some(writes + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Permit(Arc::clone(&self.0)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
