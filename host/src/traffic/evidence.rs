//! The traffic of one release, step by step: what its steps are judged by.

use std::collections::BTreeMap;

use halcyon_core::release::{Judgement, Limits, Weight};
use halcyon_core::telemetry::{Cell, ReleaseOf, Tally};
use serde::Serialize;

use super::ring::Pool;

/// What was counted under the tables of one release.
#[derive(Default)]
pub(super) struct Evidence {
    release: String,
    /// By the weight in the table, then by region: what green got.
    green: BTreeMap<Weight, BTreeMap<u16, Tally>>,
    /// By the weight in the table: what blue got.
    blue: BTreeMap<Weight, Tally>,
    /// By cohort: what blue got while nobody was on green.
    before: BTreeMap<u8, Tally>,
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
    /// Forgets what is about another release than this one.
    pub(super) fn begin(&mut self, release: Option<&str>) {
        let release = release.unwrap_or_default();
        if self.release != release {
            *self = Self {
                release: release.to_owned(),
                ..Self::default()
            };
        }
    }

    pub(super) fn add(&mut self, release: &ReleaseOf, pool: Pool, cell: &Cell) {
        if self.release.is_empty() || release.id != self.release {
            return;
        }
        if pool.green {
            let regions = self.green.entry(release.weight).or_default();
            regions.entry(pool.place).or_default().merge(&cell.tally);
            return;
        }
        self.blue
            .entry(release.weight)
            .or_default()
            .merge(&cell.tally);
        if let Some(cohort) = cell.cohort
            && release.weight == Weight::ZERO
        {
            self.before.entry(cohort).or_default().merge(&cell.tally);
        }
    }

    /// Green's traffic at a step, by region.
    fn at<'e>(
        &'e self,
        release: &str,
        weight: Weight,
        regions: &'e [String],
    ) -> Vec<(&'e str, &'e Tally)> {
        let step = self.green.get(&weight).filter(|_| release == self.release);
        let named = step.into_iter().flatten().filter_map(|(place, tally)| {
            let name = regions.get(usize::from(*place))?;
            Some((name.as_str(), tally))
        });
        named.collect()
    }

    pub(super) fn judge(
        &self,
        release: &str,
        weight: Weight,
        limits: &Limits,
        regions: &[String],
    ) -> Judgement {
        limits.judge(&self.at(release, weight, regions))
    }

    pub(super) fn shown(
        &self,
        release: &str,
        weight: Weight,
        limits: Option<&Limits>,
        regions: &[String],
    ) -> Shown {
        let ours = release == self.release;
        let at = self.at(release, weight, regions);
        let limits = limits.filter(|_| weight > Weight::ZERO);
        let (verdict, why) = match limits.map(|limits| limits.judge(&at)) {
            None => (None, None),
            Some(Judgement::Good(_)) => (Some("good"), None),
            Some(Judgement::Inconclusive(why)) => (Some("inconclusive"), Some(why)),
            Some(Judgement::Bad(found)) => {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                (Some("bad"), Some(found.join("; ")))
            }
        };
        let merged = |tallies: &mut dyn Iterator<Item = &Tally>| {
            let mut all = Tally::default();
            tallies.for_each(|tally| all.merge(tally));
            Figures::of(&all)
        };
        let same = self.before.range(..=weight.percent()).filter(|_| ours);
        let blue = self.blue.get(&weight).filter(|_| ours);
        Shown {
            verdict,
            why,
            green: merged(&mut at.iter().map(|(_, tally)| *tally)),
            blue: merged(&mut blue.into_iter()),
            before: merged(&mut same.map(|(_, tally)| tally)),
        }
    }
}
