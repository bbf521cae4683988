//! A decision, step by step, in the words every surface shows.

use alloc::format;
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
use crate::text::Seen;

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
            0 => format!(
                "residency: rule {} allows no region, so none serves",
                Seen(&pattern)
            ),
            _ => format!(
                "residency: rule {} allows {}",
                Seen(&pattern),
                self.listed(question.allowed.iter())
            ),
        })
    }

    fn pin_step(&self, question: &Question<'_>) -> Option<String> {
        let pattern = self.rules.pins.pattern(question.tenant)?;
        let name = self.name(question.pin?);
        Some(match question.allowed.contains(question.pin?) {
            true => format!("pin: rule {} pins it to {name}, so {name}", Seen(&pattern)),
            false => format!(
                "pin: rule {} pins it to {name}, which residency does not allow: ignored",
                Seen(&pattern)
            ),
        })
    }

    fn rule_step(&self, question: &Question<'_>, first: usize) -> String {
        let name = self.name(first);
        let (tenant, h) = (Seen(question.tenant.as_str()), question.h);
        let among = match question.allowed {
            Allowed::All(_) => "",
            Allowed::Only(_) => " allowed",
        };
        match self.sticky {
            Sticky::Primary if first == self.primary => {
                format!("primary: tenants are not sticky, so {name}, the primary")
            }
            Sticky::Primary => format!(
                "primary: tenants are not sticky and {} is not allowed, so {name}, the first that is",
                self.name(self.primary)
            ),
            Sticky::Hash => format!(
                "hash: SipHash-1-3 of {tenant} is 0x{h:016x}; mod {}{among} regions is {}, so {name}",
                question.allowed.len(),
                modulo(h, question.allowed.len()),
            ),
            Sticky::Rendezvous => format!(
                "rendezvous: SipHash-1-3 of {tenant} is 0x{h:016x}; bucket {} of 65536 prefers {}, so {name}",
                rendezvous::bucket(h),
                self.listed(
                    self.order(h)
                        .filter(|place| question.allowed.contains(*place))
                ),
            ),
        }
    }

    fn health_step(
        &self,
        question: &Question<'_>,
        first: First,
        outcome: &Result<Placement<'_>, ResidencyUnavailable>,
    ) -> String {
        let name = self.name(first.place);
        let was = question.status(first.place).name();
        match outcome {
            Err(why) => format!("health: {why}"),
            Ok(placement) => match placement.reason {
                Reason::AllDown if placement.region == name => format!(
                    "health: no allowed region is up or draining, so {name} as if all were up"
                ),
                Reason::AllDown => format!(
                    "health: no allowed region is up or draining, and {name} is {was}; {}, so {} as if all were up",
                    self.failover(question, first.place),
                    placement.region
                ),
                Reason::Failover => format!(
                    "health: {name} is {was}; {}, so {}",
                    self.failover(question, first.place),
                    placement.region
                ),
                Reason::Primary
                | Reason::Hash
                | Reason::Rendezvous
                | Reason::Residency
                | Reason::Pinned => format!("health: {name} is {was}, so it serves"),
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
            FailoverPolicy::Ordered => format!(
                "ordered: the next region after {} that is {}",
                self.name(first),
                wanted.name()
            ),
            FailoverPolicy::RoundRobin => {
                let survivors = all.filter(|place| is(place, wanted)).count();
                let mixed = fmix64(question.h);
                format!(
                    "round_robin: fmix64 of the hash is 0x{mixed:016x}; mod {survivors} regions that are {} is {}",
                    wanted.name(),
                    modulo(mixed, survivors),
                )
            }
            FailoverPolicy::Rendezvous => {
                let order = self.order(question.h);
                let survivors =
                    order.filter(|place| question.allowed.contains(*place) && is(place, wanted));
                format!(
                    "rendezvous: of those that are {} it prefers {}",
                    wanted.name(),
                    self.listed(survivors)
                )
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
            return format!("slot: rule {} says {}", Seen(&pattern), placement.slot);
        }
        if !slots.rules_apply() {
            let why = match placement.slot {
                Slot::Blue => "no release gives green a share",
                Slot::Green => "green is live",
            };
            return format!("slot: {why}, so {}", placement.slot);
        }
        format!(
            "slot: bucket {} of 10000; green below {}, so {}",
            slots.bucket(question.h),
            slots.green_below(),
            placement.slot
        )
    }

    /// All regions in the tenant's own order.
    fn order(&self, h: u64) -> impl Iterator<Item = usize> + use<> {
        let order = self.rendezvous.draws().order(rendezvous::bucket(h));
        order.into_iter().map(|(place, _)| usize::from(place))
    }

    /// Names, the first few of many.
    fn listed(&self, places: impl Iterator<Item = usize>) -> String {
        let mut text = String::new();
        let mut more = 0_usize;
        for (index, place) in places.enumerate() {
            if index >= LISTED {
                more = more.saturating_add(1);
                continue;
            }
            if index > 0 {
                text.push_str(", ");
            }
            text.push_str(self.name(place).as_str());
        }
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    }
}
