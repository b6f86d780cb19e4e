//! The seam between a connection and what answers its requests.

use crate::{
    answer::{Answer, Pending},
    http1::Request,
    turn::Turn,
    writes::Write,
};

/// What answers requests: the data plane or the operations plane.
pub(crate) trait Plane {
    /// Whether its replies may be [`Reply::Together`].
    const BATCHES: bool = false;

    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply;

    /// What becomes of the body of a request, of which the head is there.
    fn intake(&mut self, _: &Request<'_>, _: &Turn<'_>) -> Intake {
        Intake::Skip
    }

    /// Does a write. A plane that keeps no body has none.
    fn write(&mut self, _: Write, _: &Turn<'_>) -> Reply {
        Reply::Now(Answer::not_allowed(false))
    }
}

/// The answer to a request, or the promise of one.
pub(crate) enum Reply {
    Now(Answer),
    /// When all requests have been asked that are asked together with it.
    Together,
    /// When a load has landed.
    Later(Pending),
    /// When the write of this number is done.
    Written(u32),
}

/// What becomes of a body.
#[derive(Debug)]
pub(crate) enum Intake {
    /// It is read past, and the request asked when it has come.
    Skip,
    /// It is what the write puts.
    Keep(Write),
    /// It is read past, and this is the answer.
    Refuse(Answer),
}
