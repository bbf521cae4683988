//! Requests to green that still wait for an answer, by what each edge has told last.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use halcyon_core::release::Weight;
use halcyon_core::telemetry::Batch;

/// The most counts that are kept, of all edges together; of more, who was silent longest is forgotten.
const COUNTS: usize = 65_536;

/// The longest that an edge is taken to wait between two reports: the greatest `EDGE_TELEMETRY_MS`.
const INTERVAL: Duration = Duration::from_secs(60);

/// How much longer than two intervals an edge may be silent before what it has told of counts no more.
const GRACE: Duration = Duration::from_secs(15);

/// By edge: what waited when it told last. An edge of which nothing waits is not in it.
#[derive(Default)]
pub(super) struct Waiting {
    edges: HashMap<String, Told>,
    counts: usize,
}

struct Told {
    weight: Weight,
    /// By region.
    open: BTreeMap<u16, u64>,
    at: Duration,
    /// Until when it counts, unless the edge tells anew: one that has died with its requests has none.
    until: Duration,
}

impl Waiting {
    /// An edge has told, in a batch under a table of this weight, how many requests wait in which region.
    pub(super) fn told(
        &mut self,
        edge: &str,
        weight: Weight,
        open: impl Iterator<Item = (u16, u64)>,
        batch: &Batch,
        now: Duration,
    ) {
        self.forget(edge);
        let mut told = BTreeMap::new();
        for (place, open) in open.filter(|(_, open)| *open > 0) {
            let known: &mut u64 = told.entry(place).or_default();
            *known = known.saturating_add(open);
        }
        if told.is_empty() {
            return;
        }
        let at = now.saturating_sub(Duration::from_millis(batch.age_ms));
        let interval = Duration::from_millis(batch.lasted_ms).min(INTERVAL);
        self.counts += told.len();
        let told = Told {
            weight,
            open: told,
            at,
            until: at + interval * 2 + GRACE,
        };
        self.edges.insert(edge.to_owned(), told);
        while self.counts > COUNTS {
            let silent = self.edges.iter().min_by_key(|(_, told)| told.at);
            let Some(silent) = silent.map(|(edge, _)| edge.clone()) else {
                break;
            };
            self.forget(&silent);
        }
    }

    fn forget(&mut self, edge: &str) {
        if let Some(told) = self.edges.remove(edge) {
            self.counts -= told.open.len();
        }
    }

    /// How many wait in a region at a step, by edges that may still be there.
    pub(super) fn open(&self, weight: Weight, place: u16, now: Duration) -> u64 {
        let there = |told: &&Told| told.weight == weight && told.until >= now;
        let open = self.edges.values().filter(there);
        let open = open.filter_map(|told| told.open.get(&place));
        open.fold(0, |all, open| all.saturating_add(*open))
    }

    /// How many counts are kept.
    #[cfg(test)]
    pub(super) fn counts(&self) -> usize {
        self.counts
    }
}
