//! Each promise of the contract, written once and held against every frontend.
//!
//! A promise is a function of its own, generic over the frontend that starts the server. Each file
//! of the suite lists its promises at the top; `promises!` makes of every one a test `native::…`,
//! a test `tls::…` and a test `wasi::…`. A promise that is missing in its list is dead code, which
//! the lints refuse: none can be forgotten, and none for a frontend.

/// Makes a test of every promise for every frontend.
macro_rules! promises {
    ($($promise:ident),+ $(,)?) => {
        promises! { in native for Native: $($promise),+ }
        promises! { in tls for NativeTls: $($promise),+ }
        promises! { in wasi for Wasi: $($promise),+ }
    };
    (in $tests:ident for $frontend:ident: $($promise:ident),+) => {
        mod $tests {
            $(
                #[test]
                fn $promise() {
                    super::$promise::<crate::harness::$frontend>();
                }
            )+
        }
    };
}

/// Makes a test of those promises that hold in hosts of others too, whose HTTP is not ours.
macro_rules! hosted {
    ($($promise:ident),+ $(,)?) => {
        hosted! { in jco for Jco: $($promise),+ }
        hosted! { in serve for Serve: $($promise),+ }
    };
    (in $tests:ident for $frontend:ident: $($promise:ident),+ $(,)?) => {
        mod $tests {
            use crate::harness::{$frontend as Host, Frontend};
            $(
                #[test]
                fn $promise() {
                    if Host::is_installed() {
                        super::$promise::<Host>();
                    }
                }
            )+
        }
    };
}

// What the promises are written with: a client that sends exact bytes, an origin that counts, the
// seam to start a server.
mod harness;

// What a client sees; the table of the contract and its section on connections.
mod suite {
    // The data plane: what is loaded, what is kept, and under which name.
    mod eviction;
    mod hit_and_miss;
    mod keys;
    mod origins;
    mod parts;
    mod ranges;
    mod single_flight;

    // Writes: who may, what is put, and in which order it shows.
    mod grants;
    mod uploads;
    mod writes;

    // The table of the contract: each cause of a refusal has a status of its own, each limit is
    // told.
    mod contract;
    mod limits;

    // Connections: RFC 9112 to the letter.
    mod bodies;
    mod connections;
    mod deadlines;
    mod delivery;
    mod tls;

    // The same by exact bytes, in tables: each case names its RFC and section, and whether the
    // connection is kept.
    mod rfc {
        mod chunked;
        mod fields;
        mod framing;
        mod persistence;
        mod request_line;
        mod semantics;
        mod table;
        mod target;
    }

    // The operations plane, on a port of its own, another configuration, and the end.
    mod certificates;
    mod drain;
    mod identities;
    mod operations;
    mod reload;
}

// The program and the cluster, as real processes, and TLS between them.
mod abuse;
mod activation;
mod clocks;
mod cluster;
mod environment;
mod hosts;
mod program;
mod tls;

// The core alone, on virtual time.
mod sim;

// The core alone, in a microcontroller.
mod firmware;

// The house rules.
mod tidy;
