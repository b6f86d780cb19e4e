//! Where a connection is (the drawing is in `conn`), and what that asks of the server.

use crate::http1::Decoder;

/// Where a connection is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Between requests.
    Idle,
    /// Inside a head.
    Head,
    /// Inside a body, which is read past; the request is answered when it is whole.
    Body { head: Vec<u8>, decoder: Decoder },
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
