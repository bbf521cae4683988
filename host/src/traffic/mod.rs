//! What edges have counted, as a control plane keeps it: a day, in bounded memory, and gone with the process.
//!
//! Edges send batches (`core::telemetry`); each counts once. `ring.rs` is the past by time, `evidence.rs` the
//! traffic of the release under way by step.

mod evidence;
mod ring;
mod senders;
mod waiting;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::placement::Slot;
use halcyon_core::release::{Judgement, Limits};
use halcyon_core::telemetry::{Batch, Cell, Report, Tally};
use halcyon_core::text::printable;

use crate::clock;
use crate::driver::{Judge, StepOf};
use evidence::Evidence;
pub(crate) use evidence::{Figures, ReleaseIs, Shown};
use ring::Ring;
pub(crate) use ring::{Pool, Span};
use senders::Senders;

/// The past by quarters of a minute, for an hour; edges send every ten seconds, so none is empty by chance.
const FINE: (Duration, usize) = (Duration::from_secs(15), 240);

/// The past by minutes, for a day.
const COARSE: (Duration, usize) = (Duration::from_secs(60), 1_440);

/// With more regions the same memory holds wider spans.
const REGIONS: usize = 32;

/// Traffic within so long is that of now.
const NOW: Duration = Duration::from_secs(60);

/// Where the clock begins, so that what was counted before this process began has a time too.
const BEFORE: Duration = Duration::from_secs(2 * 86_400);

/// What edges have counted.
pub(crate) struct Traffic {
    regions: Vec<String>,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    senders: Senders,
    fine: Ring,
    coarse: Ring,
    evidence: Evidence,
    /// How often something was taken.
    version: u64,
    /// Cells of regions that are not configured here.
    unknown: u64,
}

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// Batches that were new.
    pub(crate) batches: u64,
    /// Batches that had come before.
    pub(crate) again: u64,
}

/// How much has been taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Edges that have sent something within the last minute.
    pub(crate) edges: usize,
    /// Changes with every batch.
    pub(crate) version: u64,
    /// Cells of regions that are not configured here.
    pub(crate) unknown: u64,
}

impl Traffic {
    /// That of these regions, in their order.
    pub(crate) fn of(regions: Vec<String>) -> Self {
        let factor = regions.len().div_ceil(REGIONS).max(1);
        let ring = |(width, kept): (Duration, usize)| {
            let factor_of_width = u32::try_from(factor).unwrap_or(u32::MAX);
            Ring::new(width * factor_of_width, (kept / factor).max(2))
        };
        let state = State {
            senders: Senders::default(),
            fine: ring(FINE),
            coarse: ring(COARSE),
            evidence: Evidence::default(),
            version: 0,
            unknown: 0,
        };
        Self {
            regions,
            begun: Instant::now(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of a moment, from some beginning.
    fn time(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begun) + BEFORE
    }

    /// Takes up what an edge has sent. `release` is the one under way, else the last one; `None` where the journal
    /// cannot be read, and nothing of it is forgotten.
    pub(crate) fn take(&self, report: &Report, release: Option<&ReleaseIs>, now: Instant) -> Taken {
        let time = self.time(now);
        let mut state = self.state();
        let mut taken = Taken::default();
        if let Some(release) = release {
            let ago = clock::now().since(release.taken_up);
            state
                .evidence
                .begin(release, Duration::from_millis(ago), time);
        }
        for batch in &report.batches {
            if !state.senders.is_new(&report.edge, batch.seq, now) {
                taken.again += 1;
                continue;
            }
            taken.batches += 1;
            state.version += 1;
            self.put(&mut state, &report.edge, batch, time);
        }
        taken
    }

    fn put(&self, state: &mut State, edge: &str, batch: &Batch, now: Duration) {
        let mut cells: Vec<(Pool, &Cell)> = Vec::new();
        let ago = Duration::from_millis(batch.age_ms.saturating_add(batch.lasted_ms / 2));
        let at = now.saturating_sub(ago);
        for cell in &batch.cells {
            let place = self.regions.iter().position(|name| *name == cell.region);
            let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else {
                if state.unknown == 0 {
                    let region = printable(&cell.region);
                    tracing::warn!(
                        "an edge reports region {region}, which is none here; its counts are left out"
                    );
                }
                state.unknown += 1;
                continue;
            };
            let pool = Pool {
                place,
                green: cell.slot == Slot::Green,
            };
            state.fine.add(at, pool, &cell.tally);
            state.coarse.add(at, pool, &cell.tally);
            cells.push((pool, cell));
        }
        state.evidence.add(edge, batch, &cells, now);
    }

    /// How much has been taken up.
    pub(crate) fn sizes(&self, now: Instant) -> Sizes {
        let state = self.state();
        Sizes {
            edges: state.senders.within(NOW, now),
            version: state.version,
            unknown: state.unknown,
        }
    }

    /// What each region has had within the last minute, blue and green together; `None` where nothing is known.
    pub(crate) fn now(&self, now: Instant) -> Vec<Option<Tally>> {
        let time = self.time(now);
        let state = self.state();
        let mut all: Vec<Option<Tally>> = self.regions.iter().map(|_| None).collect();
        for (pool, tally) in state.fine.since(time.saturating_sub(NOW)) {
            if let Some(known) = all.get_mut(usize::from(pool.place)) {
                known.get_or_insert_default().merge(tally);
            }
        }
        all
    }

    /// The names of the regions, in their order.
    pub(crate) fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The last so much, span by span, the oldest first.
    pub(crate) fn past(&self, last: Duration, now: Instant) -> (Duration, Vec<Span>) {
        let time = self.time(now);
        let state = self.state();
        let (hour, kept) = FINE;
        let fine = hour * u32::try_from(kept).unwrap_or(u32::MAX);
        let ring = match last <= fine {
            true => &state.fine,
            false => &state.coarse,
        };
        (ring.width(), ring.spans(time, last))
    }

    /// What is known of a step of the release under way.
    pub(crate) fn shown(&self, step: &StepOf<'_>, limits: Option<&Limits>, now: Instant) -> Shown {
        let time = self.time(now);
        let state = self.state();
        state.evidence.shown(step, limits, &self.regions, time)
    }
}

impl Traffic {
    fn judge_at(
        &self,
        step: &StepOf<'_>,
        limits: &Limits,
        baked: Option<Instant>,
        now: Instant,
    ) -> Judgement {
        let times = (baked.map(|end| self.time(end)), self.time(now));
        let state = self.state();
        state.evidence.judge(step, limits, &self.regions, times)
    }
}

impl Judge for Traffic {
    fn judge(&self, step: &StepOf<'_>, limits: &Limits, baked: Option<Instant>) -> Judgement {
        self.judge_at(step, limits, baked, Instant::now())
    }
}

#[cfg(test)]
mod tests;
