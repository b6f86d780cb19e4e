//! A request whose body is coming, and what becomes of that body.

use std::mem;

use super::Conn;
use crate::{
    answer::{Answer, Form},
    http1::{
        Body, BodyError, Decoder, Head, HeadLimits, MAX_FIELDS, Method, Persist, Request, is_head,
    },
    memory::copied,
    phase::Phase,
    plane::{Intake, Plane, Reply},
    turn::Turn,
};

impl Conn {
    /// Takes up a request with a body, of which the head is there.
    pub(super) fn begin_body(
        &mut self,
        head: &[u8],
        request: &Request<'_>,
        plane: &mut impl Plane,
        turn: &Turn<'_>,
    ) {
        let intake = plane.intake(request, turn);
        match Incoming::new(head, request, intake, turn) {
            Ok(incoming) => {
                self.phase = Phase::Body(Box::new(incoming));
                if request.expects_continue {
                    self.give(Form::whole(Persist::Keep), Answer::Continue, turn);
                }
            }
            Err(answer) => self.close_with(answer, request.method == Method::Head, turn),
        }
    }

    /// Takes a part of a body, and answers the request when it is whole.
    pub(super) fn body(&mut self, bytes: &[u8], plane: &mut impl Plane, turn: &Turn<'_>) -> usize {
        let Phase::Body(incoming) = &mut self.phase else { return 0 };
        let used = match incoming.take(bytes) {
            Ok(used) => used,
            Err(answer) => {
                let head_only = is_head(&incoming.head);
                self.close_with(answer, head_only, turn);
                return bytes.len();
            }
        };
        let is_whole = incoming.is_whole();
        if is_whole && let Phase::Body(incoming) = mem::replace(&mut self.phase, Phase::Idle) {
            self.since = turn.clock.now();
            let Incoming { head, intake, .. } = *incoming;
            // It was whole and sound before its body came, whatever the limits are now.
            let limits = HeadLimits { bytes: head.len(), fields: MAX_FIELDS, target: head.len() };
            if let Head::Complete(request, _) = Head::parse(&head, &limits) {
                match intake {
                    Intake::Skip => self.ask(&request, plane, turn),
                    Intake::Keep(write) => {
                        let reply = plane.write(write, turn);
                        self.answer(&request, reply, turn);
                    }
                    Intake::Refuse(answer) => self.answer(&request, Reply::Now(answer), turn),
                }
            }
        }
        used
    }
}

/// A request that is answered when its body is whole.
#[derive(Debug)]
pub(crate) struct Incoming {
    head: Vec<u8>,
    intake: Intake,
    decoder: Decoder,
    limit: u64,
}

impl Incoming {
    /// A request with this head. The error is its answer, after which the connection ends: for a
    /// body that is too long, and for one that is not wanted and need not come.
    fn new(
        head: &[u8],
        request: &Request<'_>,
        intake: Intake,
        turn: &Turn<'_>,
    ) -> Result<Self, Answer> {
        let limit = match &intake {
            Intake::Keep(write) => write.limit(),
            Intake::Skip | Intake::Refuse(_) => turn.config.limits.body_bytes,
        };
        let is_too_long = matches!(request.body, Body::Length(length) if length > limit);
        match intake {
            // Who waits for a word may or may not send the body after this one (RFC 9110, 10.1.1).
            Intake::Refuse(answer) if is_too_long || request.expects_continue => Err(answer),
            _ if is_too_long => Err(Answer::body_error(BodyError::TooLarge, limit)),
            intake => {
                let decoder = Decoder::new(request.body, limit);
                let head = copied(head).map_err(|error| Answer::failed(error.into()))?;
                Ok(Self { head, intake, decoder, limit })
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.decoder.is_done()
    }

    /// Takes a part of the body, and says how many bytes it was. The error is the answer, after
    /// which the connection ends.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Answer> {
        let step = self.decoder.step(bytes);
        let step = step.map_err(|error| Answer::body_error(error, self.limit))?;
        if let Intake::Keep(write) = &mut self.intake {
            write.append(step.content)?;
        }
        Ok(step.used)
    }
}
