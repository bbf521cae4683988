//! The control API over real sockets: who may do what, what people say of regions, releases that a server drives.

mod access;
mod api;
mod client;
mod command_line;
mod fleet;
mod limits;
mod locked;
mod metrics;
mod overrides;
mod reads;
mod ready;
mod regional;
mod releases;
mod schema;
mod secrets;
mod stream;
mod telemetry;
mod tokens;
mod waiting;
mod watched;
mod webhook;
