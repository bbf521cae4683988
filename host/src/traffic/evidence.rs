//! The traffic of one release, step by step: what its steps are judged by.

use std::collections::BTreeMap;
use std::time::Duration;

use halcyon_core::release::{Judgement, Limits, RegionTraffic, Traffic, Weight};
use halcyon_core::telemetry::{Batch, Cell, ReleaseOf, Tally};
use halcyon_core::time::Timestamp;
use serde::Serialize;

use super::ring::Pool;
use super::waiting::Waiting;
use crate::driver::StepOf;

/// The release that is being judged, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReleaseIs {
    /// Its id.
    pub(crate) id: String,
    /// The last record that changed it.
    pub(crate) revision: u64,
    /// When somebody last went on with it, by the journal: what was counted before is no evidence.
    pub(crate) taken_up: Timestamp,
    /// What green's traffic must keep to.
    pub(crate) limits: Limits,
    /// The steps of its plan; of none where a person gives every command.
    pub(crate) weights: Vec<Weight>,
}

/// What was counted under the tables of one release. Its size is bounded by plan and configuration, whatever edges
/// send.
#[derive(Default)]
pub(super) struct Evidence {
    release: ReleaseIs,
    /// When it was taken up, by the clock of what is counted.
    since: Duration,
    steps: BTreeMap<Weight, Step>,
    /// By cohort: what blue got while nobody was on green.
    before: BTreeMap<u8, Tally>,
    /// Requests to green that still wait for an answer.
    waiting: Waiting,
}

/// What was counted while a step was in force.
#[derive(Default)]
struct Step {
    /// By region: what green got.
    regions: BTreeMap<u16, Traffic>,
    /// By region: requests to green whose clients left soon.
    left: BTreeMap<u16, u64>,
    green: Tally,
    blue: Tally,
    /// Up to when green has been reported.
    newest: Duration,
}

/// What is known of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Shown {
    /// `good`, `bad`, `inconclusive`; `null` where the release has no limits.
    verdict: Option<&'static str>,
    /// Why it is not good.
    why: Option<String>,
    /// Green's traffic since the step began.
    green: Figures,
    /// Blue's since then.
    blue: Figures,
    /// The same tenants on blue before any of them was on green: what green has to be as good as.
    before: Figures,
}

/// Requests, and how they went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Figures {
    /// Requests.
    pub(crate) requests: u64,
    /// How many of them failed.
    pub(crate) errors: u64,
    /// The median time until an answer began, in microseconds; `null` without requests.
    pub(crate) p50_us: Option<u64>,
    /// The 95th percentile of it.
    pub(crate) p95_us: Option<u64>,
    /// The 99th.
    pub(crate) p99_us: Option<u64>,
}

impl Figures {
    pub(crate) fn of(tally: &Tally) -> Self {
        Self {
            requests: tally.requests,
            errors: tally.errors,
            p50_us: tally.latency.quantile(500),
            p95_us: tally.latency.quantile(950),
            p99_us: tally.latency.quantile(990),
        }
    }
}

impl Step {
    fn add(&mut self, pool: Pool, cell: &Cell, limits: &Limits) {
        if !pool.green {
            self.blue.merge(&cell.tally);
            return;
        }
        let counted = limits.count(&cell.tally);
        self.regions.entry(pool.place).or_default().merge(&counted);
        let left = self.left.entry(pool.place).or_default();
        *left = left.saturating_add(cell.tally.left);
        self.green.merge(&cell.tally);
    }
}

impl Evidence {
    /// Forgets what is about another release than this one, if this one is not an older one, and what was counted
    /// before somebody went on with it, which was so `ago`.
    pub(super) fn begin(&mut self, release: &ReleaseIs, ago: Duration, now: Duration) {
        let known = &mut self.release;
        if release.revision < known.revision {
            return;
        }
        if known.id != release.id {
            *self = Self {
                release: release.clone(),
                since: now.saturating_sub(ago),
                ..Self::default()
            };
            return;
        }
        known.revision = release.revision;
        if known.taken_up != release.taken_up {
            known.taken_up = release.taken_up;
            self.since = now.saturating_sub(ago);
            self.steps.clear();
        }
    }

    /// Whether a batch under this table is about it: of this release, and of a step that it has.
    fn is_of(&self, table: &ReleaseOf) -> bool {
        let planned = &self.release.weights;
        let weight = table.weight;
        let known = weight == Weight::ZERO || planned.is_empty() || planned.contains(&weight);
        !table.id.is_empty() && table.id == self.release.id && known
    }

    /// Takes up the cells of an edge's batch, each with the pool it is about.
    pub(super) fn add(
        &mut self,
        edge: &str,
        batch: &Batch,
        cells: &[(Pool, &Cell)],
        now: Duration,
    ) {
        let Some(table) = batch.release.as_ref().filter(|table| self.is_of(table)) else {
            return;
        };
        let green = |(pool, _): &&(Pool, &Cell)| pool.green;
        let open = cells.iter().filter(green);
        let open = open.map(|(pool, cell)| (pool.place, cell.open));
        self.waiting.told(edge, table.weight, open, batch, now);
        let ended = now.saturating_sub(Duration::from_millis(batch.age_ms));
        let begun = ended.saturating_sub(Duration::from_millis(batch.lasted_ms));
        if begun >= self.since {
            let step = self.steps.entry(table.weight).or_default();
            step.newest = step.newest.max(ended);
            let limits = self.release.limits;
            cells
                .iter()
                .for_each(|(pool, cell)| step.add(*pool, cell, &limits));
        }
        let control = |(pool, _): &&(Pool, &Cell)| !pool.green && table.weight == Weight::ZERO;
        for (_, cell) in cells.iter().filter(control) {
            if let Some(cohort) = cell.cohort {
                self.before.entry(cohort).or_default().merge(&cell.tally);
            }
        }
    }

    fn step(&self, step: &StepOf<'_>) -> Option<&Step> {
        let ours = step.release == self.release.id && step.taken_up == self.release.taken_up;
        self.steps.get(&step.weight).filter(|_| ours)
    }

    /// What green's traffic says of a step; with `baked`, whether it was told of up to the end of that.
    pub(super) fn judge(
        &self,
        of: &StepOf<'_>,
        limits: &Limits,
        regions: &[String],
        (baked, now): (Option<Duration>, Duration),
    ) -> Judgement {
        let step = self.step(of);
        let found = step.into_iter().flat_map(|step| &step.regions);
        let found = found.filter_map(|(place, seen)| {
            Some(RegionTraffic {
                region: regions.get(usize::from(*place))?,
                seen: *seen,
                open: self.waiting.open(of.weight, *place, now),
                left: step
                    .and_then(|step| step.left.get(place))
                    .copied()
                    .unwrap_or(0),
            })
        });
        let found: Vec<RegionTraffic<'_>> = found.collect();
        let newest = step.map_or(Duration::ZERO, |step| step.newest);
        match limits.judge(&found, regions.len()) {
            Judgement::Good(_) if baked.is_some_and(|end| newest < end) => {
                let why = "it has baked, and no edge has reported since";
                Judgement::Inconclusive(why.to_owned())
            }
            other => other,
        }
    }

    pub(super) fn shown(
        &self,
        of: &StepOf<'_>,
        limits: Option<&Limits>,
        regions: &[String],
        now: Duration,
    ) -> Shown {
        let (ours, weight) = (of.release == self.release.id, of.weight);
        let judged = limits.map(|limits| self.judge(of, limits, regions, (None, now)));
        let (verdict, why) = match judged {
            None => (None, None),
            Some(Judgement::Inconclusive(_)) if weight == Weight::ZERO => (None, None),
            Some(Judgement::Good(_)) => (Some("good"), None),
            Some(Judgement::Inconclusive(why)) => (Some("inconclusive"), Some(why)),
            Some(Judgement::Bad(found)) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                (Some("bad"), Some(found.join("; ")))
            }
        };
        let nothing = Step::default();
        let step = self.step(of).unwrap_or(&nothing);
        let mut before = Tally::default();
        let same = self.before.range(..=weight.percent()).filter(|_| ours);
        same.for_each(|(_, tally)| before.merge(tally));
        Shown {
            verdict,
            why,
            green: Figures::of(&step.green),
            blue: Figures::of(&step.blue),
            before: Figures::of(&before),
        }
    }
}
