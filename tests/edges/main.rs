//! Every edge: the template `wasm/worker` in workerd and in Node, `halcyon edge`, and Envoy with the filter
//! `wasm/envoy`. The same scenarios, the same assertions.
//!
//! Three regions of two upstreams each and a server of tables are real servers on loopback; the package is
//! the packed one.

mod breaking;
mod conformance;
mod edge;
mod embedded;
mod envoy;
mod http;
mod node;
mod server;
mod tables;
mod upstream;
mod world;

/// Each scenario as a test of every edge.
macro_rules! in_every_edge {
    ($($scenario:ident),* $(,)?) => {
        in_every_edge_but_envoy! { $($scenario),* }
        mod envoy {
            $(#[test]
            fn $scenario() {
                super::$scenario(crate::edge::Runtime::Envoy);
            })*
        }
    };
}

/// The same where a table says what Envoy's own configuration has to.
macro_rules! in_every_edge_but_envoy {
    ($($scenario:ident),* $(,)?) => {
        in_every_runtime! { $($scenario),* }
        mod embedded {
            $(#[test]
            fn $scenario() {
                super::$scenario(crate::edge::Runtime::Embedded);
            })*
        }
    };
}

/// Each scenario as a test in every runtime of the template.
macro_rules! in_every_runtime {
    ($($scenario:ident),* $(,)?) => {
        mod workerd {
            $(#[test]
            fn $scenario() {
                super::$scenario(crate::edge::Runtime::Workerd);
            })*
        }
        mod node {
            $(#[test]
            fn $scenario() {
                super::$scenario(crate::edge::Runtime::Node);
            })*
        }
    };
}

mod counting;
mod fetching;
mod headers;
mod retrying;
mod routing;
mod shares;
mod streaming;
mod tenants;
mod variables;

// What the cases of the modules are made of.
#[allow(dead_code)]
#[path = "../wasm/cases.rs"]
mod cases;
#[allow(dead_code)]
#[path = "../vectors/dice.rs"]
mod dice;
#[allow(dead_code)]
#[path = "../vectors/ids.rs"]
mod ids;
#[allow(dead_code)]
#[path = "../vectors/json.rs"]
mod json;
#[path = "../wasm/random.rs"]
mod random;
#[allow(dead_code)]
#[path = "../vectors/setting.rs"]
mod setting;
