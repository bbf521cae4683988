//! A server for HTTP/1 that no client can hold up.
//!
//! hyper speaks the protocol; around every socket stands a guard that keeps the deadlines of
//! [`Limits`] and looks at each request's head before hyper does. What the guard refuses is answered
//! in its turn, behind the answers to earlier requests of the connection, and the connection closes.

mod accept;
mod chunked;
mod connection;
mod conversation;
mod framing;
mod guard;
mod head;
mod limits;
mod refusal;

pub use accept::{Phase, Site, listen, raise_file_limit, serve};
pub use limits::Limits;
pub use refusal::Refusal;

/// The header that says which region answered.
pub const REGION_HEADER: &str = "x-halcyon-region";
