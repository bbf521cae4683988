//! The traffic of one release, step by step: what its steps are judged by.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use halcyon_core::release::{Judgement, Limits, RegionTraffic, Traffic, Weight};
use halcyon_core::telemetry::{Cell, ReleaseOf, Tally};
use serde::Serialize;

use super::ring::Pool;

/// The release that is being judged, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReleaseIs {
    /// Its id.
    pub(crate) id: String,
    /// The last record that changed it.
    pub(crate) revision: u64,
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
    steps: BTreeMap<Weight, Step>,
    /// By cohort: what blue got while nobody was on green.
    before: BTreeMap<u8, Tally>,
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
    /// By edge and region: requests to green that waited when it last told.
    open: HashMap<String, BTreeMap<u16, u64>>,
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

impl Evidence {
    /// Forgets what is about another release than this one, if this one is not an older one.
    pub(super) fn begin(&mut self, release: &ReleaseIs) {
        let known = &mut self.release;
        if known.id == release.id {
            known.revision = known.revision.max(release.revision);
        } else if known.revision <= release.revision {
            *self = Self {
                release: release.clone(),
                ..Self::default()
            };
        }
    }

    /// Whether a batch under this table is about it: of this release, and of a step that it has.
    fn is_of(&self, table: &ReleaseOf) -> bool {
        let planned = &self.release.weights;
        let weight = table.weight;
        let known = weight == Weight::ZERO || planned.is_empty() || planned.contains(&weight);
        !table.id.is_empty() && table.id == self.release.id && known
    }

    /// Begins a batch of an edge, which ended at this time.
    pub(super) fn edge(&mut self, edge: &str, table: &ReleaseOf, ended: Duration) {
        if self.is_of(table) {
            let step = self.steps.entry(table.weight).or_default();
            step.open.insert(edge.to_owned(), BTreeMap::new());
            step.newest = step.newest.max(ended);
        }
    }

    pub(super) fn add(&mut self, edge: &str, table: &ReleaseOf, pool: Pool, cell: &Cell) {
        if !self.is_of(table) {
            return;
        }
        let step = self.steps.entry(table.weight).or_default();
        if pool.green {
            let counted = self.release.limits.count(&cell.tally);
            step.regions.entry(pool.place).or_default().merge(&counted);
            let left = step.left.entry(pool.place).or_default();
            *left = left.saturating_add(cell.tally.left);
            step.green.merge(&cell.tally);
            if cell.open > 0
                && let Some(open) = step.open.get_mut(edge)
            {
                open.insert(pool.place, cell.open);
            }
            return;
        }
        step.blue.merge(&cell.tally);
        if let Some(cohort) = cell.cohort
            && table.weight == Weight::ZERO
        {
            self.before.entry(cohort).or_default().merge(&cell.tally);
        }
    }

    fn step(&self, release: &str, weight: Weight) -> Option<&Step> {
        self.steps
            .get(&weight)
            .filter(|_| release == self.release.id)
    }

    /// What green's traffic says of a step; with `baked`, whether it was told of up to the end of that.
    pub(super) fn judge(
        &self,
        (release, weight): (&str, Weight),
        limits: &Limits,
        regions: &[String],
        baked: Option<Duration>,
    ) -> Judgement {
        let step = self.step(release, weight);
        let found = step.into_iter().flat_map(|step| &step.regions);
        let found = found.filter_map(|(place, seen)| {
            let open = step.into_iter().flat_map(|step| step.open.values());
            let open = open.filter_map(|edge| edge.get(place)).sum();
            Some(RegionTraffic {
                region: regions.get(usize::from(*place))?,
                seen: *seen,
                open,
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
        release: &str,
        weight: Weight,
        limits: Option<&Limits>,
        regions: &[String],
    ) -> Shown {
        let ours = release == self.release.id;
        let judged = limits.map(|limits| self.judge((release, weight), limits, regions, None));
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
        let step = self.step(release, weight).unwrap_or(&nothing);
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
