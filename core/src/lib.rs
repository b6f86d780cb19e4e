//! The engine of gocache: a read-through cache as a state machine, without std.
//!
//! A *group* is a namespace of keys with a budget in bytes. Of all who ask for a key that is not
//! cached, one loads it from the source of truth and the others wait for what it brings; a *ring*
//! says which node of a cluster loads which key.
//!
//! There are two ways to use it. A program that may block gives a group a closure:
//!
//! ```
//! use gocache_core::{Error, Group, Instant, LoadError, Seed, Settings, Value};
//!
//! let settings = Settings { budget: 2 << 10, ..Settings::default() };
//! let scores = Group::new("scores", settings, Seed::new(0x5eed))?.with_getter(|key: &[u8]| {
//!     match key {
//!         b"Tom" => Ok(Value::new(b"630")?), // the slow database
//!         _ => Err(LoadError::NotFound),
//!     }
//! });
//! assert_eq!(&*scores.get(b"Tom", Instant::ZERO)?, b"630"); // loads
//! assert_eq!(&*scores.get(b"Tom", Instant::ZERO)?, b"630"); // from memory
//! assert_eq!(scores.get(b"Ann", Instant::ZERO), Err(Error::NotFound));
//! assert_eq!(scores.group().stats().hits, 1);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! A server that may not block drives a [`Node`] (sans-io: no sockets, no clock, no threads):
//!
//! ```
//! use gocache_core::{Asker, Get, Group, Instant, Landing, Node, Seed, Settings, Value, Waiter};
//!
//! let mut node = Node::new();
//! let scores = node.add(Group::new("scores", Settings::default(), Seed::new(0x5eed))?)?;
//! let now = Instant::from_millis(0);
//!
//! let Get::Fetch(fetch) = node.get(scores, b"Tom", Asker::Client, Waiter(1), now)? else { panic!() };
//! let Get::Wait = node.get(scores, b"Tom", Asker::Client, Waiter(2), now)? else { panic!() };
//! // ... load `fetch.key()` from `fetch.source()`, in whatever time that takes ...
//! let Landing::Done(done) = node.land(fetch, Ok(Value::new(b"630")?.into()), now) else { panic!() };
//! assert_eq!(done.waiters, [Waiter(1), Waiter(2)]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

// From the outside inwards: a file uses only files below it.
mod getter;
mod node;

mod landing;

mod group;
mod shard;

mod cache;

mod admit;
mod store;

mod evicted;

mod estimate;
mod flight;
mod ring;

mod settings;

mod policy;

mod list;
mod table;

mod segment;

mod budget;
mod digest;
mod seed;
mod time;

mod status;

mod error;
mod route;

mod room;

mod entry;
mod region;
mod stats;
mod sync;

pub use allocator_api2::alloc::Global;
pub use cache::Cache;
pub use entry::{Memory, OutOfMemory, Value};
pub use error::{Error, LoadError, Refusal};
pub use estimate::Estimate;
pub use flight::{Asker, Source, Waiter};
pub use getter::{Getter, Loader};
pub use group::{Found, Group, Load, SpinLock};
pub use node::{AddError, Done, Fetch, Get, GroupId, Landing, Node};
pub use policy::{Eviction, Lru, Policy, S3Fifo};
pub use region::{Anchor, Anchored, Region};
pub use ring::{PeerId, Ring, RingError};
pub use route::{DEFAULT_BASE, Route, RouteError, encode};
pub use seed::Seed;
pub use settings::{Limits, Settings};
pub use stats::Stats;
pub use status::Status;
pub use time::Instant;
