//! Where a connection is (the drawing is in `conn`), and what that asks of the server.

use crate::conn::incoming::Incoming;

/// Where a connection is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Between requests.
    Idle,
    /// Inside a head.
    Head,
    /// Before a write that came behind requests yet to be answered: it is taken up after them.
    Queued,
    /// Inside a body; the request is answered when it is whole.
    Body(Box<Incoming>),
    /// No more requests are taken.
    Closed,
    /// Everything is sent and our side shut; what still comes is dropped.
    Lingering,
}

/// What the server is to do with the connection next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Read on when there is something.
    Read,
    /// Do not read: there is enough to do.
    Pause,
    /// Shut our side, then go on reading until the client has ended its own.
    Shut,
    /// Close at once.
    Drop,
}
