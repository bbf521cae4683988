//! Questions with answers, as every runtime gets them: a table, tenants, what must come out.

use halcyon_core::config::RegionConfig;
use halcyon_core::placement::{Placement, Reason, RegionStatus, ResidencyUnavailable, Slot};
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use serde_json::{Value, json};

use crate::setting::{Seen, Setting, read_health, tenant};

/// What must come out; what a vector does not say is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The region, or `residency_unavailable`.
    pub(crate) region: Result<String, ()>,
    pub(crate) slot: Option<String>,
    pub(crate) reason: Option<String>,
}

/// Tenants and their answers under one table.
pub(crate) struct Group {
    /// The table's JSON.
    pub(crate) table: Value,
    pub(crate) asks: Vec<(String, Expected)>,
}

impl Group {
    /// The table's regions.
    pub(crate) fn regions(&self) -> Vec<&str> {
        let regions = self.table["regions"].as_array().unwrap().iter();
        regions
            .map(|region| region["name"].as_str().unwrap())
            .collect()
    }

    /// As a table of this epoch in bytes.
    pub(crate) fn binary(&self, epoch: u64) -> Vec<u8> {
        let mut table = self.table.clone();
        table["epoch"] = epoch.into();
        let table = Table::from_json(&table.to_string());
        table.unwrap_or_else(|why| panic!("{why}")).to_binary()
    }
}

/// A table of a configuration.
pub(crate) fn table(setting: &Setting, health: &[RegionStatus], release: Option<&Seen>) -> Value {
    let (config, problems) = RegionConfig::read(setting);
    assert_eq!(problems.errors, [""; 0]);
    let regions = config.regions.iter().enumerate().map(|(place, name)| {
        json!({
            "name": name.as_str(),
            "weight": config.weights[place],
            "status": health.get(place).copied().unwrap_or_default().name(),
        })
    });
    let mut table = json!({
        "format": 1,
        "epoch": 1,
        "issued_at": "2026-01-01T00:00:00Z",
        "deployment": "vectors",
        "regions": regions.collect::<Vec<_>>(),
        "sticky": config.sticky.name(),
        "failover": config.policy.name(),
        "hash_key": config.key.to_hex(),
    });
    if let Some(primary) = &config.primary {
        table["primary"] = primary.as_str().into();
    }
    let members = setting.write();
    if let Some((_, rules)) = members.iter().find(|(name, _)| *name == "rules") {
        table["rules"] = serde_json::from_str(rules).unwrap();
    }
    if let Some(release) = release {
        table["release"] = serde_json::from_str(&release.write()).unwrap();
    }
    table
}

/// The core's own answer.
pub(crate) fn expected(answer: Result<Placement<'_>, ResidencyUnavailable>) -> Expected {
    Expected {
        region: answer.map(|found| found.region.to_string()).map_err(drop),
        slot: answer.ok().map(|found| found.slot.name().into()),
        reason: answer.ok().map(|found| found.reason.name().into()),
    }
}

/// The same from the table, by the core that is linked here.
pub(crate) fn native(table: &Value, id: &str) -> Expected {
    let table = Table::from_json(&table.to_string()).unwrap();
    expected(table.route(tenant(id), Timestamp(0)))
}

/// Every question of a vector file that a table answers.
pub(crate) fn of_file(name: &str, text: &str) -> Vec<Group> {
    let file: Value = serde_json::from_str(text).unwrap();
    let groups = file["groups"].as_array().unwrap().iter();
    let of_group = match name {
        "placement.json" => placement,
        "orders.json" => orders,
        "rules.json" => rules,
        "routing.json" => routing,
        "slots.json" => slots,
        other => panic!("nothing asks {other}"),
    };
    groups.flat_map(of_group).collect()
}

fn cases(group: &Value) -> impl Iterator<Item = &Value> {
    group["cases"].as_array().unwrap().iter()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(String::from)
}

fn by_region(region: Option<String>) -> Expected {
    Expected {
        region: region.ok_or(()),
        slot: None,
        reason: None,
    }
}

fn placement(group: &Value) -> Vec<Group> {
    let asks = cases(group).map(|case| {
        let id = crate::ids::read(&case["tenant"]);
        (id, by_region(text(&case["region"])))
    });
    vec![Group {
        table: table(&Setting::read(group), &[], None),
        asks: asks.collect(),
    }]
}

/// A table for each region that a tenant loses on its way.
fn orders(group: &Value) -> Vec<Group> {
    let setting = Setting::read(group);
    let (config, _) = RegionConfig::read(&setting);
    let mut groups = Vec::new();
    for case in cases(group) {
        let id = crate::ids::read(&case["tenant"]);
        let mut health = vec![RegionStatus::Up; config.regions.len()];
        for region in case["order"].as_array().unwrap() {
            let name = region.as_str().unwrap();
            groups.push(Group {
                table: table(&setting, &health, None),
                asks: vec![(id.clone(), by_region(text(region)))],
            });
            let place = config
                .regions
                .iter()
                .position(|known| known.as_str() == name);
            health[place.unwrap()] = RegionStatus::Down;
        }
    }
    groups
}

fn rules(group: &Value) -> Vec<Group> {
    let release = &group["release"];
    let seen = Seen {
        id: text(&release["id"]).unwrap(),
        phase: halcyon_core::release::Phase::parse(release["state"].as_str().unwrap()).unwrap(),
        weight: release["weight"].as_i64().unwrap(),
    };
    let asks = cases(group).map(|case| {
        let id = crate::ids::read(&case["tenant"]);
        let expected = Expected {
            region: text(&case["region"]).ok_or(()),
            slot: text(&case["slot"]),
            reason: text(&case["reason"]),
        };
        (id, expected)
    });
    vec![Group {
        table: table(
            &Setting::read(group),
            &read_health(&group["health"]),
            Some(&seen),
        ),
        asks: asks.collect(),
    }]
}

fn routing(group: &Value) -> Vec<Group> {
    let setting = Setting::read(group);
    let tenants = group["tenants"].as_array().unwrap();
    let groups = cases(group).map(|case| {
        let answers = tenants.iter().zip(case["answers"].as_array().unwrap());
        let asks = answers.map(|(id, answer)| {
            let expected = Expected {
                region: text(&answer[0]).ok_or(()),
                slot: None,
                reason: text(&answer[1]),
            };
            (text(id).unwrap(), expected)
        });
        Group {
            table: table(&setting, &read_health(&case["health"]), None),
            asks: asks.collect(),
        }
    });
    groups.collect()
}

/// A table for each weight.
fn slots(group: &Value) -> Vec<Group> {
    let setting = Setting::read(group);
    let release = &group["release"];
    let weights = group["weights"].as_array().unwrap().iter().enumerate();
    let groups = weights.map(|(place, weight)| {
        let seen = Seen {
            id: text(&release["id"]).unwrap(),
            phase: halcyon_core::release::Phase::parse(release["state"].as_str().unwrap()).unwrap(),
            weight: weight.as_i64().unwrap(),
        };
        let table = table(&setting, &[], Some(&seen));
        let asks = cases(group).map(|case| {
            let id = crate::ids::read(&case["tenant"]);
            let expected = Expected {
                slot: text(&case["slots"][place]),
                ..native(&table, &id)
            };
            (id, expected)
        });
        Group {
            asks: asks.collect(),
            table: table.clone(),
        }
    });
    groups.collect()
}

/// What the codes of the C ABI mean.
pub(crate) fn slot_name(code: u8) -> &'static str {
    [Slot::Blue, Slot::Green][usize::from(code)].name()
}

/// The same of reasons.
pub(crate) fn reason_name(code: u8) -> &'static str {
    const ALL: [Reason; 7] = [
        Reason::Primary,
        Reason::Hash,
        Reason::Rendezvous,
        Reason::Residency,
        Reason::Pinned,
        Reason::Failover,
        Reason::AllDown,
    ];
    ALL[usize::from(code)].name()
}
