//! Regions and addresses that do not match each other.

use alloc::string::String;
use alloc::vec::Vec;

use super::Findings;
use crate::config::RegionConfig;
use crate::config::settings::RegionEndpoint;
use crate::endpoint::Endpoint;
use crate::region::RegionName;
use crate::sorted::insert_at;
use crate::text::message;

/// What a topology says besides and instead of the variables.
pub(super) fn of_topology(
    config: &RegionConfig,
    endpoints: &[RegionEndpoint],
    addresses: &mut Addresses,
    warnings: &mut Vec<String>,
) {
    not_in_topology(config, Findings::of(warnings));
    not_in_regions(config, Findings::of(warnings));
    for region in &config.topology.regions {
        let mut outranked = endpoints.iter();
        let outranked = outranked.any(|endpoint| endpoint.name == region.name);
        for (role, endpoint) in [
            ("health", region.health.as_ref().filter(|_| !outranked)),
            ("blue", region.blue.as_ref()),
            ("green", region.green.as_ref()),
        ] {
            if let Some(endpoint) = endpoint {
                addresses.add(role, &region.name, endpoint, "HALCYON_TOPOLOGY");
            }
        }
    }
}

/// Endpoints of regions that are nowhere else.
pub(super) fn unknown_endpoints(
    config: &RegionConfig,
    endpoints: &[RegionEndpoint],
    mut found: Findings<'_>,
) {
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

/// All of them, in the order of their kinds and places.
#[derive(Default)]
pub(super) struct Addresses(Vec<Address>);

impl Addresses {
    pub(super) fn add(
        &mut self,
        role: &str,
        of: &RegionName,
        at: &Endpoint,
        variable: &'static str,
    ) {
        let whose = message!("{} of {}", role, of.as_str()).text();
        let address: Address = (role == "health", at.text(), whose, variable);
        // Sorted as they come: there are a few thousand at most.
        let place = self.0.partition_point(|before| *before < address);
        insert_at(&mut self.0, place, address);
    }

    /// Health servers, or pools, that are one and the same: then a canary is no canary, and a region that is
    /// lost looks healthy.
    pub(super) fn shared(&self, mut found: Findings<'_>) {
        for pair in self.0.windows(2) {
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
}
