//! Regions and addresses that do not match each other.

use alloc::string::String;
use alloc::vec::Vec;

use super::Findings;
use crate::config::endpoints::read_region_endpoints;
use crate::config::settings::RegionEndpoint;
use crate::config::{Lookup, Problems, RegionConfig};
use crate::endpoint::Endpoint;
use crate::region::RegionName;
use crate::text::message;

pub(super) fn findings(config: &RegionConfig, lookup: Lookup<'_>, warnings: &mut Vec<String>) {
    // What is wrong with them is an error of whoever reads them.
    let endpoints = read_region_endpoints(lookup, &mut Problems::default());
    unknown_endpoints(config, &endpoints, Findings::of(warnings));
    if !config.topology.regions.is_empty() {
        not_in_topology(config, Findings::of(warnings));
        not_in_regions(config, Findings::of(warnings));
    }
    shared_addresses(config, &endpoints, Findings::of(warnings));
}

/// Endpoints of regions that are nowhere else.
fn unknown_endpoints(config: &RegionConfig, endpoints: &[RegionEndpoint], mut found: Findings<'_>) {
    for RegionEndpoint { name, .. } in endpoints {
        if !config.regions.contains(name) && config.topology.region(name).is_none() {
            found.add(message!(
                "REGION_ENDPOINTS: {} is not in REGIONS, so nobody asks there",
                name.as_str()
            ));
        }
    }
    found.end("regions like that");
}

fn not_in_topology(config: &RegionConfig, mut found: Findings<'_>) {
    for name in &config.regions {
        if config.topology.region(name).is_none() {
            found.add(message!(
                "HALCYON_TOPOLOGY: {} of REGIONS is not in the topology",
                name.as_str()
            ));
        }
    }
    found.end("regions like that");
}

fn not_in_regions(config: &RegionConfig, mut found: Findings<'_>) {
    for region in &config.topology.regions {
        if !config.regions.contains(&region.name) {
            found.add(message!(
                "HALCYON_TOPOLOGY: {} is not in REGIONS, so no tenant goes there",
                region.name.as_str()
            ));
        }
    }
    found.end("regions like that");
}

/// An address: whether of a health server or of a pool, where, whose, and what says so.
type Address = (bool, String, String, &'static str);

/// Health servers, or pools, that are one and the same: then a canary is no canary, and a region that is
/// lost looks healthy.
fn shared_addresses(config: &RegionConfig, endpoints: &[RegionEndpoint], mut found: Findings<'_>) {
    let mut addresses = Vec::new();
    let mut add = |role: &str, of: &RegionName, at: &Endpoint, variable| {
        let whose = message!("{} of {}", role, of.as_str()).text();
        let address: Address = (role == "health", at.text(), whose, variable);
        // Sorted as they come: there are a few thousand at most.
        let place = addresses.partition_point(|before| *before < address);
        addresses.insert(place, address);
    };
    // What the variable says of a region outranks the topology.
    for RegionEndpoint { name, endpoint } in endpoints {
        add("health", name, endpoint, "REGION_ENDPOINTS");
    }
    for region in &config.topology.regions {
        let mut outranked = endpoints.iter();
        let outranked = outranked.any(|endpoint| endpoint.name == region.name);
        for (role, endpoint) in [
            ("health", region.health.as_ref().filter(|_| !outranked)),
            ("blue", region.blue.as_ref()),
            ("green", region.green.as_ref()),
        ] {
            if let Some(endpoint) = endpoint {
                add(role, &region.name, endpoint, "HALCYON_TOPOLOGY");
            }
        }
    }
    for pair in addresses.windows(2) {
        if let [(kind, one, first, variable), (of_kind, other, second, of)] = pair
            && kind == of_kind
            && one == other
        {
            // The variable, where it has either: it is the easier one to put right.
            found.add(message!(
                "{}: {} and {} are the same address, {}",
                variable.max(of),
                first,
                second,
                one
            ));
        }
    }
    found.end("addresses like that");
}
