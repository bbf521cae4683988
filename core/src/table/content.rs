//! What a table says.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use super::{Epoch, FORMAT};
use crate::config::{FailoverPolicy, RegionConfig, Sticky};
use crate::hash::HashKey;
use crate::placement::{RegionStatus, Slot};
use crate::region::RegionName;
use crate::release::{Phase, Pool, Release, Weight};
use crate::text::ascii_json;
use crate::time::Timestamp;

/// A region of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRegion {
    name: RegionName,
    weight: u16,
    status: &'static str,
    /// Where the pool is whose role is blue.
    #[serde(skip_serializing_if = "Option::is_none")]
    blue: Option<String>,
    /// Where the pool is whose role is green.
    #[serde(skip_serializing_if = "Option::is_none")]
    green: Option<String>,
}

/// The release of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableRelease {
    id: String,
    state: Phase,
    weight: Weight,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Timestamp>,
}

/// Everything in a table but its epoch and when it was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableContent {
    deployment: String,
    regions: Vec<TableRegion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary: Option<RegionName>,
    sticky: Sticky,
    failover: FailoverPolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Rules>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<TableRelease>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Rules {
    residency: Vec<Residency>,
    pins: Vec<Pin>,
    slots: Vec<SlotOf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Residency {
    tenant: String,
    regions: Vec<RegionName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Pin {
    tenant: String,
    region: RegionName,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct SlotOf {
    tenant: String,
    slot: Slot,
}

/// A whole table, in the order of its members.
#[derive(Serialize)]
struct Whole<'t> {
    format: u64,
    epoch: Epoch,
    issued_at: Timestamp,
    #[serde(flatten)]
    content: &'t TableContent,
}

impl TableContent {
    /// The content for a configuration without errors, a release, and the health of the regions in their
    /// order; a missing status counts as up.
    pub fn of(
        config: &RegionConfig,
        release: &Release,
        health: &[RegionStatus],
        deployment: &str,
    ) -> Self {
        let regions = config.regions.iter().enumerate().map(|(place, name)| {
            let pools = config.topology.region(name);
            let pool = |pool: Pool| {
                let endpoint = match pool {
                    Pool::Blue => pools?.blue.as_ref(),
                    Pool::Green => pools?.green.as_ref(),
                };
                endpoint.map(ToString::to_string)
            };
            TableRegion {
                name: name.clone(),
                weight: config.weights.get(place).copied().unwrap_or(1),
                status: health.get(place).copied().unwrap_or_default().name(),
                blue: pool(release.blue_pool()),
                green: pool(release.blue_pool().other()),
            }
        });
        Self {
            deployment: deployment.to_string(),
            regions: regions.collect(),
            primary: config.primary.clone(),
            sticky: config.sticky,
            failover: config.policy,
            hash_key: (config.key != HashKey::default()).then(|| config.key.to_hex()),
            rules: (!config.rules.is_empty()).then(|| rules(config)),
            release: release.view().map(|view| TableRelease {
                id: view.id.to_string(),
                state: view.phase,
                weight: view.weight,
                valid_until: None,
            }),
        }
    }

    /// The same with an end to green's share, if there is a canary: an edge that hears nothing new until
    /// then gives blue everything.
    #[must_use]
    pub fn valid_until(mut self, until: Timestamp) -> Self {
        if let Some(release) = &mut self.release
            && release.state == Phase::Canary
        {
            release.valid_until = Some(until);
        }
        self
    }

    /// The table's JSON: one line of ASCII, the same bytes for the same content, epoch and time.
    pub(super) fn to_json(&self, epoch: Epoch, issued_at: Timestamp) -> String {
        let whole = Whole {
            format: FORMAT,
            epoch,
            issued_at,
            content: self,
        };
        // Serialising these types cannot fail: their maps have names for keys.
        ascii_json(&serde_json::to_string(&whole).unwrap_or_default())
    }
}

fn rules(config: &RegionConfig) -> Rules {
    let name = |place: &u16| config.regions.get(usize::from(*place)).cloned();
    let rules = &config.rules;
    Rules {
        residency: rules
            .residency
            .iter()
            .map(|(tenant, places)| Residency {
                tenant: tenant.to_string(),
                regions: places.iter().filter_map(name).collect(),
            })
            .collect(),
        pins: rules
            .pins
            .iter()
            .filter_map(|(tenant, place)| {
                let region = name(place)?;
                let tenant = tenant.to_string();
                Some(Pin { tenant, region })
            })
            .collect(),
        slots: rules
            .slots
            .iter()
            .map(|(tenant, slot)| SlotOf {
                tenant: tenant.to_string(),
                slot: *slot,
            })
            .collect(),
    }
}
