//! The core of Halcyon for WebAssembly.
//!
//! One crate and several builds, chosen by a feature; `halcyon-wasm-build` makes them all. This crate has
//! no rule of its own: every decision and every message is the core's.
//!
//! | feature | what comes of it |
//! |---|---|
//! | `abi` | `halcyon_edge.wasm`: a C ABI without imports, for wasmtime, wazero and the like |
//! | `edge` | the package `@halcyon/edge`, for JavaScript |
//! | `page` | the same and more, for the dashboard; with the standard library, since serde-wasm-bindgen has it |
#![cfg_attr(
    all(
        any(feature = "abi", feature = "edge"),
        not(feature = "page"),
        target_arch = "wasm32"
    ),
    no_std
)]

extern crate alloc;

pub mod edge;
pub mod router;
pub mod value;

#[cfg(all(feature = "abi", target_arch = "wasm32"))]
mod abi;
#[cfg(all(any(feature = "abi", feature = "edge"), target_arch = "wasm32"))]
mod held;
#[cfg(all(feature = "edge", target_arch = "wasm32"))]
mod js;
#[cfg(all(feature = "page", target_arch = "wasm32"))]
mod page;
#[cfg(all(feature = "edge", target_arch = "wasm32"))]
mod runtime;
#[cfg(all(feature = "page", target_arch = "wasm32"))]
mod tree;
