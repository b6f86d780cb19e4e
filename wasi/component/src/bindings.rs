//! What `wit-bindgen` makes of `wit/node.wit`, and nothing by hand.
#![expect(unsafe_code, reason = "the canonical ABI is pointers into linear memory")]

wit_bindgen::generate!({ world: "cache", path: "wit" });

export!(Guest with_types_in self);

pub(crate) use exports::gocache::node::engine as wit;

use crate::guest::Guest;
