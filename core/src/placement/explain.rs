//! A decision, step by step, in the words every surface shows.

use alloc::string::String;
use alloc::vec::Vec;

use super::allowed::Allowed;
use super::walk::{self, First};
use super::{
    Placement, Reason, RegionStatus, ResidencyUnavailable, Router, Slot, SlotRule, modulo,
    rendezvous,
};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::{TenantId, fmix64};
use crate::text::{count, hex, list, message, number};

/// How many regions a step lists.
const LISTED: usize = 8;

/// A decision and the steps that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'r> {
    /// What [`Router::route`] answers for the same question.
    pub outcome: Result<Placement<'r>, ResidencyUnavailable>,
    /// The steps, in order; each is one line of printable ASCII.
    pub steps: Vec<String>,
}

/// One question, as the steps look at it.
struct Question<'q> {
    tenant: TenantId<'q>,
    h: u64,
    allowed: Allowed<'q>,
    pin: Option<usize>,
    health: &'q [RegionStatus],
}

impl Question<'_> {
    fn status(&self, place: usize) -> RegionStatus {
        self.health.get(place).copied().unwrap_or_default()
    }
}

impl Router {
    /// Answers like [`route`](Router::route) and says how it came to that.
    ///
    /// ```
    /// use halcyon_core::hash::TenantId;
    /// use halcyon_core::placement::{RegionStatus, Router};
    ///
    /// let env = |name: &str| (matches!(name, "REGIONS" | "PRIMARY_REGION"))
    ///     .then(|| if name == "REGIONS" { "us-east,us-west" } else { "us-east" }.into());
    /// let router = Router::from_lookup(&env)?;
    /// let acme = TenantId::new("acme").unwrap();
    /// let explained = router.explain(acme, &[RegionStatus::Down], &router.slot_rule(None));
    /// assert_eq!(explained.steps[1], "health: us-east is down; ordered: the next region after us-east that is up, so us-west");
    /// # Ok::<(), halcyon_core::regions::ConfigError>(())
    /// ```
    pub fn explain(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        slots: &SlotRule,
    ) -> Explanation<'_> {
        let outcome = self.route(tenant, health, slots);
        let asked = self.under(health);
        let (allowed, pin) = walk::bounds(asked, tenant);
        let question = Question {
            tenant,
            h: self.hash(tenant),
            allowed,
            pin,
            health,
        };
        let mut steps = Vec::new();
        steps.extend(self.residency_step(&question));
        steps.extend(self.pin_step(&question));
        if let Ok(first) = walk::first_choice(asked, question.h, allowed, pin) {
            if first.reason != Reason::Pinned {
                steps.push(self.rule_step(&question, first.place));
            }
            steps.push(self.health_step(&question, first, &outcome));
        }
        if let Ok(placement) = &outcome {
            steps.push(self.slot_step(&question, slots, placement));
        }
        Explanation { outcome, steps }
    }

    fn residency_step(&self, question: &Question<'_>) -> Option<String> {
        let pattern = self.rules.residency.pattern(question.tenant)?;
        Some(match question.allowed.len() {
            0 => message!(
                "residency: rule {?} allows no region, so none serves",
                &pattern
            )
            .text(),
            _ => {
                let allowed = self.listed(&mut question.allowed.iter());
                message!("residency: rule {?} allows {}", &pattern, &allowed).text()
            }
        })
    }

    fn pin_step(&self, question: &Question<'_>) -> Option<String> {
        let pattern = self.rules.pins.pattern(question.tenant)?;
        let name = self.name(question.pin?).as_str();
        Some(match question.allowed.contains(question.pin?) {
            true => message!("pin: rule {?} pins it to {}, so {}", &pattern, name, name).text(),
            false => message!(
                "pin: rule {?} pins it to {}, which residency does not allow: ignored",
                &pattern,
                name
            )
            .text(),
        })
    }

    fn rule_step(&self, question: &Question<'_>, first: usize) -> String {
        let name = self.name(first).as_str();
        let (tenant, h) = (question.tenant.as_str(), question.h);
        let bits = hex(h);
        let among = match question.allowed {
            Allowed::All(_) => "",
            Allowed::Only(_) => " allowed",
        };
        match self.sticky {
            Sticky::Primary if first == self.primary => {
                message!("primary: tenants are not sticky, so {}, the primary", name).text()
            }
            Sticky::Primary => message!(
                "primary: tenants are not sticky and {} is not allowed, so {}, the first that is",
                self.name(self.primary).as_str(),
                name
            )
            .text(),
            Sticky::Hash => {
                let regions = question.allowed.len();
                message!(
                    "hash: SipHash-1-3 of {?} is 0x{}; mod {}{} regions is {}, so {}",
                    tenant,
                    &bits,
                    &count(regions),
                    among,
                    &count(modulo(h, regions)),
                    name
                )
                .text()
            }
            Sticky::Rendezvous => {
                let order = self.order(h).into_iter();
                let mut allowed = order.filter(|place| question.allowed.contains(*place));
                message!(
                    "rendezvous: SipHash-1-3 of {?} is 0x{}; bucket {} of 65536 prefers {}, so {}",
                    tenant,
                    &bits,
                    &number(rendezvous::bucket(h).into()),
                    &self.listed(&mut allowed),
                    name
                )
                .text()
            }
        }
    }

    fn health_step(
        &self,
        question: &Question<'_>,
        first: First,
        outcome: &Result<Placement<'_>, ResidencyUnavailable>,
    ) -> String {
        let name = self.name(first.place).as_str();
        let was = question.status(first.place).name();
        let failover = || self.failover(question, first.place);
        match outcome {
            Err(why) => message!("health: {}", why.text()).text(),
            Ok(placement) => match placement.reason {
                Reason::AllDown if placement.region.as_str() == name => message!(
                    "health: no allowed region is up or draining, so {} as if all were up",
                    name
                )
                .text(),
                Reason::AllDown => message!(
                    "health: no allowed region is up or draining, and {} is {}; {}, so {} as if all were up",
                    name,
                    was,
                    &failover(),
                    placement.region.as_str()
                )
                .text(),
                Reason::Failover => message!(
                    "health: {} is {}; {}, so {}",
                    name,
                    was,
                    &failover(),
                    placement.region.as_str()
                )
                .text(),
                Reason::Primary
                | Reason::Hash
                | Reason::Rendezvous
                | Reason::Residency
                | Reason::Pinned => message!("health: {} is {}, so it serves", name, was).text(),
            },
        }
    }

    fn failover(&self, question: &Question<'_>, first: usize) -> String {
        let is = |place: &usize, wanted: RegionStatus| question.status(*place) == wanted;
        let all = question.allowed.iter();
        let any = |wanted| all.clone().any(|place| is(&place, wanted));
        let wanted = if any(RegionStatus::Up) {
            RegionStatus::Up
        } else if any(RegionStatus::Draining) {
            RegionStatus::Draining
        } else {
            RegionStatus::Down
        };
        match self.policy {
            FailoverPolicy::Ordered => message!(
                "ordered: the next region after {} that is {}",
                self.name(first).as_str(),
                wanted.name()
            )
            .text(),
            FailoverPolicy::RoundRobin => {
                let survivors = all.filter(|place| is(place, wanted)).count();
                let mixed = fmix64(question.h);
                message!(
                    "round_robin: fmix64 of the hash is 0x{}; mod {} regions that are {} is {}",
                    &hex(mixed),
                    &count(survivors),
                    wanted.name(),
                    &count(modulo(mixed, survivors))
                )
                .text()
            }
            FailoverPolicy::Rendezvous => {
                let order = self.order(question.h).into_iter();
                let mut survivors =
                    order.filter(|place| question.allowed.contains(*place) && is(place, wanted));
                message!(
                    "rendezvous: of those that are {} it prefers {}",
                    wanted.name(),
                    &self.listed(&mut survivors)
                )
                .text()
            }
        }
    }

    fn slot_step(
        &self,
        question: &Question<'_>,
        slots: &SlotRule,
        placement: &Placement<'_>,
    ) -> String {
        let pattern = self.rules.slots.pattern(question.tenant);
        if let Some(pattern) = pattern.filter(|_| slots.rules_apply()) {
            let slot = placement.slot.name();
            return message!("slot: rule {?} says {}", &pattern, slot).text();
        }
        if !slots.rules_apply() {
            let why = match placement.slot {
                Slot::Blue => "no release gives green a share",
                Slot::Green => "green is live",
            };
            return message!("slot: {}, so {}", why, placement.slot.name()).text();
        }
        message!(
            "slot: bucket {} of 10000; green below {}, so {}",
            &number(slots.bucket(question.h)),
            &number(slots.green_below()),
            placement.slot.name()
        )
        .text()
    }

    /// All regions in the tenant's own order.
    fn order(&self, h: u64) -> Vec<usize> {
        let order = self.rendezvous.draws().order(rendezvous::bucket(h));
        order
            .into_iter()
            .map(|(place, _)| usize::from(place))
            .collect()
    }

    /// Names, the first few of many.
    fn listed(&self, places: &mut dyn Iterator<Item = usize>) -> String {
        let mut text = String::new();
        let mut seen = 0_usize;
        for place in places {
            if seen < LISTED {
                list(self.name(place).as_str(), &mut text);
            }
            seen = seen.saturating_add(1);
        }
        if seen > LISTED {
            let more = count(seen.saturating_sub(LISTED));
            message!(" and {} more", &more).add_to(&mut text);
        }
        text
    }
}
