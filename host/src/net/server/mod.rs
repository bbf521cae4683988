//! A server for HTTP/1 that no client can hold up.
//!
//! hyper speaks the protocol; around every socket stands a guard that keeps the deadlines of
//! [`Limits`] and looks at each request's head before hyper does. It passes nothing on behind a
//! connection's last request, sends the answers of pipelined requests together, and waits for the next
//! request without hyper, so that an idle connection costs little. A plain request whose answer is the
//! same whoever asks ([`Standing`]) is answered without hyper too. What the guard refuses is answered
//! in its turn, behind the answers to earlier requests of the connection, and the connection closes.

mod accept;
mod chunked;
mod connection;
mod conversation;
mod crowd;
mod framing;
mod gone;
mod guard;
mod head;
mod limits;
mod port;
mod refusal;
mod seldom;
mod standing;
mod until;

pub use accept::{Phase, Site, capacity, raise_file_limit, serve};
pub(crate) use connection::is_last;
pub use connection::{Answer, Handler, RequestBody, Serves};
pub use framing::Framing;
pub use gone::Gone;
pub use limits::{Bodies, Limits};
pub use port::{SharedPort, listen};
pub use refusal::Refusal;
pub(crate) use seldom::Seldom;
pub use standing::{Given, Standing};
pub use until::serve_until;

/// The header that says which region answered.
pub const REGION_HEADER: &str = "x-halcyon-region";
