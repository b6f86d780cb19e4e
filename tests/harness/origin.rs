//! A real HTTP/1.1 origin on a port of its own, which does what a test tells it to and counts what
//! it was asked.
//!
//! It is also a judge: the request it gets must be well-formed, or the test that owns it fails when
//! it ends.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use super::answer::escaped;
use super::patience::PATIENCE;
use super::script::{Gate, Reply, in_chunks, with_length};

/// More connections than any test has reason to open.
const CONNECTIONS_MAX: usize = 512;

/// The longest request head that a reasonable client of an origin sends.
const HEAD_BYTES_MAX: usize = 64 * 1024;

#[derive(Default)]
struct State {
    script: HashMap<Vec<u8>, Reply>,
    otherwise: Option<Reply>,
    loads: HashMap<Vec<u8>, usize>,
    faults: Vec<String>,
    gates: Vec<Gate>,
    connections: Vec<(TcpStream, JoinHandle<()>)>,
    stopping: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no origin thread panics")
    }
}

pub(crate) struct Origin {
    addr: SocketAddr,
    shared: Arc<Shared>,
    hanging: Gate,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// An origin that has no key until a test sets one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the system has a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &for_thread));
        let origin = Self { addr, shared, hanging: Gate::default(), accepting: Some(accepting) };
        origin.shared.state().gates.push(origin.hanging.clone());
        origin
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/values/", self.addr)
    }

    pub(crate) fn set(&self, key: impl AsRef<[u8]>, reply: Reply) {
        let reply = self.tied(reply);
        self.shared.state().script.insert(key.as_ref().to_vec(), reply);
    }

    /// What becomes of every key that has no reply of its own.
    pub(crate) fn set_otherwise(&self, reply: Reply) {
        let reply = self.tied(reply);
        self.shared.state().otherwise = Some(reply);
    }

    /// A gate that is opened at the end at the latest.
    pub(crate) fn gate(&self) -> Gate {
        let gate = Gate::default();
        self.shared.state().gates.push(gate.clone());
        gate
    }

    /// How often any key was asked for.
    pub(crate) fn loads(&self) -> usize {
        self.shared.state().loads.values().sum()
    }

    pub(crate) fn loads_of(&self, key: impl AsRef<[u8]>) -> usize {
        self.shared.state().loads.get(key.as_ref()).copied().unwrap_or(0)
    }

    /// Waits until the key has been asked for so often.
    #[track_caller]
    pub(crate) fn await_loads(&self, key: impl AsRef<[u8]>, loads: usize) {
        let key = key.as_ref();
        let count = |state: &State| state.loads.get(key).copied().unwrap_or(0);
        let state = self.shared.state();
        let changed =
            self.shared.changed.wait_timeout_while(state, PATIENCE, |state| count(state) < loads);
        let (state, waited) = changed.expect("no origin thread panics");
        let (key, count) = (escaped(key), count(&state));
        drop(state);
        assert!(
            !waited.timed_out(),
            "the origin was asked {count} times for {key}, expected {loads}"
        );
    }

    /// A hanging reply is one that is held by a gate which no test has.
    fn tied(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Hang => Reply::Held(self.hanging.clone(), Box::new(Reply::close())),
            other => other,
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let (gates, connections) = {
            let mut state = self.shared.state();
            state.stopping = true;
            (std::mem::take(&mut state.gates), std::mem::take(&mut state.connections))
        };
        self.shared.changed.notify_all();
        gates.iter().for_each(Gate::open);
        for (stream, _) in &connections {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // A last connection wakes the accepting thread, so that it sees the order to stop.
        drop(TcpStream::connect(self.addr));
        let threads =
            connections.into_iter().map(|(_, thread)| thread).chain(self.accepting.take());
        let panicked = threads.filter_map(|thread| thread.join().err()).count();
        let faults = std::mem::take(&mut self.shared.state().faults);
        if !thread::panicking() {
            assert!(faults.is_empty(), "the origin was sent what no client may send: {faults:?}");
            assert_eq!(panicked, 0, "threads of the origin panicked");
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = shared.state();
        if state.stopping {
            return;
        }
        let Ok(stream) = stream else { continue };
        state.connections.retain(|(_, thread)| !thread.is_finished());
        if state.connections.len() == CONNECTIONS_MAX {
            state.faults.push(format!("more than {CONNECTIONS_MAX} connections at once"));
            continue;
        }
        let Ok(handle) = stream.try_clone() else { continue };
        let for_thread = Arc::clone(shared);
        let thread = thread::spawn(move || serve(stream, &for_thread));
        state.connections.push((handle, thread));
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let mut unread = Vec::new();
    while let Some(head) = read_head(&mut stream, &mut unread) {
        let key = match parse_head(&head) {
            Ok(key) => key,
            Err(fault) => {
                shared.state().faults.push(fault);
                break;
            }
        };
        let reply = {
            let mut state = shared.state();
            *state.loads.entry(key.clone()).or_default() += 1;
            let scripted = state.script.get(&key).or(state.otherwise.as_ref());
            scripted.cloned().unwrap_or(Reply::NotFound)
        };
        shared.changed.notify_all();
        if !perform(reply, &key, &mut stream, shared) {
            break;
        }
    }
    // The clone that is kept for the end would hold the connection open.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Sends the reply; whether the connection goes on.
fn perform(reply: Reply, key: &[u8], stream: &mut TcpStream, shared: &Shared) -> bool {
    let (bytes, goes_on) = match reply {
        Reply::Value(value) => (with_length(&value), true),
        Reply::Echo => (with_length(key), true),
        Reply::NotFound => (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), true),
        Reply::Raw(bytes) => (bytes, false),
        Reply::RawKept(bytes) => (bytes, true),
        Reply::Chunked(value) => (in_chunks(&value), true),
        Reply::After(delay, reply) => {
            let state = shared.state();
            let slept = shared.changed.wait_timeout_while(state, delay, |state| !state.stopping);
            drop(slept.expect("no origin thread panics"));
            return perform(*reply, key, stream, shared);
        }
        Reply::Held(gate, reply) => {
            gate.pass();
            return perform(*reply, key, stream, shared);
        }
        Reply::Hang => unreachable!("tied to a gate when it was set"),
    };
    stream.write_all(&bytes).is_ok() && goes_on
}

/// One request head without its empty line; `None` when the client has gone away.
fn read_head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = unread.split_off(end + 4);
            unread.truncate(end);
            return Some(std::mem::replace(unread, rest));
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) if unread.len() < HEAD_BYTES_MAX => {
                unread.extend_from_slice(&buffer[..count]);
            }
            _ => return None,
        }
    }
}

/// The key that a well-formed request asks for.
fn parse_head(head: &[u8]) -> Result<Vec<u8>, String> {
    let fault = |what: &str| format!("{what}: {}", escaped(head));
    let text = std::str::from_utf8(head).map_err(|_| fault("not ASCII"))?;
    let mut lines = text.split("\r\n");
    let request_line = lines.next().unwrap_or_default();
    let target = request_line.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let target = target.ok_or_else(|| fault("no GET of HTTP/1.1"))?;
    let key = target.strip_prefix("/values/").ok_or_else(|| fault("a target outside the URL"))?;
    let mut hosts = 0;
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| fault("no field line"))?;
        if name.contains(char::is_whitespace) || value.chars().any(char::is_control) {
            return Err(fault("no field line"));
        }
        hosts += usize::from(name.eq_ignore_ascii_case("host"));
        if name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
        {
            return Err(fault("a GET with a body"));
        }
    }
    if hosts != 1 {
        return Err(fault("not one Host"));
    }
    decode(key).ok_or_else(|| fault("a path that is not in the grammar of RFC 3986"))
}

/// Undoes percent-encoding; `None` where a byte stands that must be encoded in a path.
fn decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let byte = match first {
            b'%' => {
                let (high, low) = (hex(*rest.first()?)?, hex(*rest.get(1)?)?);
                rest = &rest[2..];
                high * 16 + low
            }
            plain if plain.is_ascii_alphanumeric() => *plain,
            plain if b"-._~!$&'()*+,;=:@/".contains(plain) => *plain,
            _ => return None,
        };
        decoded.push(byte);
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
