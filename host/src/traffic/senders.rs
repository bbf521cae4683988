//! Which edges have sent what: a batch that comes twice counts once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The most edges that are remembered; of more, who was silent longest is forgotten.
const EDGES: usize = 4_096;

/// The edges by their ids, with the last number of each and when it came.
#[derive(Default)]
pub(super) struct Senders(HashMap<String, (u64, Instant)>);

impl Senders {
    /// Whether an edge's batch is new; from then on it is not.
    pub(super) fn is_new(&mut self, edge: &str, seq: u64, now: Instant) -> bool {
        if let Some((last, seen)) = self.0.get_mut(edge) {
            *seen = now;
            let new = seq > *last;
            *last = seq.max(*last);
            return new;
        }
        if self.0.len() >= EDGES {
            let silent = self.0.iter().min_by_key(|(_, (_, seen))| *seen);
            if let Some(edge) = silent.map(|(edge, _)| edge.clone()) {
                self.0.remove(&edge);
            }
        }
        self.0.insert(edge.to_owned(), (seq, now));
        true
    }

    /// How many have sent something within so long.
    pub(super) fn within(&self, time: Duration, now: Instant) -> usize {
        let seen = self
            .0
            .values()
            .map(|(_, seen)| now.saturating_duration_since(*seen));
        seen.filter(|ago| *ago <= time).count()
    }
}
