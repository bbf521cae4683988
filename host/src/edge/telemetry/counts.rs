//! Counting under one table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::placement::Slot;
use halcyon_core::table::Table;
use halcyon_core::telemetry::{Cell, ReleaseOf, Tally};

/// A request whose client has left was an error of the pool if it had waited so long for an answer; before, the
/// client may have had any reason, and nobody knows what would have become of it.
pub(in crate::edge) const GIVEN_UP: Duration = Duration::from_millis(500);

/// What is counted under one table.
pub(in crate::edge) struct Counts {
    release: Option<ReleaseOf>,
    regions: Vec<String>,
    /// Blue and green of each region.
    pools: Vec<[Mutex<Pool>; 2]>,
    /// Since when what is there has been counted.
    since: Mutex<Instant>,
}

/// What is counted of a pool.
#[derive(Default)]
struct Pool {
    /// By cohort; `None` is that of tenants without one.
    tallies: BTreeMap<Option<u8>, Tally>,
    /// Requests that wait for an answer.
    open: u64,
}

/// What has been counted under one table.
pub(super) struct Taken {
    pub(super) release: Option<ReleaseOf>,
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) cells: Vec<Cell>,
}

/// A request that is under way. It is counted when this is dropped at the latest: whoever waits for the answer may
/// stop waiting at any time, and what hangs is never counted otherwise.
pub(in crate::edge) struct Counting {
    counts: Arc<Counts>,
    at: (usize, usize),
    cohort: Option<u8>,
    begun: Instant,
    over: bool,
}

impl Counting {
    /// Counts how it ended.
    pub(in crate::edge) fn ended(mut self, failed: bool, took: Duration) {
        self.over = true;
        self.counts.end(self.at, Some((self.cohort, failed, took)));
    }

    /// Its client has left, when the pool was the one to act for so long.
    pub(in crate::edge) fn left(mut self, waited: Duration) {
        self.over = true;
        self.leave(waited);
    }

    fn leave(&self, waited: Duration) {
        match waited >= GIVEN_UP {
            true => self
                .counts
                .end(self.at, Some((self.cohort, true, self.begun.elapsed()))),
            false => self.counts.leave(self.at, self.cohort),
        }
    }

    /// Counts nothing: it says nothing about the pool.
    pub(in crate::edge) fn void(mut self) {
        self.over = true;
        self.counts.end(self.at, None);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if !self.over {
            self.leave(self.begun.elapsed());
        }
    }
}

impl Counts {
    pub(super) fn new(table: &Table) -> Self {
        let regions = table.router().regions().iter().map(ToString::to_string);
        let regions: Vec<String> = regions.collect();
        let release = table.release().map(|(id, weight)| ReleaseOf {
            id: id.to_owned(),
            weight,
        });
        Self {
            release,
            pools: regions.iter().map(|_| Default::default()).collect(),
            regions,
            since: Mutex::new(Instant::now()),
        }
    }

    fn pool(&self, (place, pool): (usize, usize)) -> Option<MutexGuard<'_, Pool>> {
        let pool = self.pools.get(place)?.get(pool)?;
        Some(pool.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to count a request that goes to a region's blue or green pool.
    pub(in crate::edge) fn begin(
        self: &Arc<Self>,
        at: (usize, usize),
        cohort: Option<u8>,
    ) -> Counting {
        if let Some(mut pool) = self.pool(at) {
            pool.open += 1;
        }
        Counting {
            counts: self.clone(),
            at,
            cohort,
            begun: Instant::now(),
            over: false,
        }
    }

    fn end(&self, at: (usize, usize), ended: Option<(Option<u8>, bool, Duration)>) {
        let Some(mut pool) = self.pool(at) else {
            return;
        };
        pool.open = pool.open.saturating_sub(1);
        if let Some((cohort, failed, took)) = ended {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            let tally = pool.tallies.entry(cohort).or_default();
            tally.count(failed, micros);
        }
    }

    /// A client has left, too soon to say anything.
    fn leave(&self, at: (usize, usize), cohort: Option<u8>) {
        if let Some(mut pool) = self.pool(at) {
            pool.open = pool.open.saturating_sub(1);
            pool.tallies.entry(cohort).or_default().leave();
        }
    }

    /// Takes what has been counted, and begins anew. `None` where that is nothing, and nobody asks.
    pub(super) fn take(&self, now: Instant) -> Option<Taken> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = std::mem::replace(&mut *since, now);
        let mut cells = Vec::new();
        for (place, region) in self.regions.iter().enumerate() {
            for (which, slot) in Slot::ALL.into_iter().enumerate() {
                let Some(mut pool) = self.pool((place, which)) else {
                    continue;
                };
                let (mut taken, mut open) = (std::mem::take(&mut pool.tallies), pool.open);
                drop(pool);
                if taken.is_empty() && open > 0 {
                    taken.insert(None, Tally::default());
                }
                cells.extend(taken.into_iter().map(|(cohort, tally)| Cell {
                    region: region.clone(),
                    slot,
                    cohort,
                    tally,
                    open: std::mem::take(&mut open),
                }));
            }
        }
        // While a release is under way no request is worth telling too: nothing failed.
        (!cells.is_empty() || self.release.is_some()).then(|| Taken {
            release: self.release.clone(),
            since,
            until: now,
            cells,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Arc<Counts> {
        Arc::new(Counts {
            release: None,
            regions: vec!["us-east".into()],
            pools: vec![Default::default()],
            since: Mutex::new(Instant::now()),
        })
    }

    /// Requests, errors, whose clients left soon, and what waits.
    fn taken(counts: &Counts) -> Option<(u64, u64, u64, u64)> {
        let taken = counts.take(Instant::now())?;
        let [cell] = &taken.cells[..] else {
            panic!("{} cells", taken.cells.len());
        };
        let tally = &cell.tally;
        assert_eq!(tally.latency.total(), tally.requests);
        Some((tally.requests, tally.errors, tally.left, cell.open))
    }

    #[test]
    fn what_waits_when_its_connection_is_cut_is_an_error_if_it_had_waited_long() {
        let counts = counts();
        let mut hangs = counts.begin((0, 1), None);
        let soon = counts.begin((0, 1), None);
        assert_eq!(taken(&counts), Some((0, 0, 0, 2)), "both wait");
        hangs.begun = Instant::now().checked_sub(GIVEN_UP).unwrap();
        drop(hangs);
        drop(soon);
        assert_eq!(taken(&counts), Some((1, 1, 1, 0)));
    }

    #[test]
    fn what_says_nothing_about_a_pool_is_not_counted_and_waits_no_more() {
        let counts = counts();
        counts.begin((0, 0), None).void();
        assert_eq!(taken(&counts), None);
        counts
            .begin((0, 0), Some(1))
            .ended(true, Duration::from_millis(3));
        assert_eq!(taken(&counts), Some((1, 1, 0, 0)));
    }
}
