//! The engine of gocache: a read-through cache as a state machine, without std.
//!
//! A *group* is a namespace of keys with a budget in bytes. Of all who ask for a key that is not
//! cached, one loads it from the source of truth and the others wait for what it brings; a *ring*
//! says which node of a cluster loads which key.
//!
//! There are three ways to use it. A program that may block gives a group a closure:
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
//!
//! Firmware without a heap gives a [`Region`] of memory, and nothing comes from anywhere else:
//!
//! ```
//! use core::mem::MaybeUninit;
//! use gocache_core::{Cache, Instant, Lru, Region, Seed};
//!
//! let mut memory = [MaybeUninit::uninit(); 4 << 10]; // in firmware: a static one
//! let region = Region::new(&mut memory);
//!
//! let seed = Seed::new(0x5eed);
//! let mut cache = Cache::<Lru, _>::new_in(region.capacity(), seed, &region)?;
//! for number in 0..1_000_u16 {
//!     cache.insert(&number.to_le_bytes(), b"a value of some length", Instant::ZERO)?;
//! }
//! let last = cache.get(&999_u16.to_le_bytes(), Instant::ZERO);
//! assert_eq!(last.as_deref(), Some(&b"a value of some length"[..]));
//! assert!(cache.len() > 30);
//!
//! drop((cache, last));
//! assert_eq!(region.free(), region.capacity());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Features
//!
//! All are on by default; firmware turns them off (`default-features = false`) for some kilobytes less
//! flash. What belongs to a feature that is off is not there, the settings for it included.
//!
//! | feature | brings |
//! | --- | --- |
//! | `digests` | [`Value::digest`] and [`Settings::digests`]: validators that are the same on all nodes |
//! | `estimates` | [`Group::estimates`] and [`Settings::estimates`]: what other budgets would bring |
//! | `ring` | [`Ring`] and [`Node::join`]: nodes that load keys from each other |
//! | `size-aware` | [`SizeAware`] and [`Eviction::SizeAware`]: a policy for entries of many sizes |
//!
//! `check` adds methods that recount everything, for tests and fuzzers.
#![no_std]
#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]

extern crate alloc;
#[cfg(test)]
extern crate std;

// From the outside inwards: a file uses only files below it.
mod debug;

mod getter;
mod node;

mod landing;

mod group;
mod shard;

mod cache;

mod admit;
mod store;

mod evicted;

#[cfg(feature = "estimates")]
mod estimate;
#[cfg(feature = "ring")]
mod ring;

mod flight;

mod settings;

mod policy;

mod list;
mod table;

mod segment;

mod budget;
#[cfg(feature = "digests")]
mod digest;
mod seed;
mod time;

mod status;

mod cache_status;
mod error;
mod range;
mod route;
mod tag;

mod room;

mod entry;
mod lock;
mod region;
mod stats;
mod sync;
mod width;

/// What fields of HTTP say of a value, the same for every frontend.
pub mod http {
    pub use crate::{
        cache_status::CacheStatus,
        range::{Extent, RangeFields, Wanted},
        tag::{etag, list, matches, number},
    };
}

pub use allocator_api2::alloc::Global;
pub use cache::Cache;
pub use entry::{Memory, OutOfMemory, Value};
pub use error::{Error, LoadError, Refusal};
#[cfg(feature = "estimates")]
pub use estimate::Estimate;
pub use flight::{Asker, PeerId, Source, Waiter};
pub use getter::{Getter, Loader};
pub use group::{Found, Group, Load};
pub use lock::{SpinLock, Watch, Watched};
pub use node::{AddError, Done, Fetch, Get, GroupId, Landing, Node};
#[cfg(feature = "size-aware")]
pub use policy::SizeAware;
pub use policy::{Eviction, Lru, Policy, S3Fifo};
pub use region::{Anchor, Anchored, Region};
#[cfg(feature = "ring")]
pub use ring::{Ring, RingError};
pub use route::{DEFAULT_BASE, Route, RouteError, encode, is_dot_segment};
pub use seed::Seed;
pub use settings::{Limits, Settings};
pub use stats::Stats;
pub use status::Status;
pub use time::Instant;
