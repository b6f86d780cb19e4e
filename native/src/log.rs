//! The log: set up once, to standard error, and the lines that are written in more than one place.

use std::{
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    sync::OnceLock,
    time::Duration,
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
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
    read(directives).map(drop)
}

/// What they let through. (Read one by one: `Targets` takes an empty one for ERROR, and anything for the
/// name of a target.)
fn read(directives: &str) -> Result<Targets, String> {
    let level = |text: &str| match text.parse::<LevelFilter>() {
        // Nothing would be ERROR.
        Ok(level) if !text.is_empty() => Ok(level),
        _ => Err(format!("{text:?} is no level; it is off, error, warn, info, debug or trace")),
    };
    directives.split(',').try_fold(Targets::new(), |targets, directive| {
        let Some((target, text)) = directive.trim().split_once('=') else {
            return Ok(targets.with_default(level(directive.trim())?));
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
        if target.is_empty() || !target.bytes().all(is_part) {
            return Err(format!("{target:?} is no target, such as gocache or rustls"));
        }
        Ok(targets.with_target(target, level(text)?))
    })
}

/// The filter of directives that have been checked.
fn filter(directives: &str) -> Targets {
    read(directives).unwrap_or_default()
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

/// What becomes of something for lack of memory: one line a second.
pub(crate) fn no_memory(outcome: &str) {
    if let Some(suppressed) = REPEATS.admit(&outcome) {
        tracing::warn!(%outcome, suppressed, "there is no memory left");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_a_level_and_those_of_targets() {
        for good in ["info", "warn,gocache=debug", " off , gocache_wasi::seat=TRACE ", "error"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "info,", "loud", "gocache=", "=debug", "go cache=info", "gocache[a]=debug"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
