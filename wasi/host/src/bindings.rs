//! What wasmtime makes of the component's WIT; and by hand the answer to a `get`, whose value stays
//! where it lies in the component's memory.

use wasmtime::component::{ComponentType, Lift, TypedFunc, WasmList};

wasmtime::component::bindgen!({
    world: "cache",
    path: "../component/wit",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub(crate) use exports::gocache::node::engine as wit;

/// The interface of `wit/node.wit`, and the functions of it that are hot.
pub(crate) const ENGINE: &str = "gocache:node/engine@0.1.0";
pub(crate) const GET: &str = "get";
pub(crate) const HIT: &str = "hit";
pub(crate) const HITS: &str = "hits";
pub(crate) const GET_BATCH: &str = "get-batch";

/// `wit::Found`, borrowed.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Lent {
    pub(crate) value: WasmList<u8>,
    pub(crate) digest: u64,
    pub(crate) age: Option<u64>,
}

/// `wit::Answer`, with the value borrowed.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Answer {
    #[component(name = "hit")]
    Hit(Lent),
    #[component(name = "wait")]
    Wait,
    #[component(name = "fetch")]
    Fetch(wit::FetchResult),
}

/// The answer to one of those who ask.
pub(crate) type Verdict = Result<Answer, wit::Error>;

/// `wit::Guest::call_get`, with this answer.
pub(crate) type Get =
    TypedFunc<(u16, &'static [u8], wit::Asker, u64, u64), (Result<Verdict, wit::Misuse>,)>;

/// Bytes of a key that fit into these words.
pub(crate) type Words = (u64, u64, u64, u64);
pub(crate) const SHORT: usize = size_of::<Words>();

/// `wit::Guest::call_hit`, likewise.
pub(crate) type Hit = TypedFunc<(u16, Words, u8, u64), (Option<Lent>,)>;

/// `wit::Guest::call_hits`, likewise.
pub(crate) type Hits =
    TypedFunc<(&'static [u16], &'static [u32], &'static [u8], u64), (Vec<Option<Lent>>,)>;

/// `wit::Guest::call_get_batch`, likewise.
pub(crate) type GetBatch =
    TypedFunc<(&'static [wit::Ask], &'static [u8], u64), (Result<Vec<Verdict>, wit::Misuse>,)>;
