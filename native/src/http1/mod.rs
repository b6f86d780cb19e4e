//! HTTP/1.1 as RFC 9112 has it: bytes <-> heads and bodies. No sockets, no state of a connection.

mod body;
mod class;
mod fields;
mod known;
mod request;
mod response;
mod target;
mod write;
mod writes;

pub(crate) use gocache_core::http::{Extent, Wanted};

pub(crate) use body::{Body, BodyError, Decoder};
pub(crate) use fields::PEER_FIELD;
pub(crate) use known::KnownFields;
#[cfg(test)]
pub(crate) use request::PARSES;
pub(crate) use request::{Head, HeadLimits, MAX_FIELDS, Method, Reject, Request, is_head};
pub(crate) use response::{Response, ResponseHead};
pub(crate) use write::{AnswerHead, CONTINUE, HitHead, Persist};
pub(crate) use writes::{Credentials, WriteFields};
