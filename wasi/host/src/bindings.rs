//! What wasmtime makes of the component's WIT; and by hand the hot verbs, of which a value stays where
//! it lies in the component's memory.

use wasmtime::component::{ComponentType, Lift, TypedFunc, WasmList};

wasmtime::component::bindgen!({
    world: "cache",
    path: "../component/wit",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub(crate) use exports::gocache::node::engine as wit;

/// The interface of `wit/node.wit`, and the functions of it that are hot.
pub(crate) const ENGINE: &str = "gocache:node/engine@0.1.0";
pub(crate) const HIT: &str = "hit";
pub(crate) const HITS: &str = "hits";
pub(crate) const GET_BATCH: &str = "get-batch";

/// `wit::Found`, borrowed.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Found {
    pub(crate) value: WasmList<u8>,
    pub(crate) digest: u64,
    pub(crate) age: Option<u64>,
}

/// `wit::Answer`, with the value borrowed.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Answer {
    #[component(name = "hit")]
    Hit(Found),
    #[component(name = "wait")]
    Wait,
    #[component(name = "fetch")]
    Fetch(wit::FetchResult),
}

/// The answer to one of those who ask.
pub(crate) type Verdict = Result<Answer, wit::Error>;

/// A key in words.
pub(crate) type Words = (u64, u64, u64, u64, u64, u64, u64, u64);
/// Bytes that fit into them.
pub(crate) const SHORT: usize = size_of::<Words>();

/// `wit::Guest::call_hit`, with the value borrowed.
pub(crate) type Hit = TypedFunc<(u16, Words, u8, u64), (Option<Found>,)>;

/// `wit::Guest::call_hits`, likewise.
pub(crate) type Hits =
    TypedFunc<(&'static [u16], &'static [u32], &'static [u8], u64), (Vec<Option<Found>>,)>;

/// `wit::Guest::call_get_batch`, likewise.
pub(crate) type GetBatch =
    TypedFunc<(&'static [wit::Ask], &'static [u8], u64), (Result<Vec<Verdict>, wit::Misuse>,)>;
