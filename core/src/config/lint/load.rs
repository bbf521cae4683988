//! Weights, and what the loss of a region puts on another.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::name;
use crate::config::{FailoverPolicy, Lookup, RegionConfig, Sticky, items, value};
use crate::placement::{Loads, Router};

pub(super) fn findings(config: &RegionConfig, lookup: Lookup<'_>) -> Vec<String> {
    let mut found = weights(config, lookup);
    if let Some(router) = Router::from_config(config.clone()) {
        let loads = router.loads();
        found.extend(weight_that_failover_ignores(config, &loads));
        found.extend(overload(config, &loads));
    }
    found
}

/// The variable that gives weights, if one does.
fn source(config: &RegionConfig, lookup: Lookup<'_>) -> Option<&'static str> {
    let list = value(lookup, "REGION_WEIGHTS").unwrap_or_default();
    if items(&list).any(|item| !item.is_empty()) {
        return Some("REGION_WEIGHTS");
    }
    let mut regions = config.topology.regions.iter();
    regions
        .any(|region| region.weight.is_some())
        .then_some("HALCYON_TOPOLOGY")
}

fn weights(config: &RegionConfig, lookup: Lookup<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let Some(variable) = source(config, lookup) else {
        return found;
    };
    if config.sticky != Sticky::Rendezvous && config.policy != FailoverPolicy::Rendezvous {
        found.push(format!(
            "{variable}: weights are used by rendezvous alone, and tenants go by {} and fail over by {}; set TENANT_STICKY=rendezvous",
            config.sticky, config.policy
        ));
        return found;
    }
    if config.weights.iter().all(|weight| *weight == 0) {
        found.push(format!(
            "{variable}: all weights are 0, so each region counts as if it had 1; give one of them more than 0"
        ));
        return found;
    }
    let mut weighted = config.regions.iter().zip(&config.weights);
    if let Some(primary) = &config.primary
        && config.sticky == Sticky::Rendezvous
        && weighted.any(|(region, weight)| region == primary && *weight == 0)
    {
        let serves = match config.policy {
            FailoverPolicy::Rendezvous => "it serves only when no other allowed region is up",
            FailoverPolicy::Ordered | FailoverPolicy::RoundRobin => {
                "it serves only tenants that fail over to it"
            }
        };
        found.push(format!(
            "{variable}: the primary, {primary}, has weight 0: {serves}"
        ));
    }
    found
}

/// A region kept empty by its weight, to which a policy that does not look at weights sends tenants.
fn weight_that_failover_ignores(config: &RegionConfig, loads: &Loads) -> Option<String> {
    if config.sticky != Sticky::Rendezvous || config.policy == FailoverPolicy::Rendezvous {
        return None;
    }
    let onto = loads.onto_weight_0(config.policy)?;
    Some(format!(
        "FAILOVER_POLICY: {} failover would put {} % of all tenants on {}, which has weight 0, if {} is lost; rendezvous keeps to the weights",
        config.policy,
        onto.percent,
        name(config, onto.region),
        name(config, onto.lost),
    ))
}

/// One neighbour takes all under `ordered`, where another policy would spread it.
fn overload(config: &RegionConfig, loads: &Loads) -> Option<String> {
    if config.policy != FailoverPolicy::Ordered || config.sticky == Sticky::Primary {
        return None;
    }
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
