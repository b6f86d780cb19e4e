//! HTTP/1.1 as RFC 9112 has it: bytes <-> heads and bodies. No sockets, no state of a connection.

mod body;
mod request;
mod response;
mod write;

pub(crate) use body::{Body, BodyError, Decoder};
pub(crate) use request::{Head, HeadLimits, MAX_FIELDS, Method, PEER_FIELD, Reject, Request, list};
pub(crate) use response::{Response, ResponseHead};
pub(crate) use write::{AnswerHead, CONTINUE, Persist, etag};
