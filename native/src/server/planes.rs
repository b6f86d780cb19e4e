//! The planes of a server, as the connections of a loop meet them.

use super::{clients::Client, event_loop::PlaneKind, shared::Shared};
use crate::{
    data::DataPlane,
    engine::Engine,
    http1::Request,
    ops::OpsPlane,
    plane::{Intake, Plane, Reply},
    turn::Errands,
    turn::Turn,
    writes,
};

/// Both planes as one type, so that the code that moves bytes is there once.
pub(super) enum AnyPlane<'a, E> {
    Data(DataPlane<'a, E>),
    Ops(OpsPlane<'a>),
}

impl<E> AnyPlane<'_, E> {
    /// Takes note whether the client has the certificate of a node.
    pub(super) fn vouch(&mut self, is_node: bool) {
        if let Self::Data(plane) = self {
            plane.is_node = is_node;
        }
    }
}

impl<E: Engine> Plane for AnyPlane<'_, E> {
    const BATCHES: bool = E::BATCHES;

    #[inline]
    fn ask(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Reply {
        match self {
            Self::Data(plane) => plane.ask(request, turn),
            Self::Ops(plane) => plane.ask(request, turn),
        }
    }

    fn intake(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> Intake {
        match self {
            Self::Data(plane) => plane.intake(request, turn),
            Self::Ops(plane) => plane.intake(request, turn),
        }
    }

    fn write(&mut self, write: writes::Write, turn: &Turn<'_>) -> Reply {
        match self {
            Self::Data(plane) => plane.write(write, turn),
            Self::Ops(plane) => plane.write(write, turn),
        }
    }
}

impl Client {
    /// The plane that this client of a loop asks in this turn.
    #[inline]
    pub(super) fn plane<'a, E: Engine>(
        &mut self,
        kind: PlaneKind,
        shared: &'a Shared<E>,
        errands: &'a mut Errands,
        slot: usize,
    ) -> AnyPlane<'a, E> {
        errands.next.slot = slot;
        match kind {
            PlaneKind::Data => AnyPlane::Data(DataPlane {
                engine: &*shared.engine,
                has_room: errands.make_room(shared.config.limits.pipeline),
                errands,
                permits: &shared.permits,
                is_node: self.is_node(&shared.config),
            }),
            PlaneKind::Ops => AnyPlane::Ops(OpsPlane { of: shared }),
        }
    }
}
