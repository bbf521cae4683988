//! A decision, step by step, in the words every surface shows.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Placement, Reason, RegionStatus, ResidencyUnavailable, Router, SlotRule, modulo};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::{TenantId, fmix64};
use crate::text::Seen;

/// A decision and the steps that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'r> {
    /// What [`Router::route`] answers for the same question.
    pub outcome: Result<Placement<'r>, ResidencyUnavailable>,
    /// The steps, in order; each is one line.
    pub steps: Vec<String>,
}

impl Router {
    /// Answers like [`route`](Router::route) and says how it came to that.
    pub fn explain(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        slots: &SlotRule,
    ) -> Explanation<'_> {
        let outcome = self.route(tenant, health, slots);
        let h = self.hash(tenant);
        let mut steps = Vec::new();
        self.explain_first_choice(tenant, h, &mut steps);
        self.explain_walk(h, health, &outcome, &mut steps);
        if let Ok(placement) = &outcome {
            steps.push(format!(
                "slot: bucket {} of 10000; green below {}, so {}",
                slots.bucket(h),
                slots.green_below(),
                placement.slot
            ));
        }
        Explanation { outcome, steps }
    }

    fn explain_first_choice(&self, tenant: TenantId<'_>, h: u64, steps: &mut Vec<String>) {
        let preferred = self.name(self.first_choice(h));
        steps.push(match self.sticky {
            Sticky::Primary => {
                format!("primary: tenants are not sticky, so {preferred}, the primary")
            }
            Sticky::Hash => format!(
                "hash: SipHash-1-3 of {} is 0x{h:016x}; mod {} regions is {}, so {preferred}",
                Seen(tenant.as_str()),
                self.len(),
                modulo(h, self.len()),
            ),
        });
    }

    fn explain_walk(
        &self,
        h: u64,
        health: &[RegionStatus],
        outcome: &Result<Placement<'_>, ResidencyUnavailable>,
        steps: &mut Vec<String>,
    ) {
        let status = |index: usize| health.get(index).copied().unwrap_or_default();
        let preferred = self.first_choice(h);
        match outcome {
            Err(why) => steps.push(format!("health: {why}")),
            Ok(placement) => {
                let first = self.name(preferred);
                let was = status(preferred).name();
                steps.push(match placement.reason {
                    Reason::Primary | Reason::Hash => {
                        format!("health: {first} is {was}, so it serves")
                    }
                    Reason::AllDown => format!(
                        "health: no region is up or draining, so {} as if all were up",
                        placement.region
                    ),
                    Reason::Failover => format!(
                        "health: {first} is {was}; {}",
                        self.failover_step(h, preferred, health, placement)
                    ),
                });
            }
        }
    }

    fn failover_step(
        &self,
        h: u64,
        preferred: usize,
        health: &[RegionStatus],
        placement: &Placement<'_>,
    ) -> String {
        let status = |index: usize| health.get(index).copied().unwrap_or_default();
        let wanted = if (0..self.len()).any(|index| status(index) == RegionStatus::Up) {
            RegionStatus::Up
        } else {
            RegionStatus::Draining
        };
        let takes = placement.region;
        match self.policy {
            FailoverPolicy::Ordered => {
                format!(
                    "ordered: the next region after {} that is {} is {takes}",
                    self.name(preferred),
                    wanted.name()
                )
            }
            FailoverPolicy::RoundRobin => {
                let survivors = (0..self.len())
                    .filter(|&index| status(index) == wanted)
                    .count();
                format!(
                    "round_robin: fmix64 of the hash is 0x{:016x}; mod {survivors} regions that are {} is {}, so {takes}",
                    fmix64(h),
                    wanted.name(),
                    modulo(fmix64(h), survivors),
                )
            }
        }
    }
}
