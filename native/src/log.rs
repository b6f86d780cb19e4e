//! The log: set up once, to standard error, and the lines that are written in more than one place.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Sends the log to standard error. `directives` are a level, or such as `warn,gocache=debug`.
pub(crate) fn init(directives: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| format!("log = {directives:?} is no level such as \"info\": {error}"))?;
    // A log that cannot be written is no reason to stop serving, nor to panic.
    let layer = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false);
    // Fails only where a log is set up already, in a process that embeds the server.
    drop(tracing_subscriber::registry().with(filter).with(layer).try_init());
    Ok(())
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
    let key = key.escape_ascii().to_string();
    if cause.is_empty() {
        tracing::info!(%source, %group, %key, %outcome, ?took, "load");
    } else {
        tracing::warn!(%source, %group, %key, %outcome, %cause, ?took, "load");
    }
}
