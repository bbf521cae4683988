//! Counting under one table.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::placement::Slot;
use halcyon_core::table::Table;
use halcyon_core::telemetry::{Cell, ReleaseOf, Tally};

/// A pool's tallies by cohort; `None` is that of tenants without one.
type ByCohort = BTreeMap<Option<u8>, Tally>;

/// What is counted under one table.
pub(in crate::edge) struct Counts {
    release: Option<ReleaseOf>,
    regions: Vec<String>,
    /// Blue and green of each region.
    pools: Vec<[Mutex<ByCohort>; 2]>,
    /// Since when what is there has been counted.
    since: Mutex<Instant>,
}

/// What has been counted under one table.
pub(super) struct Taken {
    pub(super) release: Option<ReleaseOf>,
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) cells: Vec<Cell>,
}

impl Counts {
    pub(super) fn new(table: &Table) -> Self {
        let regions = table.router().regions().map(ToString::to_string);
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

    /// Counts a request that went to a region's blue or green pool.
    pub(in crate::edge) fn count(
        &self,
        (place, pool): (usize, usize),
        cohort: Option<u8>,
        failed: bool,
        took: Duration,
    ) {
        let Some(pool) = self.pools.get(place).and_then(|pools| pools.get(pool)) else {
            return;
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut tallies = pool.lock().unwrap_or_else(PoisonError::into_inner);
        tallies.entry(cohort).or_default().count(failed, micros);
    }

    /// Takes what has been counted, and begins anew. `None` where nothing has.
    pub(super) fn take(&self, now: Instant) -> Option<Taken> {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = std::mem::replace(&mut *since, now);
        let mut cells = Vec::new();
        for (region, pools) in self.regions.iter().zip(&self.pools) {
            for (pool, slot) in pools.iter().zip(Slot::ALL) {
                let mut tallies = pool.lock().unwrap_or_else(PoisonError::into_inner);
                let taken = std::mem::take(&mut *tallies);
                drop(tallies);
                cells.extend(taken.into_iter().map(|(cohort, tally)| Cell {
                    region: region.clone(),
                    slot,
                    cohort,
                    tally,
                }));
            }
        }
        (!cells.is_empty()).then(|| Taken {
            release: self.release.clone(),
            since,
            until: now,
            cells,
        })
    }
}
