//! Where a request goes, and where its second attempt would go.

use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Decision, RegionStatus, ResidencyUnavailable, Slot};
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;

use crate::answers::Refusal;
use crate::counts::Place;

/// Where a request goes: first, and when that one fails.
pub(crate) struct Ways {
    pub(crate) first: Way,
    pub(crate) second: Option<Way>,
}

/// A placement, in words.
pub(crate) struct Way {
    pub(crate) at: Place,
    pub(crate) region: String,
    pub(crate) slot: &'static str,
    pub(crate) reason: &'static str,
    /// Where the pool is by the table; empty where that says nothing.
    pub(crate) address: String,
}

impl Ways {
    /// Where a tenant goes, and where it would go if that region were down: nowhere, if no other one may
    /// have it.
    pub(crate) fn of(
        table: &Table,
        tenant: TenantId<'_>,
        now: Timestamp,
    ) -> Result<Self, ResidencyUnavailable> {
        let (router, slots) = (table.router(), table.slots(now));
        let found = router.decide(tenant, table.health(), slots)?;
        let mut health = table.health().to_vec();
        if let Some(status) = health.get_mut(found.region) {
            *status = RegionStatus::Down;
        }
        let next = router.decide(tenant, &health, slots).ok();
        let next = next.filter(|next| next.region != found.region);
        Ok(Self {
            first: Way::of(table, &found),
            second: next.map(|next| Way::of(table, &next)),
        })
    }

    /// Those to pools that have an address; a region without one is a region that cannot be reached.
    pub(crate) fn reachable(self) -> Result<Self, Refusal> {
        let is_there = |way: &Way| !way.address.is_empty();
        let second = self.second.filter(is_there);
        match second {
            // To the same pool once more is no other way.
            second if is_there(&self.first) => Ok(Self {
                second: second.filter(|second| second.address != self.first.address),
                first: self.first,
            }),
            Some(second) => Ok(Self {
                first: second,
                second: None,
            }),
            None => Err(self.first.nowhere()),
        }
    }
}

impl Way {
    fn of(table: &Table, found: &Decision) -> Self {
        let region = table.router().regions().get(found.region);
        let pools = table.pools().get(found.region);
        let address = pools.map(|[blue, green]| match found.slot {
            Slot::Blue => blue,
            Slot::Green => green,
        });
        Self {
            at: (found.region, found.slot),
            region: region.map_or_else(String::new, |name| name.as_str().to_owned()),
            slot: found.slot.name(),
            reason: found.reason.name(),
            // Envoy would leave the path out.
            address: address
                .filter(|at| is_plain(at))
                .cloned()
                .unwrap_or_default(),
        }
    }

    pub(crate) fn nowhere(&self) -> Refusal {
        let (region, slot) = (&self.region, self.slot);
        let why =
            format!("region {region} has no address for {slot} in the table, or one with a path");
        Refusal::new(503, "no_upstream", &why)
    }
}

/// Whether an address has no path.
fn is_plain(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split_once('/').is_none_or(|(_, path)| path.is_empty())
}
