//! What wasmtime makes of the component's WIT, and nothing by hand.

wasmtime::component::bindgen!({
    world: "cache",
    path: "../component/wit",
    ownership: Borrowing { duplicate_if_necessary: true },
});

pub(crate) use exports::gocache::node::engine as wit;
