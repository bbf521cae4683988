//! How many connections to upstreams there are, of all pools together: each takes a file, and a process has only so
//! many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::pool::Upstream;
use crate::net::server::Seldom;

/// The connections to all upstreams of an edge.
pub(super) struct Sockets {
    /// At most so many, of which those in use are never closed.
    most: usize,
    /// How long an upstream may take that says nothing: neither does one that takes no connection.
    pub(super) patience: Duration,
    open: AtomicUsize,
    /// That there is no room for another one.
    lack: Mutex<Seldom>,
    pools: Mutex<Vec<Weak<Upstream>>>,
}

/// A connection that is counted until it is dropped.
pub(super) struct Counted(Arc<Sockets>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Sockets {
    pub(super) fn new(most: usize, patience: Duration) -> Self {
        Self {
            most,
            patience,
            open: AtomicUsize::new(0),
            lack: Mutex::default(),
            pools: Mutex::default(),
        }
    }

    /// Knows a pool from now on, for as long as a table has it.
    pub(super) fn know(&self, pool: &Arc<Upstream>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Counts one more. Where that is too many, connections that nobody uses are closed for it.
    pub(super) fn count(self: &Arc<Self>) -> Counted {
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        for _ in self.most..open {
            if !self.close_idle() {
                break;
            }
        }
        Counted(self.clone())
    }

    /// Says that this machine lacks what a connection takes, and why; not for every request.
    pub(super) fn say_lack(&self, why: &str) {
        let mut lack = self.lack.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = lack.say(Instant::now()) {
            tracing::warn!("no connection to an upstream can be opened: {why} ({times} time(s))");
        }
    }

    /// Closes the connection that has been idle longest in the pool that has most of them. Says whether there was one.
    pub(super) fn close_idle(&self) -> bool {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = pools.iter().filter_map(Weak::upgrade);
        let fullest = pools.max_by_key(|pool| pool.idle_count());
        fullest.is_some_and(|pool| pool.close_oldest())
    }
}
