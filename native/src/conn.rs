//! `Conn`: one client connection. Bytes go in, answers come out in the order of their requests;
//! sockets and timers are the server's.
//!
//! ```text
//!   Idle ──first bytes──► Head ──head whole──► Body ──body whole──► Idle
//!                          │ └──────────── no body ──────────────────┘
//!                          └──a write, and others before it──► Queued ──they are answered──► Head
//!   any of them ──error, `close`, end of input──► Closed ──all sent, our side shut──► Lingering
//! ```

pub(crate) mod incoming;
mod outgoing;
mod patience;
mod room;
mod together;

use std::mem;

use gocache_core::{Error, Found, Instant, Status};

use crate::{
    answer::{Answer, Form},
    http1::{Body, Head, Method, Persist, Request, is_head},
    output::Output,
    owed::{Due, Owed},
    phase::{Next, Phase},
    plane::{Plane, Reply},
    reserve::fallibly,
    turn::Turn,
};

/// Empty lines before a request-line that are passed over (RFC 9112, 2.2).
const MAX_EMPTY_LINES: u8 = 4;

#[derive(Debug)]
pub(crate) struct Conn {
    phase: Phase,
    /// What came and is not used up yet. Empty, and without a buffer, between requests.
    input: Vec<u8>,
    /// Answers that cannot be sent yet, for they or one before them wait for a load.
    owed: Owed,
    output: Output,
    /// When the present phase began.
    since: Instant,
    /// When output last moved, or began to wait.
    moved: Instant,
    /// There is input to take up as soon as there is less to do.
    paused: bool,
    /// There is no memory for one more answer before some that are there have gone.
    cramped: bool,
    /// The form of the answer to a request that is asked together with those of others. As long as
    /// there is one, no further request is taken up.
    together: Option<Form>,
    /// The client has sent its last byte.
    ended: bool,
    /// Empty lines since the last request.
    empty_lines: u8,
    /// Where its fields are looked for among those that are known.
    place: u8,
}

impl Conn {
    pub(crate) fn new(now: Instant, place: u8) -> Self {
        Self {
            phase: Phase::Idle,
            input: Vec::new(),
            owed: Owed::default(),
            output: Output::default(),
            since: now,
            moved: now,
            paused: false,
            cramped: false,
            together: None,
            ended: false,
            empty_lines: 0,
            place,
        }
    }

    /// A connection that is refused: it gets one answer and is closed.
    pub(crate) fn refused(answer: Answer, turn: &Turn<'_>) -> Self {
        let mut conn = Self::new(turn.clock.now(), 0);
        conn.close_with(answer, false, turn);
        conn
    }

    /// Takes bytes from the client, and answers what they complete. (The bytes may be changed.)
    // With two callers, plain and TLS, the compiler would not do it by itself.
    #[inline(always)]
    pub(crate) fn receive(&mut self, bytes: &mut [u8], plane: &mut impl Plane, turn: &Turn<'_>) {
        if self.input.is_empty() {
            let used = self.consume(bytes, plane, turn);
            if used < bytes.len() {
                self.keep(&bytes[used..], turn);
            }
            return;
        }
        let before = self.input.len();
        if self.keep(bytes, turn) && self.may_go_on(before, turn) {
            self.take_up(plane, turn);
        }
    }

    /// Keeps what cannot be used up yet, if there is memory for it.
    #[inline(never)]
    fn keep(&mut self, bytes: &[u8], turn: &Turn<'_>) -> bool {
        let has_room = fallibly(|| self.input.try_reserve(bytes.len()).is_ok());
        if has_room {
            self.input.extend_from_slice(bytes);
        } else {
            self.give_up(turn);
        }
        has_room
    }

    /// Goes on with answers and requests that were put off, if there is less to do now.
    pub(crate) fn resume(&mut self, plane: &mut impl Plane, turn: &Turn<'_>) {
        if self.can_send_on() {
            self.send_ready(turn);
        }
        if self.can_take_up(turn) {
            self.take_up(plane, turn);
        }
    }

    pub(crate) fn can_resume(&self, turn: &Turn<'_>) -> bool {
        self.can_send_on() || self.can_take_up(turn)
    }

    fn can_take_up(&self, turn: &Turn<'_>) -> bool {
        self.paused && !self.is_full(turn) && !self.is_queued()
    }

    fn take_up(&mut self, plane: &mut impl Plane, turn: &Turn<'_>) {
        let mut input = mem::take(&mut self.input);
        let used = self.consume(&mut input, plane, turn);
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
    }

    /// Takes the end of the client's input.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        if !matches!(self.phase, Phase::Lingering) {
            self.phase = Phase::Closed;
        }
    }

    /// Brings the outcome of a load to the answer that waits for it, if it still does.
    pub(crate) fn land(&mut self, serial: u32, result: Result<Found, Error>, turn: &Turn<'_>) {
        self.owed.settle(serial, result, turn.tally);
        self.send_ready(turn);
    }

    /// Brings the answer to a write.
    pub(crate) fn written(&mut self, serial: u32, answer: Answer, turn: &Turn<'_>) {
        self.owed.written(serial, answer);
        self.send_ready(turn);
    }

    /// The server shuts down: a connection that is owed nothing ends, the others after their
    /// answers.
    pub(crate) fn drain(&mut self) {
        if self.is_idle() {
            self.phase = Phase::Closed;
            self.ended = true;
        }
    }

    pub(crate) fn next(&self, turn: &Turn<'_>) -> Next {
        let all_sent = self.owed.is_empty() && self.output.is_empty();
        match self.phase {
            Phase::Closed if !all_sent => Next::Pause,
            Phase::Closed if self.ended => Next::Drop,
            Phase::Closed => Next::Shut,
            Phase::Lingering if self.ended => Next::Drop,
            Phase::Idle | Phase::Head | Phase::Body(_) if self.is_full(turn) => Next::Pause,
            Phase::Queued if self.is_queued() => Next::Pause,
            _ => Next::Read,
        }
    }

    /// Bytes that a head takes which is not whole yet.
    pub(crate) fn unread(&self) -> usize {
        match self.phase {
            Phase::Head => self.input.capacity(),
            _ => 0,
        }
    }

    /// Gives up a head that is not whole, for lack of memory.
    pub(crate) fn give_up(&mut self, turn: &Turn<'_>) {
        self.input = Vec::new();
        if let Some(form) = &mut self.together {
            // An answer is being made that comes first. It is the last one.
            form.persist = Persist::Close;
            self.phase = Phase::Closed;
            return;
        }
        let text = "too many requests are not whole yet, try again later";
        self.close_with(Answer::line(Status::ServiceUnavailable, text), false, turn);
    }

    /// Takes note that our side is shut.
    pub(crate) fn shut(&mut self, now: Instant) {
        self.phase = Phase::Lingering;
        self.input = Vec::new();
        self.since = now;
    }

    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle) && self.owed.is_empty() && !self.has_output()
    }

    /// Whether a write waits for the answers before it.
    fn is_queued(&self) -> bool {
        matches!(self.phase, Phase::Queued) && !self.owed.is_empty()
    }

    /// A head is parsed anew only when a line has ended or a limit is passed: else one that comes
    /// byte by byte would cost its square.
    fn may_go_on(&self, before: usize, turn: &Turn<'_>) -> bool {
        let limits = &turn.config.limits.head;
        let passes = |limit: usize| before <= limit && self.input.len() > limit;
        !matches!(self.phase, Phase::Idle | Phase::Head)
            || self.input[before..].contains(&b'\n')
            || passes(limits.line())
            || passes(limits.bytes)
    }

    /// Uses up as much of the input as there are whole requests, and says how much.
    fn consume<P: Plane>(&mut self, bytes: &mut [u8], plane: &mut P, turn: &Turn<'_>) -> usize {
        let mut used = 0;
        self.paused = false;
        while used < bytes.len() {
            if P::BATCHES && self.together.is_some() {
                break;
            }
            if self.is_full(turn) || !self.make_room() {
                self.paused = true;
                break;
            }
            let rest = &mut bytes[used..];
            let step = match self.phase {
                Phase::Idle | Phase::Head | Phase::Queued => self.head(rest, plane, turn),
                Phase::Body(_) => Some(self.body(rest, plane, turn)),
                Phase::Closed | Phase::Lingering => Some(rest.len()),
            };
            match step {
                Some(step) => used += step,
                None => break,
            }
        }
        used
    }

    /// Takes one head, if it is whole.
    fn head(&mut self, bytes: &mut [u8], plane: &mut impl Plane, turn: &Turn<'_>) -> Option<usize> {
        let limits = &turn.config.limits.head;
        let known = turn.recurring.known.borrow().request(self.place, bytes, limits);
        if let Some((request, used)) = known {
            self.ask(&request, plane, turn);
            if request.key.is_none() {
                turn.recurring.note(self.place, &request, &bytes[..used]);
            }
            return Some(used);
        }
        self.unknown_head(bytes, plane, turn)
    }

    /// The same for a head that has to be parsed, if it is one.
    fn unknown_head(
        &mut self,
        bytes: &mut [u8],
        plane: &mut impl Plane,
        turn: &Turn<'_>,
    ) -> Option<usize> {
        if bytes.starts_with(b"\r\n") {
            return Some(self.empty_line(bytes.len(), turn));
        }
        match Head::parse(bytes, &turn.config.limits.head) {
            Head::Partial => {
                // One deadline for the whole head: later bytes of it do not move `since`.
                if matches!(self.phase, Phase::Idle) {
                    self.phase = Phase::Head;
                    self.since = turn.clock.now();
                }
                None
            }
            Head::NewerMinor(at) => {
                bytes[at] = b'1';
                Some(0)
            }
            Head::Broken(reject) => {
                self.close_with(reject.into(), is_head(bytes), turn);
                Some(bytes.len())
            }
            Head::Complete(request, _) if request.method.is_write() && !self.owed.is_empty() => {
                self.phase = Phase::Queued;
                self.paused = true;
                None
            }
            Head::Complete(request, used) => {
                match request.body {
                    Body::Empty | Body::Length(0) => self.ask(&request, plane, turn),
                    _ => {
                        self.begin(turn);
                        self.begin_body(&bytes[..used], &request, plane, turn);
                    }
                }
                // Now that it is known which group was asked.
                turn.recurring.note(self.place, &request, &bytes[..used]);
                Some(used)
            }
        }
    }

    /// A request is whole that has no body.
    fn ask(&mut self, request: &Request<'_>, plane: &mut impl Plane, turn: &Turn<'_>) {
        self.begin(turn);
        let reply = plane.ask(request, turn);
        self.answer(request, reply, turn);
    }

    /// A head is whole.
    fn begin(&mut self, turn: &Turn<'_>) {
        self.phase = Phase::Idle;
        self.empty_lines = 0;
        self.since = turn.clock.now();
    }

    /// Passes over an empty line before a request, which begins no head. However the lines are cut,
    /// they are counted.
    fn empty_line(&mut self, available: usize, turn: &Turn<'_>) -> usize {
        self.phase = Phase::Idle;
        self.empty_lines += 1;
        if self.empty_lines <= MAX_EMPTY_LINES {
            return 2;
        }
        let text = "too many empty lines before the request line";
        self.close_with(Answer::line(Status::BadRequest, text), false, turn);
        available
    }

    #[inline(always)]
    fn answer(&mut self, request: &Request<'_>, reply: Reply, turn: &Turn<'_>) {
        let head_only = request.method == Method::Head;
        let persist = if turn.draining { Persist::Close } else { request.persist };
        if persist == Persist::Close {
            self.phase = Phase::Closed;
        }
        let form = Form { head_only, persist };
        self.reply(form, reply, turn);
    }

    #[inline(always)]
    fn reply(&mut self, form: Form, reply: Reply, turn: &Turn<'_>) {
        match reply {
            Reply::Now(answer) => self.give(form, answer, turn),
            Reply::Together => self.together = Some(form),
            Reply::Later(pending) => self.owed.push(form, Due::Waiting(pending)),
            Reply::Written(serial) => self.owed.push(form, Due::Writing(serial)),
        }
    }

    /// Answers something that is no request, after which nothing can be told apart any more.
    #[cold]
    fn close_with(&mut self, answer: Answer, head_only: bool, turn: &Turn<'_>) {
        self.phase = Phase::Closed;
        if !self.make_room() {
            return;
        }
        let form = Form { head_only, persist: Persist::Close };
        self.give(form, answer, turn);
    }
}
