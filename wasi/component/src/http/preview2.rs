//! `wasi:http` 0.2: a call that returns when the answer is out. An instance is asked for one thing
//! at a time, so nobody ever waits for the load of another.

use alloc::vec::Vec;

use gocache_core::{
    Asker, Error, Get, GroupId, Instant, Landing, LoadError, Waiter, http::CacheStatus,
};
use spin::Once;
use wasip2::{
    cli::environment::get_environment,
    clocks::monotonic_clock,
    exports::http::incoming_handler::Guest,
    http::{
        outgoing_handler,
        types::{
            Fields as Headers, IncomingBody, IncomingRequest, IncomingResponse, Method as Verb,
            OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
        },
    },
    io::{
        poll::{Pollable, poll},
        streams::StreamError,
    },
    random::random::get_random_u64,
};

use super::{
    answer::Answer,
    question::{Fields, Method, Question},
    site::{Call, Failure, Reply, Site, loaded, passed_on},
};

/// Bytes that are read at a time.
const PIECE: u64 = 64 << 10;

/// A client that takes nothing for so long is left.
const WRITE_DEADLINE: u64 = 10_000_000_000;

struct Handler;

wasip2::http::proxy::export!(Handler);

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let method = match request.method() {
            Verb::Get => Method::Get,
            Verb::Head => Method::Head,
            Verb::Other(_) => Method::Unknown,
            _ => Method::Known,
        };
        let answer = match site() {
            Ok(site) => answer(site, method, &request),
            Err(wrong) => wrong,
        };
        drop(request);
        respond(out, &answer);
    }
}

/// The site of this instance, made when it is first asked.
fn site() -> Result<&'static Site, Answer> {
    static SITE: Once<Result<Site, alloc::string::String>> = Once::new();
    let site = SITE.call_once(|| Site::new(&get_environment(), get_random_u64()));
    site.as_ref().map_err(|wrong| Answer::misconfigured(wrong))
}

fn answer(site: &Site, method: Method, request: &IncomingRequest) -> Answer {
    let headers = request.headers();
    let fields = Fields {
        if_none_match: headers.get("if-none-match"),
        range: headers.get("range"),
        if_range: headers.get("if-range"),
    };
    let target = request.path_with_query().unwrap_or_default();
    let question = match Question::read(&site.base, method, &target, &fields) {
        Ok(question) => question,
        Err(answer) => return answer,
    };
    if let Some(nodes) = site.nodes(&question.key) {
        return passed_on(ask_nodes(site, nodes, &question, &fields));
    }
    match site.node.group_named(&question.group) {
        Some(group) => get(site, group, &question),
        None => question.no_such_group(),
    }
}

fn get(site: &Site, group: GroupId, question: &Question) -> Answer {
    let got = site.node.get(group, &question.key, Asker::Client, Waiter(0), now());
    let (result, cache) = match got {
        Ok(Get::Hit(found)) => (Ok(found), CacheStatus::Hit),
        // Left behind by a call that did not come to its end: it ends by its deadline.
        Ok(Get::Wait) => (Err(Error::Busy), CacheStatus::Collapsed),
        Ok(Get::Fetch(fetch)) => {
            let outcome = match site.origin(&fetch) {
                Some(call) => loaded(send(&call, after(site.load.as_nanos()), site.value_bytes)),
                None => Err(LoadError::NotFound),
            };
            let result = match site.node.land(fetch, outcome, now()) {
                Landing::Done(done) => done.result,
                // Only of a load from a peer, which this node has none of.
                Landing::Refetch(_) => Err(Error::Failed),
            };
            (result, CacheStatus::Miss)
        }
        Err(error) => (Err(error), CacheStatus::Miss),
    };
    Answer::outcome(result, cache, question, site.content_type(group))
}

/// Asks one node after the other, until one answers. Each has half of the time that is left.
fn ask_nodes<'a>(
    site: &Site,
    nodes: impl Iterator<Item = &'a str>,
    question: &Question,
    fields: &Fields,
) -> Result<Reply, Failure> {
    let end = after(site.load.as_nanos());
    let mut reply = Err(Failure::Failed);
    for node in nodes {
        let call = site.to_node(node, question, fields);
        let left = end.saturating_sub(monotonic_clock::now());
        reply = send(&call, after(u128::from(left / 2)), site.value_bytes);
        if reply.is_ok() {
            break;
        }
    }
    reply
}

/// Sends a request, and waits for all of its response.
fn send(call: &Call, end: u64, most: usize) -> Result<Reply, Failure> {
    let failed = |_| Failure::Failed;
    let headers = Headers::new();
    for (name, value) in &call.fields {
        headers.append(name, value).map_err(|_| Failure::Failed)?;
    }
    let request = OutgoingRequest::new(headers);
    let scheme = if call.is_https { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(failed)?;
    request.set_authority(Some(&call.authority)).map_err(failed)?;
    request.set_path_with_query(Some(&call.path)).map_err(failed)?;
    let coming = outgoing_handler::handle(request, None).map_err(|_| Failure::Failed)?;
    wait(&coming.subscribe(), end)?;
    match coming.get() {
        Some(Ok(Ok(response))) => receive(&response, end, most),
        _ => Err(Failure::Failed),
    }
}

fn receive(response: &IncomingResponse, end: u64, most: usize) -> Result<Reply, Failure> {
    let fields = response.headers().entries();
    let mut reply = Reply { status: response.status(), fields, content: Vec::new() };
    let body = response.consume().map_err(|()| Failure::Failed)?;
    let stream = body.stream().map_err(|()| Failure::Failed)?;
    loop {
        match stream.read(PIECE) {
            Ok(piece) if piece.is_empty() => wait(&stream.subscribe(), end)?,
            Ok(piece) => reply.take(&piece, most)?,
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Failure::Failed),
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    reply.whole()
}

/// Sends the answer. A client that goes away meanwhile is nobody's fault, and nobody can be told.
fn respond(out: ResponseOutparam, answer: &Answer) {
    let headers = Headers::new();
    for (name, value) in &answer.fields {
        // All of them are fields that a response may have.
        let _ = headers.append(name, value);
    }
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(answer.status);
    let body = response.body();
    ResponseOutparam::set(out, Ok(response));
    let Ok(body) = body else { return };
    // To finish a body that is not whole is an error, and the client sees that it is not.
    let _ = write(&body, answer.content.bytes());
    drop(OutgoingBody::finish(body, None));
}

fn write(body: &OutgoingBody, mut rest: &[u8]) -> Option<()> {
    let stream = body.write().ok()?;
    while !rest.is_empty() {
        wait(&stream.subscribe(), after(WRITE_DEADLINE.into())).ok()?;
        let room = usize::try_from(stream.check_write().ok()?).unwrap_or(usize::MAX);
        let (piece, later) = rest.split_at(rest.len().min(room));
        stream.write(piece).ok()?;
        rest = later;
    }
    stream.flush().ok()?;
    wait(&stream.subscribe(), after(WRITE_DEADLINE.into())).ok()
}

fn wait(ready: &Pollable, end: u64) -> Result<(), Failure> {
    let timer = monotonic_clock::subscribe_instant(end);
    if poll(&[ready, &timer]).contains(&0) { Ok(()) } else { Err(Failure::TimedOut) }
}

fn now() -> Instant {
    Instant::from_millis(monotonic_clock::now() / 1_000_000)
}

/// The time in so many nanoseconds.
fn after(nanos: u128) -> u64 {
    monotonic_clock::now().saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
}
