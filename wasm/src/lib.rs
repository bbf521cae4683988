//! The core of Halcyon for WebAssembly.
//!
//! One crate and several builds, chosen by a feature; `halcyon-wasm-build` makes them all. This crate has
//! no rule of its own: every decision and every message is the core's.
//!
//! | feature | what comes of it |
//! |---|---|
//! | `abi` | `halcyon_edge.wasm`: a C ABI without imports, for wasmtime, wazero and the like |
#![cfg_attr(all(feature = "abi", target_arch = "wasm32"), no_std)]

extern crate alloc;

pub mod edge;

#[cfg(all(feature = "abi", target_arch = "wasm32"))]
mod abi;
