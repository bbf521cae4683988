//! What a scraper gets of the probes.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; from a neighbour to the longest probe that is sensible.
const BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Probe {
    region: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    region: String,
}

/// How probes went. Labels come from the configuration.
pub(super) struct Metrics {
    probes: Family<Probe, Counter>,
    seconds: Family<Of, Histogram, fn() -> Histogram>,
    changes: Family<Of, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            probes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            changes: Family::default(),
        }
    }
}

impl Metrics {
    /// A probe has ended.
    pub(super) fn probed(&self, region: &str, passed: bool, took: Duration) {
        let result = if passed { "pass" } else { "fail" };
        let region = region.to_owned();
        let label = Probe {
            region: region.clone(),
            result,
        };
        self.probes.get_or_create(&label).inc();
        let seconds = self.seconds.get_or_create(&Of { region });
        seconds.observe(took.as_secs_f64());
    }

    /// A region is something else to placement.
    pub(super) fn changed(&self, region: &str) {
        let region = region.to_owned();
        self.changes.get_or_create(&Of { region }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "region_probes",
            "Probes of a region that have ended, by result: pass, fail",
            self.probes.clone(),
        );
        registry.register_with_unit(
            "region_probe_duration",
            "How long a probe of a region took, whatever came of it",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "region_changes",
            "How often a region has become something else to placement",
            self.changes.clone(),
        );
    }
}
