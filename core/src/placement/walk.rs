//! The decision: from the first choice past regions that do not serve.
//!
//! One code for whoever knows the facts: a router, and a table in its bytes.

use super::allowed::{Allowed, Place};
use super::slot::{Slot, SlotRule};
use super::status::{Reason, RegionStatus, ResidencyUnavailable};
use super::{Decision, modulo, rendezvous};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::{TenantId, fmix64};

/// What a decision asks. A place is less than [`regions`](Self::regions).
pub(crate) trait Facts: Copy {
    /// How a residency rule keeps its places.
    type Place: Place;
    /// How many regions there are, at least one.
    fn regions(self) -> usize;
    fn sticky(self) -> Sticky;
    fn policy(self) -> FailoverPolicy;
    /// The primary's place; only asked where tenants go to it.
    fn primary(self) -> usize;
    fn status(self, place: usize) -> RegionStatus;
    /// The first choice of a tenant that no rule is about.
    fn everybody(self, h: u64) -> usize;
    /// The first of the eligible regions in the bucket's order.
    fn first_of(self, bucket: u16, eligible: impl Fn(u16) -> bool) -> Option<u16>;
    /// Whether there is any rule for single tenants.
    fn has_rules(self) -> bool;
    /// Where residency allows the tenant, where it says something.
    fn residency<'r>(self, tenant: TenantId<'_>) -> Option<&'r [Self::Place]>
    where
        Self: 'r;
    /// The place where the tenant is pinned.
    fn pin(self, tenant: TenantId<'_>) -> Option<usize>;
    /// The slot that a rule gives the tenant.
    fn slot(self, tenant: TenantId<'_>) -> Option<Slot>;
}

/// A tenant's first choice, health aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    pub(super) place: usize,
    pub(super) reason: Reason,
}

/// Where the tenant with hash `h` goes.
#[inline]
pub(crate) fn decide(
    facts: impl Facts,
    tenant: TenantId<'_>,
    h: u64,
    slots: &SlotRule,
) -> Result<Decision, ResidencyUnavailable> {
    // The way of nearly every decision: no rules, all up.
    if !facts.has_rules() {
        let place = facts.everybody(h);
        if facts.status(place) == RegionStatus::Up {
            return Ok(Decision {
                region: place,
                preferred: place,
                slot: slots.slot(h),
                reason: rules_reason(facts.sticky()),
            });
        }
    }
    decide_by_rules(facts, tenant, h, slots)
}

#[inline(never)]
fn decide_by_rules(
    facts: impl Facts,
    tenant: TenantId<'_>,
    h: u64,
    slots: &SlotRule,
) -> Result<Decision, ResidencyUnavailable> {
    let (allowed, pin) = bounds(facts, tenant);
    let first = first_choice(facts, h, allowed, pin)?;
    let served = past_health(facts, h, first, allowed)?;
    Ok(Decision {
        region: served.place,
        preferred: first.place,
        slot: slot(facts, tenant, h, slots),
        reason: served.reason,
    })
}

/// The reason of a choice by nothing but the rule.
#[inline]
pub(super) fn rules_reason(sticky: Sticky) -> Reason {
    match sticky {
        Sticky::Primary => Reason::Primary,
        Sticky::Hash => Reason::Hash,
        Sticky::Rendezvous => Reason::Rendezvous,
    }
}

/// What the rules say of the tenant: where it may be, and where it is pinned.
pub(super) fn bounds<'r, F: Facts + 'r>(
    facts: F,
    tenant: TenantId<'_>,
) -> (Allowed<'r, F::Place>, Option<usize>) {
    let all = Allowed::All(facts.regions());
    if !facts.has_rules() {
        return (all, None);
    }
    let residency = facts.residency(tenant);
    (residency.map_or(all, Allowed::Only), facts.pin(tenant))
}

/// The slot a rule gives the tenant while slot rules apply, else its bucket's.
fn slot(facts: impl Facts, tenant: TenantId<'_>, h: u64, slots: &SlotRule) -> Slot {
    let by_rule = match slots.rules_apply() {
        true => facts.slot(tenant),
        false => None,
    };
    by_rule.unwrap_or_else(|| slots.slot(h))
}

/// The first choice over the allowed regions: the pin if it is one of them, else the rule's.
pub(super) fn first_choice<F: Facts>(
    facts: F,
    h: u64,
    allowed: Allowed<'_, F::Place>,
    pin: Option<usize>,
) -> Result<First, ResidencyUnavailable> {
    if let Some(place) = pin.filter(|place| allowed.contains(*place)) {
        let reason = Reason::Pinned;
        return Ok(First { place, reason });
    }
    let by_rule = rule_choice(facts, h, allowed);
    let place = by_rule.ok_or(ResidencyUnavailable::NoneAllowed)?;
    let reason = match allowed {
        Allowed::Only(_) => Reason::Residency,
        Allowed::All(_) => rules_reason(facts.sticky()),
    };
    Ok(First { place, reason })
}

fn rule_choice<F: Facts>(facts: F, h: u64, allowed: Allowed<'_, F::Place>) -> Option<usize> {
    match (facts.sticky(), allowed) {
        (_, Allowed::All(_)) => Some(facts.everybody(h)),
        (Sticky::Primary, _) if allowed.contains(facts.primary()) => Some(facts.primary()),
        (Sticky::Primary, _) => allowed.at(0),
        (Sticky::Hash, _) => allowed.at(modulo(h, allowed.len())),
        (Sticky::Rendezvous, Allowed::Only(_)) => preferred_of(facts, h, allowed, None),
    }
}

/// The first of the allowed regions in the tenant's own order, of this status where one is given.
fn preferred_of<F: Facts>(
    facts: F,
    h: u64,
    allowed: Allowed<'_, F::Place>,
    serving: Option<RegionStatus>,
) -> Option<usize> {
    let eligible = |place: u16| {
        let place = usize::from(place);
        let serves = serving.is_none_or(|serving| facts.status(place) == serving);
        serves && allowed.contains(place)
    };
    let first = facts.first_of(rendezvous::bucket(h), eligible);
    first.map(usize::from)
}

/// Up before draining before down; forbidden never.
fn past_health<F: Facts>(
    facts: F,
    h: u64,
    first: First,
    allowed: Allowed<'_, F::Place>,
) -> Result<First, ResidencyUnavailable> {
    if facts.status(first.place) == RegionStatus::Up {
        return Ok(first);
    }
    for (serving, reason) in [
        (RegionStatus::Up, Reason::Failover),
        (RegionStatus::Draining, Reason::Failover),
        (RegionStatus::Down, Reason::AllDown),
    ] {
        if let Some(place) = walk(facts, h, first.place, allowed, serving) {
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

/// The first choice if it is of this status, else what the policy takes among those that are.
fn walk<F: Facts>(
    facts: F,
    h: u64,
    first: usize,
    allowed: Allowed<'_, F::Place>,
    serving: RegionStatus,
) -> Option<usize> {
    let eligible = |place: &usize| facts.status(*place) == serving;
    if eligible(&first) {
        return Some(first);
    }
    let others = allowed.iter().filter(eligible);
    match facts.policy() {
        // The next one, or at the end of the list the first.
        FailoverPolicy::Ordered => {
            let mut before = None;
            for place in others {
                if place > first {
                    return Some(place);
                }
                before = before.or(Some(place));
            }
            before
        }
        FailoverPolicy::RoundRobin => {
            // Mixed first: h mod m alone correlates with the first choice h mod n, and would send
            // all displaced tenants to one survivor.
            let chosen = modulo(fmix64(h), others.clone().count());
            others
                .zip(0_usize..)
                .find_map(|(place, index)| (index == chosen).then_some(place))
        }
        FailoverPolicy::Rendezvous => preferred_of(facts, h, allowed, Some(serving)),
    }
}
