//! The network: a client that probes, and a server's accept loop that no client can hold up.

pub(crate) mod api;
pub(crate) mod body;
mod client;
pub(crate) mod connect;
pub mod server;
mod verdict;

pub use client::Client;
pub(crate) use connect::{Stage, Unreached};
