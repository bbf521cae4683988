//! What this edge counts, and how a control plane comes to know it.
//!
//! Counting takes one short lock of its pool; nothing of it waits for anybody. What has been counted is cut into
//! batches (the core's `telemetry::Outbox`) and sent in the background (`sending.rs`), later where nobody answers now.

mod counts;
mod sending;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use halcyon_core::table::Table;

pub(super) use counts::{Counting, Counts, GIVEN_UP};
pub(super) use sending::Sender;

/// What counts under every table that is still in use.
#[derive(Default)]
pub(super) struct Telemetry(Mutex<Vec<Arc<Counts>>>);

impl Telemetry {
    /// What counts under this table from now on.
    pub(super) fn of(&self, table: &Table) -> Arc<Counts> {
        let counts = Arc::new(Counts::new(table));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(counts.clone());
        counts
    }

    /// Everything that has been counted since the last time, table by table.
    fn take(&self) -> Vec<counts::Taken> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Whoever nobody holds any more was counted to the end before it is taken.
        let over: Vec<bool> = all
            .iter()
            .map(|counts| Arc::strong_count(counts) == 1)
            .collect();
        let taken = all.iter().filter_map(|counts| counts.take(now)).collect();
        let mut over = over.into_iter();
        all.retain(|_| !over.next().unwrap_or(false));
        taken
    }
}
