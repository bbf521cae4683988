//! The network: a client that probes, and a server's accept loop that no client can hold up.

mod body;
mod client;
mod connect;
pub mod server;
mod verdict;

pub use client::Client;
