//! Placement: golden vectors, every health subset against an oracle, and the laws of cohorts.
#![allow(clippy::as_conversions, clippy::arithmetic_side_effects)]

mod answers;
mod buckets;
mod cohorts;
mod draws;
mod exhaustive;
mod explained;
mod failover;
mod joint;
mod loads;
mod losses;
mod oracle;
mod rendezvous;
mod rules;
mod vectors;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;
use crate::testing::{WithFiles, env};

const POLICIES: [&str; 3] = ["ordered", "round_robin", "rendezvous"];

const UP: RegionStatus = RegionStatus::Up;
const DOWN: RegionStatus = RegionStatus::Down;
const DRAINING: RegionStatus = RegionStatus::Draining;
const FORBIDDEN: RegionStatus = RegionStatus::Forbidden;
const STATUSES: [RegionStatus; 4] = [UP, DOWN, DRAINING, FORBIDDEN];

/// Regions `r0`, `r1`, …; the primary by index.
fn router(count: usize, sticky: &str, policy: &str, primary: usize) -> Router {
    let regions = (0..count)
        .map(|index| format!("r{index}"))
        .collect::<Vec<_>>()
        .join(",");
    Router::from_lookup(&env(&[
        ("REGIONS", &regions),
        ("PRIMARY_REGION", &format!("r{primary}")),
        ("TENANT_STICKY", sticky),
        ("FAILOVER_POLICY", policy),
    ]))
    .unwrap()
}

/// Regions `r0`, `r1`, … of these weights, and a file of rules.
fn with_rules(weights: &[u16], sticky: &str, policy: &str, primary: usize, rules: &str) -> Router {
    let names: Vec<String> = (0..weights.len())
        .map(|index| format!("r{index}"))
        .collect();
    let weighted: Vec<String> = names
        .iter()
        .zip(weights)
        .map(|(name, weight)| format!("{name}={weight}"))
        .collect();
    Router::from_lookup(&WithFiles {
        table: &[
            ("REGIONS", &names.join(",")),
            ("REGION_WEIGHTS", &weighted.join(",")),
            ("PRIMARY_REGION", &format!("r{primary}")),
            ("TENANT_STICKY", sticky),
            ("FAILOVER_POLICY", policy),
            ("TENANT_RULES_FILE", "rules.json"),
        ],
        files: &[("rules.json", rules)],
    })
    .unwrap()
}

fn tenants(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("tenant{n}")).collect()
}

fn id(tenant: &str) -> TenantId<'_> {
    TenantId::new(tenant).unwrap()
}

/// Everything blue.
fn no_release(router: &Router) -> SlotRule {
    router.slot_rule(None)
}

/// Where the tenant goes, by index.
fn index(router: &Router, tenant: &str, health: &[RegionStatus]) -> usize {
    let placement = router
        .route(id(tenant), health, &no_release(router))
        .unwrap();
    router
        .regions()
        .iter()
        .position(|region| region == placement.region)
        .unwrap()
}

/// The sum of (seen - expected)² / expected, in thousandths.
fn chi_square(seen: &[u64], expected: &[u64]) -> u64 {
    assert_eq!(seen.len(), expected.len());
    seen.iter()
        .zip(expected)
        .map(|(seen, expected)| seen.abs_diff(*expected).pow(2) * 1000 / expected)
        .sum()
}
