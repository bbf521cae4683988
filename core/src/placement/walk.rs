//! From the first choice past regions that do not serve.

use super::allowed::Allowed;
use super::status::{Reason, RegionStatus, ResidencyUnavailable};
use super::{Router, modulo, rendezvous};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::fmix64;

/// A tenant's first choice, health aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    pub(super) place: usize,
    pub(super) reason: Reason,
}

impl Router {
    /// The first choice over the allowed regions: the pin if it is one of them, else the rule's.
    pub(super) fn first_choice(
        &self,
        h: u64,
        allowed: Allowed<'_>,
        pin: Option<usize>,
    ) -> Result<First, ResidencyUnavailable> {
        if let Some(place) = pin.filter(|place| allowed.contains(*place)) {
            let reason = Reason::Pinned;
            return Ok(First { place, reason });
        }
        let by_rule = self.rule_choice(h, allowed);
        let place = by_rule.ok_or(ResidencyUnavailable::NoneAllowed)?;
        let reason = match allowed {
            Allowed::Only(_) => Reason::Residency,
            Allowed::All(_) => self.reason,
        };
        Ok(First { place, reason })
    }

    fn rule_choice(&self, h: u64, allowed: Allowed<'_>) -> Option<usize> {
        match (self.sticky, allowed) {
            (_, Allowed::All(_)) => Some(self.everybody.choice(h, &self.rendezvous)),
            (Sticky::Primary, _) if allowed.contains(self.primary) => Some(self.primary),
            (Sticky::Primary, _) => allowed.at(0),
            (Sticky::Hash, _) => allowed.at(modulo(h, allowed.len())),
            (Sticky::Rendezvous, Allowed::Only(_)) => {
                self.preferred_of(h, |place| allowed.contains(place))
            }
        }
    }

    /// The first of the eligible regions in the tenant's own order.
    fn preferred_of(&self, h: u64, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        let eligible = |place: u16| eligible(usize::from(place));
        let first = self.rendezvous.first_of(rendezvous::bucket(h), eligible);
        first.map(usize::from)
    }

    /// Up before draining before down; forbidden never.
    pub(super) fn past_health(
        &self,
        h: u64,
        first: First,
        allowed: Allowed<'_>,
        health: &[RegionStatus],
    ) -> Result<First, ResidencyUnavailable> {
        let status = |place: usize| health.get(place).copied().unwrap_or_default();
        if status(first.place) == RegionStatus::Up {
            return Ok(first);
        }
        for (serving, reason) in [
            (RegionStatus::Up, Reason::Failover),
            (RegionStatus::Draining, Reason::Failover),
            (RegionStatus::Down, Reason::AllDown),
        ] {
            let walked = self.walk(h, first.place, allowed, |place| status(place) == serving);
            if let Some(place) = walked {
                let stays = place == first.place && reason == Reason::Failover;
                return Ok(if stays {
                    first
                } else {
                    First { place, reason }
                });
            }
        }
        Err(ResidencyUnavailable::AllForbidden)
    }

    /// The first choice if it is eligible, else what the policy takes among the eligible.
    pub(super) fn walk(
        &self,
        h: u64,
        first: usize,
        allowed: Allowed<'_>,
        eligible: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if eligible(first) {
            return Some(first);
        }
        match self.policy {
            FailoverPolicy::Ordered => allowed.after(first).find(|place| eligible(*place)),
            FailoverPolicy::RoundRobin => {
                let mut survivors = allowed.iter().filter(|place| eligible(*place));
                let count = survivors.clone().count();
                // Mixed first: h mod m alone correlates with the first choice h mod n, and would send
                // all displaced tenants to one survivor.
                survivors.nth(modulo(fmix64(h), count))
            }
            FailoverPolicy::Rendezvous => {
                self.preferred_of(h, |place| allowed.contains(place) && eligible(place))
            }
        }
    }
}
