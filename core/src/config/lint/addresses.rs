//! Regions and addresses that do not match each other.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::shown;
use crate::config::endpoints::read_region_endpoints;
use crate::config::settings::RegionEndpoint;
use crate::config::{Lookup, Problems, RegionConfig};

pub(super) fn findings(config: &RegionConfig, lookup: Lookup<'_>) -> Vec<String> {
    // What is wrong with them is an error of whoever reads them.
    let endpoints = read_region_endpoints(lookup, &mut Problems::default());
    let mut found = unknown_endpoints(config, &endpoints);
    found.extend(topology(config));
    found.extend(shared_addresses(config, &endpoints));
    found
}

/// Endpoints of regions that are nowhere else.
fn unknown_endpoints(config: &RegionConfig, endpoints: &[RegionEndpoint]) -> Vec<String> {
    let names = endpoints.iter().map(|endpoint| &endpoint.name);
    let unknown = names
        .filter(|name| !config.regions.contains(name) && config.topology.region(name).is_none());
    let finding = unknown
        .map(|name| format!("REGION_ENDPOINTS: {name} is not in REGIONS, so nobody asks there"));
    shown(finding, "regions like that")
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
    found
}

/// Health servers, or pools, that are one and the same: then a canary is no canary, and a region that is
/// lost looks healthy.
fn shared_addresses(config: &RegionConfig, endpoints: &[RegionEndpoint]) -> Vec<String> {
    // What the variable says of a region outranks the topology.
    let mut addresses: Vec<(bool, String, String, &str)> = endpoints
        .iter()
        .map(|RegionEndpoint { name, endpoint }| {
            let whose = format!("health of {name}");
            (true, format!("{endpoint}"), whose, "REGION_ENDPOINTS")
        })
        .collect();
    for region in &config.topology.regions {
        let outranked = endpoints
            .iter()
            .any(|endpoint| endpoint.name == region.name);
        for (role, endpoint) in [
            ("health", region.health.as_ref().filter(|_| !outranked)),
            ("blue", region.blue.as_ref()),
            ("green", region.green.as_ref()),
        ] {
            if let Some(endpoint) = endpoint {
                let whose = format!("{role} of {}", region.name);
                addresses.push((
                    role == "health",
                    format!("{endpoint}"),
                    whose,
                    "HALCYON_TOPOLOGY",
                ));
            }
        }
    }
    addresses.sort();
    let same = addresses.windows(2).filter_map(|pair| match pair {
        [(kind, one, first, variable), (of_kind, other, second, of)]
            if (kind, one) == (of_kind, other) =>
        {
            // The variable, where it has either: it is the easier one to put right.
            let variable = variable.max(of);
            Some(format!(
                "{variable}: {first} and {second} are the same address, {one}"
            ))
        }
        _ => None,
    });
    shown(same, "addresses like that")
}
