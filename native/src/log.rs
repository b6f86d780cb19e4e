//! The log: set up once, to standard error, and the lines that are written in more than one place.

use std::{
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    sync::OnceLock,
    time::Duration,
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

#[cfg(debug_assertions)]
use tracing_subscriber::layer::Context;

use crate::repeats::Repeats;

/// Lines that may wait to be written. Beyond it they are dropped: no loop ever waits for whoever
/// reads the log.
const BACKLOG: usize = 8 << 10;

/// Bytes of a key that a line shows.
const SHOWN: usize = 256;

/// Counts the lines that were dropped.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// What was written lately of what may repeat itself.
static REPEATS: Repeats = Repeats::new();

/// Says what is wrong with directives, which are a level, or such as `warn,gocache=debug`.
pub(crate) fn check(directives: &str) -> Result<(), String> {
    directives.parse::<Targets>().map(drop).map_err(|error| error.to_string())
}

/// What they let through; they have been checked.
fn filter(directives: &str) -> Targets {
    directives.parse().unwrap_or_default()
}

/// The log of a program. What is in its queue is written when this goes, if somebody takes it.
pub(crate) struct Log {
    filter: reload::Handle<Targets, Registry>,
    _writer: WorkerGuard,
}

impl Log {
    /// Sends the log to standard error, through a thread of its own: as text to a terminal, else in
    /// JSON, an object a line. Panics go there too.
    pub(crate) fn begin(directives: &str) -> Self {
        let queue = NonBlockingBuilder::default().buffered_lines_limit(BACKLOG).lossy(true);
        let (writer, guard) = queue.finish(io::stderr());
        let _ = DROPPED.set(writer.error_counter());
        // A log that cannot be written is no reason to stop serving, nor to panic.
        let layer = fmt::layer().with_writer(writer).with_target(false).log_internal_errors(false);
        let layer = match io::stderr().is_terminal() {
            true => layer.boxed(),
            false => layer.json().flatten_event(true).boxed(),
        };
        let (filter, handle) = reload::Layer::new(filter(directives));
        // Fails only where a log is set up already, in a process that embeds the server.
        let layers = tracing_subscriber::registry().with(filter).with(layer);
        #[cfg(debug_assertions)]
        let layers = layers.with(Unlocked);
        drop(layers.try_init());
        panic::set_hook(Box::new(panicked));
        Self { filter: handle, _writer: guard }
    }

    /// Changes what is logged.
    pub(crate) fn set(&self, directives: &str) {
        // Fails only where the log is gone.
        drop(self.filter.reload(filter(directives)));
    }
}

/// A line is handed to another thread, which is a call of the system.
#[cfg(debug_assertions)]
struct Unlocked;

#[cfg(debug_assertions)]
impl<S: tracing::Subscriber> Layer<S> for Unlocked {
    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        crate::locks::assert_none_held();
    }
}

/// Lines that were lost because nobody took them in time.
pub(crate) fn dropped() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

/// One load from an origin or a peer. It is what the cache is there to avoid, so each has a line; but
/// where loads fail one after the other, one line a second for each cause.
pub(crate) fn load(
    source: &str,
    group: &str,
    key: &[u8],
    outcome: &str,
    cause: &str,
    took: Duration,
) {
    let key = || key[..key.len().min(SHOWN)].escape_ascii().to_string();
    if cause.is_empty() {
        tracing::info!(%source, %group, key = key(), %outcome, ?took, "load");
    } else if let Some(suppressed) = REPEATS.admit(&(source, group, cause)) {
        let key = key();
        tracing::warn!(%source, %group, key, %outcome, %cause, ?took, suppressed, "load");
    }
}

fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if let Some(suppressed) = REPEATS.admit(&place) {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or_default();
        tracing::error!(%place, thread, why, suppressed, "a panic, which is a bug");
    }
}
