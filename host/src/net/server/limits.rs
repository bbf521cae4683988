//! What a client may take up.

use std::time::Duration;

/// What becomes of the bodies of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// They are read and dropped before the request is answered: nothing that is served takes one.
    Dropped,
    /// They go on to the handler as they come. Then `request` bounds a request's head, and how long a body
    /// that is waited for may bring nothing.
    Streamed,
}

/// The bounds of a server. [`Default`] gives those that are documented for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accepting a connection, or from the first byte of a later request, to the request's last
    /// byte: 10 s.
    pub request: Duration,
    /// How long a connection may be idle between two requests: 75 s.
    pub idle: Duration,
    /// How long a client may take none of an answer that waits for it: 10 s. The system tells of it in
    /// steps of some 40 KiB.
    pub write: Duration,
    /// How long a half-received request is waited for once the server closes: 1 s.
    pub closing: Duration,
    /// Bytes of a request's head, the empty line included: 16 KiB.
    pub head_bytes: usize,
    /// Header fields of a request: 64.
    pub headers: usize,
    /// Bytes of a request's body: 64 KiB.
    pub body_bytes: u64,
    /// Open connections, whoever they are from: 16,384, or fewer if the system allows the process
    /// fewer files. More wait in the backlog.
    pub connections: usize,
    /// What becomes of bodies: dropped.
    pub bodies: Bodies,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(10),
            closing: Duration::from_secs(1),
            head_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 64 * 1024,
            connections: 16 * 1024,
            bodies: Bodies::Dropped,
        }
    }
}
