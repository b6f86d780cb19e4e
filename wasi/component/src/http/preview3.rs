//! `wasi:http` 0.3: a call that may wait while others run in the same instance. Misses overlap, hits
//! go past them, and who asks for what is being loaded waits for that load.

use alloc::{string::String, vec::Vec};
use core::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use gocache_core::{
    Asker, Error, Fetch, Found, Get, GroupId, Instant, Landing, LoadError, http::CacheStatus,
};
use spin::Once;
use wasip3::{
    cli::environment::get_environment,
    clocks::monotonic_clock,
    exports::http::handler::Guest,
    http::{
        client,
        types::{ErrorCode, Fields as Headers, Method as Verb, Request, Response, Scheme},
    },
    random::random::get_random_u64,
    wit_bindgen::{StreamResult, StreamWriter, spawn_local},
    wit_future, wit_stream,
};

use super::{
    answer::{Answer, Content},
    question::{Fields, Method, Question},
    site::{Call, Failure, Reply, Site, loaded, passed_on},
    waiters::{Place, Waiters},
};

/// Bytes that are read or written at a time.
const PIECE: usize = 64 << 10;

static WAITERS: Waiters = Waiters::new();

struct Handler;

wasip3::http::service::export!(Handler);

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let method = match request.get_method() {
            Verb::Get => Method::Get,
            Verb::Head => Method::Head,
            Verb::Other(_) => Method::Unknown,
            _ => Method::Known,
        };
        let headers = request.get_headers();
        let fields = Fields {
            if_none_match: headers.get("if-none-match"),
            range: headers.get("range"),
            if_range: headers.get("if-range"),
        };
        let target = request.get_path_with_query().unwrap_or_default();
        drop(headers);
        drop(request);
        Ok(respond(match site() {
            Ok(site) => answer(site, method, &target, &fields).await,
            Err(wrong) => wrong,
        }))
    }
}

/// The site of this instance, made when it is first asked.
fn site() -> Result<&'static Site, Answer> {
    static SITE: Once<Result<Site, String>> = Once::new();
    let site = SITE.call_once(|| Site::new(&get_environment(), get_random_u64()));
    site.as_ref().map_err(|wrong| Answer::misconfigured(wrong))
}

async fn answer(site: &Site, method: Method, target: &str, fields: &Fields) -> Answer {
    let question = match Question::read(&site.base, method, target, fields) {
        Ok(question) => question,
        Err(answer) => return answer,
    };
    if let Some(nodes) = site.nodes(&question.key) {
        return passed_on(ask_nodes(site, nodes, &question, fields).await);
    }
    match site.node.group_named(&question.group) {
        Some(group) => get(site, group, &question).await,
        None => question.no_such_group(),
    }
}

async fn get(site: &Site, group: GroupId, question: &Question) -> Answer {
    tell_overdue(site);
    let place = WAITERS.enter();
    let got = site.node.get(group, &question.key, Asker::Client, place.waiter(), now());
    let (result, cache) = match got {
        Ok(Get::Hit(found)) => (Ok(found), CacheStatus::Hit),
        Ok(Get::Wait) => (wait(site, place).await, CacheStatus::Collapsed),
        Ok(Get::Fetch(fetch)) => {
            Flight { site, fetch: Some(fetch) }.load().await;
            (place.await, CacheStatus::Miss)
        }
        Err(error) => (Err(error), CacheStatus::Miss),
    };
    Answer::outcome(result, cache, question, site.content_type(group))
}

/// Waits for the load of another, which is given up at its deadline.
async fn wait(site: &Site, mut place: Place<'_>) -> Result<Found, Error> {
    // A little longer than the load, which began before.
    let deadline = site.load + Duration::from_millis(50);
    match within(nanos(deadline), &mut place).await {
        Some(result) => result,
        None => {
            tell_overdue(site);
            within(0, place).await.unwrap_or(Err(Error::TimedOut))
        }
    }
}

fn tell_overdue(site: &Site) {
    while let Some(done) = site.node.overdue(now()) {
        WAITERS.tell(&done);
    }
}

/// A load that this request does. It lands whatever happens: where the host ends the request, those
/// who wait for it are told that it failed.
struct Flight<'a> {
    site: &'a Site,
    fetch: Option<Fetch>,
}

impl Flight<'_> {
    async fn load(mut self) {
        let call = self.fetch.as_ref().and_then(|fetch| self.site.origin(fetch));
        let outcome = match call {
            Some(call) => {
                let reply = within(nanos(self.site.load), send(&call, self.site.value_bytes)).await;
                loaded(reply.unwrap_or(Err(Failure::TimedOut)))
            }
            None => Err(LoadError::NotFound),
        };
        self.land(outcome);
    }

    fn land(&mut self, outcome: Result<gocache_core::Load, LoadError>) {
        let Some(fetch) = self.fetch.take() else { return };
        // A load is sent back only where it came from a peer, which this node has none of.
        if let Landing::Done(done) = self.site.node.land(fetch, outcome, now()) {
            WAITERS.tell(&done);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.land(Err(LoadError::Failed));
    }
}

/// Asks one node after the other, until one answers. Each has half of the time that is left.
async fn ask_nodes<'a>(
    site: &Site,
    nodes: impl Iterator<Item = &'a str>,
    question: &Question,
    fields: &Fields,
) -> Result<Reply, Failure> {
    let end = monotonic_clock::now().saturating_add(nanos(site.load));
    let mut reply = Err(Failure::Failed);
    for node in nodes {
        let call = site.to_node(node, question, fields);
        let left = end.saturating_sub(monotonic_clock::now());
        let answered = within(left / 2, send(&call, site.value_bytes)).await;
        reply = answered.unwrap_or(Err(Failure::TimedOut));
        if reply.is_ok() {
            break;
        }
    }
    reply
}

/// Sends a request, and waits for all of its response.
async fn send(call: &Call, most: usize) -> Result<Reply, Failure> {
    let headers = Headers::new();
    for (name, value) in &call.fields {
        headers.append(name, value).map_err(|_| Failure::Failed)?;
    }
    // Without a value it is what it begins with: there are no trailers.
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let (request, sent) = Request::new(headers, None, no_trailers, None);
    let scheme = if call.is_https { Scheme::Https } else { Scheme::Http };
    let set = request.set_scheme(Some(&scheme));
    set.and_then(|()| request.set_authority(Some(&call.authority)))
        .and_then(|()| request.set_path_with_query(Some(&call.path)))
        .map_err(|()| Failure::Failed)?;
    let response = client::send(request).await.map_err(|_| Failure::Failed)?;
    let reply = receive(response, most).await?;
    sent.await.map_err(|_| Failure::Failed)?;
    Ok(reply)
}

async fn receive(response: Response, most: usize) -> Result<Reply, Failure> {
    let (status, fields) = (response.get_status_code(), response.get_headers().copy_all());
    let mut reply = Reply { status, fields, content: Vec::new() };
    let (_, no_error) = wit_future::new(|| Ok(()));
    let (mut body, trailers) = Response::consume_body(response, no_error);
    let mut piece = Vec::new();
    loop {
        piece.try_reserve_exact(PIECE).map_err(|_| Failure::OutOfMemory)?;
        let (result, read) = body.read(piece).await;
        reply.take(&read, most)?;
        if result != StreamResult::Complete(read.len()) {
            break;
        }
        piece = read;
        piece.clear();
    }
    trailers.await.map_err(|_| Failure::Failed)?;
    reply.whole()
}

/// The response, and a task that sends its content after it.
fn respond(answer: Answer) -> Response {
    let headers = Headers::new();
    for (name, value) in &answer.fields {
        // All of them are fields that a response may have.
        let _ = headers.append(name, value);
    }
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    let (writer, reader) = wit_stream::new();
    let (response, sent) = Response::new(headers, Some(reader), no_trailers);
    let _ = response.set_status_code(answer.status);
    spawn_local(async move {
        write(writer, answer.content).await;
        // What is dropped before it is there leaks a handle of the host.
        let _ = sent.await;
    });
    response
}

/// Writes the content as fast as the client takes it. One that goes away, or that the host cuts, is
/// nobody's fault, and nobody can be told.
async fn write(mut writer: StreamWriter<u8>, content: Content) {
    for piece in content.bytes().chunks(PIECE) {
        let mut copy = Vec::new();
        if copy.try_reserve_exact(piece.len()).is_err() {
            return;
        }
        copy.extend_from_slice(piece);
        if !writer.write_all(copy).await.is_empty() {
            return;
        }
    }
}

/// What the work comes to, or `None` if it takes longer than this.
async fn within<T>(nanos: u64, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut timer) = (pin!(work), pin!(monotonic_clock::wait_for(nanos)));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

fn now() -> Instant {
    Instant::from_millis(monotonic_clock::now() / 1_000_000)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
