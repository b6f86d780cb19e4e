//! The seam between a connection and what answers its requests.

use crate::{
    answer::{Answer, Pending, Turn},
    http1::Request,
};

/// What answers requests: the data plane or the operations plane.
pub(crate) trait Plane {
    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply;
}

/// The answer to a request, or the promise of one.
pub(crate) enum Reply {
    Now(Answer),
    Later(Pending),
}
