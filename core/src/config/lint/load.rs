//! Weights, and what the loss of a region puts on another.

use alloc::string::String;
use alloc::vec::Vec;

use super::name;
use crate::config::{FailoverPolicy, Lookup, RegionConfig, Sticky, count_of, value};
use crate::placement::{Loads, Router};
use crate::region::RegionName;
use crate::text::{message, number};

pub(super) fn findings(config: RegionConfig, lookup: Lookup<'_>, found: &mut Vec<String>) {
    weights(&config, lookup, found);
    let names = config.regions.clone();
    if let Some(router) = Router::from_config(config) {
        let loads = router.loads();
        weight_that_failover_ignores(&router, &names, &loads, found);
        overload(&router, &names, &loads, found);
    }
}

/// The variable that gives weights, if one does.
fn source(config: &RegionConfig, lookup: Lookup<'_>) -> Option<&'static str> {
    if count_of(&value(lookup, "REGION_WEIGHTS").unwrap_or_default()) > 0 {
        return Some("REGION_WEIGHTS");
    }
    let mut regions = config.topology.regions.iter();
    regions
        .any(|region| region.weight.is_some())
        .then_some("HALCYON_TOPOLOGY")
}

fn weights(config: &RegionConfig, lookup: Lookup<'_>, found: &mut Vec<String>) {
    let Some(variable) = source(config, lookup) else {
        return;
    };
    let by_rendezvous = config.sticky == Sticky::Rendezvous;
    if !by_rendezvous && config.policy != FailoverPolicy::Rendezvous {
        message!(
            "{}: weights are used by rendezvous alone, and tenants go by {} and fail over by {}; set TENANT_STICKY=rendezvous",
            variable,
            config.sticky.name(),
            config.policy.name()
        )
        .say(found);
        return;
    }
    if config.weights.iter().all(|weight| *weight == 0) {
        message!(
            "{}: all weights are 0, so each region counts as if it had 1; give one of them more than 0",
            variable
        )
        .say(found);
        return;
    }
    let mut weighted = config.regions.iter().zip(&config.weights);
    if let Some(primary) = &config.primary
        && by_rendezvous
        && weighted.any(|(region, weight)| *weight == 0 && region == primary)
    {
        let serves = match config.policy {
            FailoverPolicy::Rendezvous => "it serves only when no other allowed region is up",
            FailoverPolicy::Ordered | FailoverPolicy::RoundRobin => {
                "it serves only tenants that fail over to it"
            }
        };
        message!(
            "{}: the primary, {}, has weight 0: {}",
            variable,
            primary.as_str(),
            serves
        )
        .say(found);
    }
}

/// A region kept empty by its weight, to which a policy that does not look at weights sends tenants.
fn weight_that_failover_ignores(
    router: &Router,
    names: &[RegionName],
    loads: &Loads,
    found: &mut Vec<String>,
) {
    let policy = router.policy();
    if router.sticky() != Sticky::Rendezvous || policy == FailoverPolicy::Rendezvous {
        return;
    }
    if let Some(onto) = loads.onto_weight_0(policy) {
        message!(
            "FAILOVER_POLICY: {} failover would put {} % of all tenants on {}, which has weight 0, if {} is lost; rendezvous keeps to the weights",
            policy.name(),
            &number(onto.percent),
            name(names, onto.region),
            name(names, onto.lost)
        )
        .say(found);
    }
}

/// One neighbour takes all under `ordered`, where another policy would spread it.
fn overload(router: &Router, names: &[RegionName], loads: &Loads, found: &mut Vec<String>) {
    if router.policy() != FailoverPolicy::Ordered || router.sticky() == Sticky::Primary {
        return;
    }
    let Some(worst) = loads.worst(FailoverPolicy::Ordered) else {
        return;
    };
    let else_at_most = |policy| loads.worst(policy).map_or(0, |load| load.percent);
    let spread = else_at_most(FailoverPolicy::RoundRobin);
    let own_order = else_at_most(FailoverPolicy::Rendezvous);
    // With two regions every policy does the same.
    if worst.percent <= spread.min(own_order) || worst.percent < 150 {
        return;
    }
    message!(
        "FAILOVER_POLICY: ordered failover would put {} % on {} if {} is lost; round_robin at most {} % on any region, rendezvous {} %",
        &number(worst.percent),
        name(names, worst.region),
        name(names, worst.lost),
        &number(spread),
        &number(own_order)
    )
    .say(found);
}
