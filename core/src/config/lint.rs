//! What is legal and probably not meant: weights nobody uses, tenants without a second region, a
//! survivor that would carry twice its load.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{FailoverPolicy, Lookup, RegionConfig, RegionReport, Sticky, value};
use crate::placement::{Patterns, Router};
use crate::region::RegionName;
use crate::text::Seen;

/// How many findings of one kind are shown.
const SHOWN: usize = 8;

impl RegionReport {
    /// The report, and among its warnings what is legal and probably not meant.
    pub fn linted(lookup: Lookup<'_>) -> Self {
        let mut report = Self::read(lookup);
        // What is wrong comes first: findings about half a configuration would be about that.
        if report.valid {
            let (config, _) = RegionConfig::read(lookup);
            report.warnings.extend(findings(&config, lookup));
        }
        report
    }
}

fn findings(config: &RegionConfig, lookup: Lookup<'_>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(weights(config, lookup));
    found.extend(overload(config));
    found.extend(residency(config));
    found.extend(ignored_pins(config));
    found.extend(topology(config));
    found
}

/// The name of the region at a place.
fn name(config: &RegionConfig, place: usize) -> &str {
    config.regions.get(place).map_or("", RegionName::as_str)
}

fn names(config: &RegionConfig, places: &[u16]) -> String {
    let names = places.iter().map(|place| name(config, usize::from(*place)));
    names.collect::<Vec<_>>().join(", ")
}

fn weights(config: &RegionConfig, lookup: Lookup<'_>) -> Vec<String> {
    let (variable, set) = match value(lookup, "REGION_WEIGHTS") {
        Some(_) => ("REGION_WEIGHTS", true),
        None => (
            "HALCYON_TOPOLOGY",
            config
                .topology
                .regions
                .iter()
                .any(|region| region.weight.is_some()),
        ),
    };
    let mut found = Vec::new();
    if !config.weights.is_empty() && config.weights.iter().all(|weight| *weight == 0) {
        found.push(format!(
            "{variable}: all weights are 0, so each region counts as if it had 1; give one of them more than 0"
        ));
    }
    if set && config.sticky != Sticky::Rendezvous && config.policy != FailoverPolicy::Rendezvous {
        found.push(format!(
            "{variable}: weights are used by rendezvous alone, and tenants go by {} and fail over by {}; set TENANT_STICKY=rendezvous",
            config.sticky, config.policy
        ));
    }
    if let Some(primary) = &config.primary
        && config.sticky == Sticky::Rendezvous
        && config
            .regions
            .iter()
            .zip(&config.weights)
            .any(|(region, weight)| region == primary && *weight == 0)
        && config.weights.iter().any(|weight| *weight > 0)
    {
        found.push(format!(
            "{variable}: the primary, {primary}, has weight 0: it serves only when no other allowed region is up"
        ));
    }
    found
}

/// One neighbour takes all under `ordered`, where another policy would spread it.
fn overload(config: &RegionConfig) -> Option<String> {
    if config.policy != FailoverPolicy::Ordered || config.sticky == Sticky::Primary {
        return None;
    }
    let loads = Router::from_config(config.clone())?.loads();
    let worst = loads.worst(FailoverPolicy::Ordered)?;
    let else_at_most = |policy| loads.worst(policy).map_or(0, |load| load.percent);
    let spread = else_at_most(FailoverPolicy::RoundRobin);
    let own_order = else_at_most(FailoverPolicy::Rendezvous);
    // With two regions every policy does the same.
    if worst.percent <= spread.min(own_order) || worst.percent < 150 {
        return None;
    }
    Some(format!(
        "FAILOVER_POLICY: ordered failover would put {} % on {} if {} is lost; round_robin at most {spread} % on any region, rendezvous {own_order} %",
        worst.percent,
        name(config, worst.region),
        name(config, worst.lost),
    ))
}

/// Tenants that no region, or a single one, may serve.
fn residency(config: &RegionConfig) -> Vec<String> {
    let several = config.regions.len() > 1;
    let rules = config.rules.residency.iter();
    let finding = |(pattern, places): (String, &Vec<u16>)| match places.as_slice() {
        [] => Some(format!(
            "TENANT_RULES_FILE: no region is legal for {}: its tenants are served nowhere",
            Seen(&pattern)
        )),
        [only] if several => Some(format!(
            "TENANT_RULES_FILE: no legal survivor for {}: only {} is allowed, and while it is down nothing else may serve its tenants",
            Seen(&pattern),
            name(config, usize::from(*only))
        )),
        _ => None,
    };
    shown(rules.filter_map(finding), "residency rules like that")
}

/// Pins that residency overrules.
fn ignored_pins(config: &RegionConfig) -> Vec<String> {
    let residency: &Patterns<Vec<u16>> = &config.rules.residency;
    let finding = |(pattern, place): (String, &u16)| {
        let places = residency.covering(&pattern)?;
        (!places.contains(place)).then(|| {
            format!(
                "TENANT_RULES_FILE: the pin of {} to {} is ignored: residency allows {}",
                Seen(&pattern),
                name(config, usize::from(*place)),
                if places.is_empty() {
                    String::from("no region")
                } else {
                    names(config, places)
                }
            )
        })
    };
    shown(
        config.rules.pins.iter().filter_map(finding),
        "pins like that",
    )
}

fn topology(config: &RegionConfig) -> Vec<String> {
    if config.topology.regions.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let unknown = config
        .regions
        .iter()
        .filter(|region| config.topology.region(region).is_none());
    found.extend(shown(
        unknown
            .map(|region| format!("HALCYON_TOPOLOGY: {region} of REGIONS is not in the topology")),
        "regions like that",
    ));
    let inactive = config.topology.regions.iter().map(|region| &region.name);
    let inactive = inactive.filter(|name| !config.regions.contains(name));
    found.extend(shown(
        inactive.map(|name| {
            format!("HALCYON_TOPOLOGY: {name} is not in REGIONS, so no tenant goes there")
        }),
        "regions like that",
    ));
    found.extend(shared_addresses(config));
    found
}

/// Health servers, or pools, that are one and the same: then a canary is no canary, and a region that is
/// lost looks healthy.
fn shared_addresses(config: &RegionConfig) -> Vec<String> {
    let mut addresses: Vec<(bool, String, String)> = Vec::new();
    for region in &config.topology.regions {
        for (role, endpoint) in [
            ("health", &region.health),
            ("blue", &region.blue),
            ("green", &region.green),
        ] {
            if let Some(endpoint) = endpoint {
                let whose = format!("{role} of {}", region.name);
                addresses.push((role == "health", format!("{endpoint}"), whose));
            }
        }
    }
    addresses.sort();
    let same = addresses.windows(2).filter_map(|pair| match pair {
        [(kind, one, first), (of_kind, other, second)] if (kind, one) == (of_kind, other) => Some(
            format!("HALCYON_TOPOLOGY: {first} and {second} are the same address, {one}"),
        ),
        _ => None,
    });
    shown(same, "addresses like that")
}

/// The first few findings, and how many more there are.
fn shown(findings: impl Iterator<Item = String>, what: &str) -> Vec<String> {
    let mut found: Vec<String> = findings.collect();
    let more = found.len().saturating_sub(SHOWN);
    if more > 0 {
        found.truncate(SHOWN);
        let variable = found.first().and_then(|first| first.split(':').next());
        found.push(format!(
            "{}: and {more} more {what}",
            variable.unwrap_or_default()
        ));
    }
    found
}
