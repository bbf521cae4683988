//! A table with what it takes to send requests by it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::HeaderValue;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::hash::TenantId;
use halcyon_core::placement::{Decision, RegionStatus, ResidencyUnavailable, Slot};
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;

use super::metrics::{Metrics, PoolMetrics};
use super::pool::Upstream;
use super::sockets::Sockets;
use super::telemetry::{Counts, Telemetry};

/// A table, and the connections to its upstreams.
pub(super) struct Held {
    pub(super) table: Table,
    regions: Vec<Region>,
    /// What counts under it, where a control plane wants to know.
    pub(super) counts: Option<Arc<Counts>>,
}

struct Region {
    name: String,
    header: HeaderValue,
    /// Blue and green.
    pools: [Option<Arc<Upstream>>; 2],
    metrics: [PoolMetrics; 2],
}

/// Where a request goes.
pub(super) struct Way<'h> {
    /// The region's place.
    pub(super) place: usize,
    /// Which of its pools: blue or green.
    pub(super) pool: usize,
    pub(super) region: &'h str,
    pub(super) header: &'h HeaderValue,
    pub(super) slot: &'static str,
    pub(super) reason: &'static str,
    /// The tenant's cohort, where it is counted.
    pub(super) cohort: Option<u8>,
    pub(super) metrics: Option<&'h PoolMetrics>,
    /// `None` where the table does not say where that is.
    pub(super) upstream: Option<&'h Arc<Upstream>>,
}

impl Held {
    /// The table, with the connections that `before` had to the same addresses.
    pub(super) fn new(
        table: Table,
        before: Option<&Held>,
        tls: &Arc<rustls::ClientConfig>,
        sockets: &Arc<Sockets>,
        metrics: &Metrics,
        telemetry: Option<&Telemetry>,
    ) -> Self {
        let known = before.iter().flat_map(|held| held.upstreams());
        let mut known: HashMap<String, Arc<Upstream>> = known.collect();
        let mut upstream = |address: &str| {
            if let Some(upstream) = known.get(address) {
                return Some(upstream.clone());
            }
            let at = Endpoint::parse_http(address).ok()?;
            let new = Upstream::new(address.to_owned(), at, tls.clone(), sockets.clone());
            let upstream = Arc::new(new?);
            sockets.know(&upstream);
            known.insert(address.to_owned(), upstream.clone());
            Some(upstream)
        };
        let named = table.router().regions().iter().zip(table.pools());
        let regions = named.map(|(name, [blue, green])| Region {
            name: name.as_str().to_owned(),
            // A region's name is printable ASCII.
            header: HeaderValue::from_str(name.as_str())
                .unwrap_or(HeaderValue::from_static("unknown")),
            pools: [upstream(blue), upstream(green)],
            metrics: [Slot::Blue, Slot::Green].map(|slot| metrics.pool(name.as_str(), slot.name())),
        });
        let this = Self {
            regions: regions.collect(),
            counts: telemetry.map(|telemetry| telemetry.of(&table)),
            table,
        };
        before.iter().for_each(|before| this.welcome(before));
        // A pool that a new table has elsewhere is another one.
        before.iter().for_each(|before| before.show(|_| false));
        this.show(|upstream| upstream.service.was_taken_out());
        this
    }

    /// Tries the pools of regions again that `before` did not take for up.
    fn welcome(&self, before: &Held) {
        let known = before.regions.iter().zip(before.table.health());
        let known: HashMap<&str, RegionStatus> = known
            .map(|(region, status)| (region.name.as_str(), *status))
            .collect();
        for (region, status) in self.regions.iter().zip(self.table.health()) {
            let was = known.get(region.name.as_str());
            if *status == RegionStatus::Up && was.is_some_and(|was| *was != RegionStatus::Up) {
                let pools = region.pools.iter().flatten();
                pools.for_each(|upstream| upstream.service.is_there_again());
            }
        }
    }

    /// Shows which pools are passed over.
    fn show(&self, out: impl Fn(&Upstream) -> bool) {
        for region in &self.regions {
            for (upstream, metrics) in region.pools.iter().zip(&region.metrics) {
                let out = upstream.as_deref().is_some_and(&out);
                metrics.out.set(out.into());
            }
        }
    }

    fn upstreams(&self) -> impl Iterator<Item = (String, Arc<Upstream>)> {
        let pools = self.regions.iter().flat_map(|region| &region.pools);
        pools
            .flatten()
            .map(|upstream| (upstream.address.clone(), upstream.clone()))
    }

    /// Where a tenant goes at `now`, as far as `health` knows.
    ///
    /// # Errors
    /// When no region may serve it.
    pub(super) fn way(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        now: Timestamp,
    ) -> Result<Way<'_>, ResidencyUnavailable> {
        let slots = self.table.slots(now);
        let found = self.table.router().decide(tenant, health, slots)?;
        let counted = self.counts.is_some();
        let cohort = counted.then(|| self.table.cohort(tenant, now)).flatten();
        Ok(self.by(&found, cohort))
    }

    /// The upstreams of all regions' blue or green pools, in the regions' order.
    pub(super) fn pool(&self, pool: usize) -> impl Iterator<Item = Option<&Arc<Upstream>>> {
        let pools = self
            .regions
            .iter()
            .map(move |region| region.pools.get(pool));
        pools.map(|upstream| upstream?.as_ref())
    }

    fn by(&self, found: &Decision, cohort: Option<u8>) -> Way<'_> {
        static NOWHERE: HeaderValue = HeaderValue::from_static("unknown");
        let region = self.regions.get(found.region);
        let pool = match found.slot {
            Slot::Blue => 0,
            Slot::Green => 1,
        };
        Way {
            place: found.region,
            pool,
            region: region.map_or("", |region| &region.name),
            header: region.map_or(&NOWHERE, |region| &region.header),
            slot: found.slot.name(),
            reason: found.reason.name(),
            cohort,
            metrics: region.map(|region| &region.metrics[pool]),
            upstream: region.and_then(|region| region.pools[pool].as_ref()),
        }
    }
}
