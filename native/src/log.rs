//! The log: set up once, to standard error, and the lines that are written in more than one place.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Lines that may wait to be written. Beyond it they are dropped: no loop ever waits for whoever
/// reads the log.
const BACKLOG: usize = 8 << 10;

/// Bytes of a key that a line shows.
const SHOWN: usize = 256;

/// Says what is wrong with directives, which are a level, or such as `warn,gocache=debug`.
pub(crate) fn check(directives: &str) -> Result<(), String> {
    EnvFilter::try_new(directives).map(drop).map_err(|error| error.to_string())
}

/// Sends the log to standard error, through a thread of its own. What is in its queue is written
/// when the guard goes, if somebody takes it.
pub(crate) fn init(directives: &str) -> WorkerGuard {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(BACKLOG).lossy(true);
    let (writer, guard) = queue.finish(io::stderr());
    // A log that cannot be written is no reason to stop serving, nor to panic.
    let layer = fmt::layer()
        .with_writer(writer)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false);
    let filter = EnvFilter::new(directives);
    // Fails only where a log is set up already, in a process that embeds the server.
    drop(tracing_subscriber::registry().with(filter).with(layer).try_init());
    guard
}

/// One load from an origin or a peer. It is what the cache is there to avoid, so each has a line.
pub(crate) fn load(
    source: &str,
    group: &str,
    key: &[u8],
    outcome: &str,
    cause: &str,
    took: Duration,
) {
    let key = key[..key.len().min(SHOWN)].escape_ascii().to_string();
    if cause.is_empty() {
        tracing::info!(%source, %group, %key, %outcome, ?took, "load");
    } else {
        tracing::warn!(%source, %group, %key, %outcome, %cause, ?took, "load");
    }
}
