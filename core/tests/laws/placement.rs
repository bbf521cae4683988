//! Laws 1 to 7: placement is total, every answer is one the contract allows, and only those move who
//! must.

use halcyon_core::config::Environment;
use halcyon_core::document::Document;
use halcyon_core::hash::{HashKey, TenantId};
use halcyon_core::placement::{
    Placement, Reason, RegionStatus, ReleaseView, Router, Slot, SlotRule,
};
use halcyon_core::release::{Phase, Weight};
use proptest::prelude::*;

/// A configuration to make routers of, as it is and changed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Names and weights, in order.
    pub(crate) regions: Vec<(String, u16)>,
    pub(crate) primary: String,
    pub(crate) sticky: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) key: String,
    /// Members of the three lists of rules.
    pub(crate) residency: Vec<String>,
    pub(crate) pins: Vec<String>,
    pub(crate) slots: Vec<String>,
}

impl Environment for Config {
    fn variable(&self, name: &str) -> Option<String> {
        let join = |items: Vec<String>| items.join(",");
        Some(match name {
            "REGIONS" => join(self.regions.iter().map(|(name, _)| name.clone()).collect()),
            "REGION_WEIGHTS" => {
                let weight = |(name, weight): &(String, u16)| format!("{name}={weight}");
                join(self.regions.iter().map(weight).collect())
            }
            "PRIMARY_REGION" => self.primary.clone(),
            "TENANT_STICKY" => self.sticky.into(),
            "FAILOVER_POLICY" => self.policy.into(),
            "TENANT_HASH_KEY" => self.key.clone(),
            "TENANT_RULES_FILE" => "rules.json".into(),
            _ => return None,
        })
    }

    fn document(&self, _: &str, _: &str) -> Result<Document, String> {
        Document::from_json(&format!(
            r#"{{"residency":[{}],"pins":[{}],"slots":[{}]}}"#,
            self.residency.join(","),
            self.pins.join(","),
            self.slots.join(",")
        ))
    }
}

impl Config {
    pub(crate) fn router(&self) -> Router {
        Router::from_lookup(self).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.regions.iter().map(|(name, _)| name.as_str()).collect()
    }
}

const STICKY: [&str; 3] = ["primary", "hash", "rendezvous"];
const POLICIES: [&str; 3] = ["ordered", "round_robin", "rendezvous"];

pub(crate) fn statuses() -> impl Strategy<Value = RegionStatus> {
    proptest::sample::select(RegionStatus::ALL.to_vec())
}

fn weights() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), 1_u16..5, any::<u16>()]
}

/// Up to 40 regions, every rule and policy, and rules for tenants that begin with `a`.
pub(crate) fn configs() -> impl Strategy<Value = Config> {
    let regions = proptest::collection::vec(weights(), 1..40);
    let rules = (any::<u64>(), any::<prop::sample::Index>(), 0_u8..8);
    (
        regions,
        any::<prop::sample::Index>(),
        0_usize..3,
        0_usize..3,
        any::<[u8; 16]>(),
        rules,
    )
        .prop_map(
            |(weights, primary, sticky, policy, key, (set, pin, which))| {
                let name = |n: usize| format!("r{n}");
                let count = weights.len();
                let allowed: Vec<String> = (0..count)
                    .filter(|n| set >> (n % 64) & 1 == 1)
                    .map(|n| format!("\"{}\"", name(n)))
                    .collect();
                let rule = |on: u8, text: String| if which & on != 0 { vec![text] } else { vec![] };
                Config {
                    regions: weights
                        .into_iter()
                        .enumerate()
                        .map(|(n, weight)| (name(n), weight))
                        .collect(),
                    primary: name(primary.index(count)),
                    sticky: STICKY[sticky],
                    policy: POLICIES[policy],
                    key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
                    residency: rule(
                        1,
                        format!(r#"{{"tenant":"a*","regions":[{}]}}"#, allowed.join(",")),
                    ),
                    pins: rule(
                        2,
                        format!(
                            r#"{{"tenant":"ab*","region":"{}"}}"#,
                            name(pin.index(count))
                        ),
                    ),
                    slots: rule(4, r#"{"tenant":"abc","slot":"green"}"#.into()),
                }
            },
        )
}

/// Tenants, often such that have rules.
pub(crate) fn ids() -> impl Strategy<Value = String> {
    prop_oneof![1 => "\\PC{1,40}|(?s:.{1,40})", 1 => "a[a-c]{0,3}", 1 => "tenant[0-9]{1,4}"]
}

pub(crate) fn canary(router: &Router, percent: i64) -> SlotRule {
    router.slot_rule(Some(ReleaseView {
        id: "r",
        phase: Phase::Canary,
        weight: Weight::new(percent).unwrap(),
    }))
}

fn allowed(config: &Config, tenant: &str) -> Vec<bool> {
    let rule = config.residency.first().filter(|_| tenant.starts_with('a'));
    let names = config.names().into_iter();
    names
        .map(|name| rule.is_none_or(|rule| rule.contains(&format!("\"{name}\""))))
        .collect()
}

proptest! {
    #[test]
    fn any_tenant_has_an_answer_inside_its_allowed_set_and_the_best_there_is(
        config in configs(),
        tenant in ids(),
        health in proptest::collection::vec(statuses(), 0..50),
        percent in 0_i64..=100,
    ) {
        let router = config.router();
        let id = TenantId::new(&tenant).unwrap();
        let slots = canary(&router, percent);
        let status = |index: usize| health.get(index).copied().unwrap_or_default();
        let allowed = allowed(&config, &tenant);
        let best = [RegionStatus::Up, RegionStatus::Draining, RegionStatus::Down]
            .into_iter()
            .find(|wanted| (0..router.len()).any(|index| allowed[index] && status(index) == *wanted));
        let found = router.route(id, &health, &slots);
        let again = config.router();
        prop_assert_eq!(&again.route(id, &health, &slots), &found, "the same inputs, the same output");
        prop_assert_eq!(&router.explain(id, &health, &slots).outcome, &found);
        prop_assert_eq!(found.is_ok(), best.is_some());
        if let Ok(found) = found {
            let index = router.regions().iter().position(|region| region == found.region).unwrap();
            prop_assert_eq!(Some(status(index)), best);
            prop_assert!(allowed[index]);
            prop_assert_eq!(Ok(found.preferred), router.preferred(id));
            prop_assert_eq!(found.reason == Reason::AllDown, best == Some(RegionStatus::Down));
            prop_assert_eq!(found.slot, router.route(id, &[], &slots).unwrap().slot, "failing over keeps the colour");
        }
    }

    #[test]
    fn what_was_asked_before_changes_no_answer(config in configs(), tenants in proptest::collection::vec(ids(), 1..20), health in proptest::collection::vec(statuses(), 40)) {
        let router = config.router();
        let slots = canary(&router, 30);
        let ask = |tenant: &String| format!("{:?}", router.route(TenantId::new(tenant).unwrap(), &health, &slots));
        let forwards: Vec<String> = tenants.iter().map(ask).collect();
        let mut backwards: Vec<String> = tenants.iter().rev().map(ask).collect();
        backwards.reverse();
        prop_assert_eq!(forwards, backwards);
    }

    #[test]
    fn a_region_that_is_lost_and_comes_back_has_exactly_its_former_tenants(config in configs(), lost in any::<prop::sample::Index>(), how in statuses(), tenants in proptest::collection::vec(ids(), 1..40)) {
        let router = config.router();
        let lost = lost.index(router.len());
        let slots = canary(&router, 0);
        let map = |health: &[RegionStatus]| -> Vec<Option<String>> {
            tenants
                .iter()
                .map(|tenant| router.route(TenantId::new(tenant).unwrap(), health, &slots).ok().map(|found| found.region.to_string()))
                .collect()
        };
        let before = map(&[]);
        let mut health = vec![RegionStatus::Up; router.len()];
        health[lost] = how;
        let during = map(&health);
        for ((tenant, was), is) in tenants.iter().zip(&before).zip(&during) {
            let alone = allowed(&config, tenant).iter().filter(|allowed| **allowed).count() == 1;
            if was.as_deref() != Some(config.names()[lost]) {
                prop_assert_eq!(was, is, "health moves nobody else");
            } else if how != RegionStatus::Up && !alone {
                prop_assert_ne!(was, is);
            }
        }
        health[lost] = RegionStatus::Up;
        prop_assert_eq!(map(&health), before);
        let all_down = vec![RegionStatus::Down; router.len()];
        prop_assert_eq!(map(&all_down), map(&[]), "all down equals all up");
    }

    #[test]
    fn under_rendezvous_only_those_move_who_must(config in configs(), at in any::<prop::sample::Index>(), weight in any::<u16>(), tenants in proptest::collection::vec("t[0-9]{1,6}", 1..200)) {
        let config = Config { sticky: "rendezvous", policy: "rendezvous", ..config };
        let at = at.index(config.regions.len());
        let name = config.regions[at].0.clone();
        let homes = |config: &Config| -> Vec<String> {
            let router = config.router();
            tenants.iter().map(|tenant| router.preferred(TenantId::new(tenant).unwrap()).unwrap().to_string()).collect()
        };
        let before = homes(&config);

        let mut turned = config.clone();
        turned.regions.rotate_left(at);
        prop_assert_eq!(&homes(&turned), &before, "the order of regions says nothing");

        let mut reweighed = config.clone();
        reweighed.regions[at].1 = weight;
        for (was, is) in before.iter().zip(homes(&reweighed)) {
            prop_assert!(*was == is || *was == name || is == name, "{} to {} by the weight of {}", was, is, name);
        }

        let mut grown = config.clone();
        grown.regions.insert(at, ("new".into(), weight));
        for (was, is) in before.iter().zip(homes(&grown)) {
            prop_assert!(*was == is || is == "new", "{} to {}", was, is);
        }
        if weight == 0 && config.regions.iter().any(|(_, weight)| *weight > 0) {
            prop_assert_eq!(&homes(&grown), &before, "weight 0 is chosen only when nothing else is");
        }

        let mut shrunk = config.clone();
        shrunk.regions.remove(at);
        shrunk.primary = shrunk.regions.first().map(|(name, _)| name.clone()).unwrap_or_default();
        shrunk.residency.clear();
        shrunk.pins.clear();
        if !shrunk.regions.is_empty() {
            let whole = homes(&Config { residency: vec![], pins: vec![], ..config });
            for (was, is) in whole.iter().zip(homes(&shrunk)) {
                prop_assert_eq!(*was != is, *was == name, "{} to {} without {}", was, is, name);
            }
        }
    }

    #[test]
    fn the_rules_of_one_tenant_change_no_other_ones_decision(config in configs(), tenants in proptest::collection::vec(ids(), 1..30), health in proptest::collection::vec(statuses(), 40), percent in 0_i64..=100) {
        let (with, without) = (config.router(), Config { residency: vec![], pins: vec![], slots: vec![], ..config }.router());
        for tenant in tenants.iter().filter(|tenant| !tenant.starts_with('a')) {
            let id = TenantId::new(tenant).unwrap();
            let ask = |router: &Router| -> Option<(String, Slot, Reason)> {
                let slots = canary(router, percent);
                let Placement { region, slot, reason, .. } = router.route(id, &health, &slots).ok()?;
                Some((region.to_string(), slot, reason))
            };
            prop_assert_eq!(ask(&with), ask(&without));
        }
    }

    #[test]
    fn a_tenant_joins_a_canary_once_and_stays(key in any::<[u8; 16]>(), h in any::<u64>(), release in any::<String>(), one in 0_i64..=100, two in 0_i64..=100) {
        let key = HashKey::from_bytes(key);
        let slot = |percent| {
            let view = ReleaseView { id: &release, phase: Phase::Canary, weight: Weight::new(percent).unwrap() };
            SlotRule::new(&key, Some(view)).slot(h)
        };
        let (less, more) = (one.min(two), one.max(two));
        prop_assert!(slot(less) == Slot::Blue || slot(more) == Slot::Green);
        prop_assert_eq!((slot(0), slot(100)), (Slot::Blue, Slot::Green));
    }

    #[test]
    fn a_tenant_id_is_accepted_exactly_up_to_its_longest(length in 0_usize..20_000) {
        let id = "x".repeat(length);
        prop_assert_eq!(TenantId::new(&id).is_ok(), (1..=16_384).contains(&length));
    }
}
