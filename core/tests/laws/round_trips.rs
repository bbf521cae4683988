//! Laws 1 and 2: a decision survives the way of its inputs through JSON, and does not know in which
//! order rules were written.

use halcyon_core::config::{Environment, RegionConfig};
use halcyon_core::document::Document;
use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Reason, RegionStatus, ReleaseView, Router, Slot};
use halcyon_core::release::{Phase, Weight};
use halcyon_core::table::{Publisher, TableContent};
use proptest::prelude::*;
use serde_json::Value;

use crate::placement::{Config, canary, configs, ids, statuses};
use crate::world::{World, histories};

/// The configuration that a table's JSON says, and nothing else.
struct Table(Value);

impl Table {
    fn regions(&self) -> impl Iterator<Item = &Value> {
        self.0["regions"].as_array().unwrap().iter()
    }

    fn health(&self) -> Vec<RegionStatus> {
        let status = |region: &Value| RegionStatus::parse(region["status"].as_str().unwrap());
        self.regions()
            .map(|region| status(region).unwrap())
            .collect()
    }
}

impl Environment for Table {
    fn variable(&self, name: &str) -> Option<String> {
        let text = |key: &str| self.0[key].as_str().map(String::from);
        let name_of = |region: &Value| region["name"].as_str().unwrap().to_owned();
        let names = self.regions().map(name_of);
        match name {
            "REGIONS" => Some(names.collect::<Vec<_>>().join(",")),
            "REGION_WEIGHTS" => {
                let weights = self.regions().map(|region| region["weight"].to_string());
                let both = names
                    .zip(weights)
                    .map(|(name, weight)| format!("{name}={weight}"));
                Some(both.collect::<Vec<_>>().join(","))
            }
            "PRIMARY_REGION" => text("primary"),
            "TENANT_STICKY" => text("sticky"),
            "FAILOVER_POLICY" => text("failover"),
            "TENANT_HASH_KEY" => text("hash_key"),
            "TENANT_RULES_FILE" => self.0.get("rules").map(|_| "the table".into()),
            _ => None,
        }
    }

    fn document(&self, _: &str, _: &str) -> Result<Document, String> {
        Document::from_json(&self.0["rules"].to_string())
    }
}

type Answer = Option<(String, String, Slot, Reason)>;

fn answer(
    router: &Router,
    release: Option<ReleaseView<'_>>,
    tenant: &str,
    health: &[RegionStatus],
) -> Answer {
    let slots = router.slot_rule(release);
    let found = router
        .route(TenantId::new(tenant).unwrap(), health, &slots)
        .ok()?;
    let (region, preferred) = (found.region.to_string(), found.preferred.to_string());
    Some((region, preferred, found.slot, found.reason))
}

/// A pattern, the places of two regions, and whether the slot is green.
type Rule = (usize, usize, bool);

type Rules = Vec<(String, Rule)>;

/// Up to a dozen patterns that overlap, in one order and in another.
fn rules() -> impl Strategy<Value = (Rules, Rules)> {
    let rule = (0_usize..40, 0_usize..40, any::<bool>());
    proptest::collection::btree_map("a[a-c]{0,3}\\*?", rule, 1..12).prop_flat_map(|rules| {
        let rules: Rules = rules.into_iter().collect();
        (Just(rules.clone()), Just(rules).prop_shuffle())
    })
}

fn with_rules(config: &Config, rules: &[(String, Rule)]) -> Config {
    let names = config.names();
    let name = |place: usize| names[place % names.len()];
    let mut changed = Config {
        residency: vec![],
        pins: vec![],
        slots: vec![],
        ..config.clone()
    };
    for (pattern, (one, two, green)) in rules {
        let (slot, region) = (if *green { "green" } else { "blue" }, name(*one));
        let second = Some(name(*two)).filter(|second| *second != region);
        let second = second
            .map(|second| format!(r#","{second}""#))
            .unwrap_or_default();
        let residency = format!(r#"{{"tenant":"{pattern}","regions":["{region}"{second}]}}"#);
        changed.residency.push(residency);
        changed.pins.push(format!(
            r#"{{"region":"{}","tenant":"{pattern}"}}"#,
            name(*two)
        ));
        changed
            .slots
            .push(format!(r#"{{"slot":"{slot}","tenant":"{pattern}"}}"#));
    }
    changed
}

proptest! {
    #[test]
    fn whoever_has_the_tables_json_decides_like_whoever_wrote_it(
        config in configs(),
        (rules, _) in rules(),
        health in proptest::collection::vec(statuses(), 0..45),
        history in histories(8),
        tenants in proptest::collection::vec(ids(), 1..30),
    ) {
        let config = with_rules(&config, &rules);
        let mut world = World::default();
        for turn in &history {
            world.play(turn);
        }
        let content = TableContent::of(&RegionConfig::read(&config).0, world.release(), &health, "default");
        let json = Publisher::default().publish(content, world.now).unwrap().json.clone();
        let table = Table(serde_json::from_str(&json).unwrap());
        let (here, there) = (config.router(), Router::from_lookup(&table).unwrap());
        let release = table.0.get("release").map(|release| ReleaseView {
            id: release["id"].as_str().unwrap(),
            phase: Phase::parse(release["state"].as_str().unwrap()).unwrap(),
            weight: release["weight"].as_i64().and_then(Weight::new).unwrap(),
        });
        for tenant in &tenants {
            prop_assert_eq!(
                answer(&there, release, tenant, &table.health()),
                answer(&here, world.release().view(), tenant, &health)
            );
        }
    }

    #[test]
    fn the_order_in_which_rules_are_written_changes_no_answer(
        config in configs(),
        (rules, shuffled) in rules(),
        health in proptest::collection::vec(statuses(), 40),
        tenants in proptest::collection::vec("a[a-c]{0,4}", 1..30),
    ) {
        let (one, other) = (with_rules(&config, &rules).router(), with_rules(&config, &shuffled).router());
        for tenant in &tenants {
            let id = TenantId::new(tenant).unwrap();
            let ask = |router: &Router| format!("{:?}", router.route(id, &health, &canary(router, 40)));
            prop_assert_eq!(ask(&one), ask(&other));
        }
    }
}
