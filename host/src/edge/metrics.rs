//! What a scraper gets of an edge. Labels come from the table and from code, never from a client.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; from an answer of a cache beside the edge to the longest an upstream may take by default.
const BUCKETS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Classes of answers, none at all, and none that anybody waited for.
const CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "gone"];
const NONE: usize = 5;
const GONE: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    region: String,
    slot: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    region: String,
    slot: &'static str,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

/// The metrics of an edge.
pub(super) struct Metrics {
    asked: Family<Asked, Counter>,
    seconds: Family<Pool, Histogram, fn() -> Histogram>,
    out: Family<Pool, Gauge>,
    refused: Family<Code, Counter>,
    pub(super) second_tries: Counter,
    pub(super) epoch: Gauge,
    pub(super) tables_refused: Counter,
    pub(super) telemetry_waiting: Gauge,
    pub(super) telemetry_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            asked: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            out: Family::default(),
            refused: Family::default(),
            second_tries: Counter::default(),
            epoch: Gauge::default(),
            tables_refused: Counter::default(),
            telemetry_waiting: Gauge::default(),
            telemetry_dropped: Counter::default(),
        }
    }
}

impl Metrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let edge = registry.sub_registry_with_prefix("halcyon_edge");
        edge.register(
            "upstream_requests",
            "Requests sent to a pool, by the class of its answer; none where none came, gone where its client left before",
            self.asked.clone(),
        );
        edge.register_with_unit(
            "upstream_request_duration",
            "Time from sending a request to a pool until its answer began",
            Unit::Seconds,
            self.seconds.clone(),
        );
        edge.register(
            "upstream_passed_over",
            "1 while the edge passes over a pool because of failures it has seen",
            self.out.clone(),
        );
        edge.register(
            "refused",
            "Requests the edge has answered itself, by the code of the problem",
            self.refused.clone(),
        );
        edge.register(
            "second_tries",
            "Requests sent to a second region after the first one failed",
            self.second_tries.clone(),
        );
        edge.register(
            "table_epoch",
            "The epoch of the table in force; 0 without one",
            self.epoch.clone(),
        );
        edge.register(
            "tables_refused",
            "Tables that came and were not taken, and times when none could be had",
            self.tables_refused.clone(),
        );
        edge.register(
            "telemetry_waiting_batches",
            "Batches of counts that no control plane has taken yet",
            self.telemetry_waiting.clone(),
        );
        edge.register(
            "telemetry_dropped_batches",
            "Batches of counts that were given up: refused, or too old, or too many",
            self.telemetry_dropped.clone(),
        );
    }

    /// Counts an answer of the edge itself.
    pub(super) fn refuse(&self, code: &'static str) {
        self.refused.get_or_create(&Code { code }).inc();
    }

    /// The metrics of one pool, looked up once.
    pub(super) fn pool(&self, region: &str, slot: &'static str) -> PoolMetrics {
        let pool = Pool {
            region: region.to_owned(),
            slot,
        };
        let asked = CLASSES.map(|code| {
            let region = region.to_owned();
            let asked = Asked { region, slot, code };
            self.asked.get_or_create(&asked).clone()
        });
        PoolMetrics {
            asked,
            seconds: self.seconds.get_or_create(&pool).clone(),
            out: self.out.get_or_create(&pool).clone(),
        }
    }
}

/// The metrics of one pool of one region.
#[derive(Debug, Clone)]
pub(super) struct PoolMetrics {
    asked: [Counter; 7],
    seconds: Histogram,
    pub(super) out: Gauge,
}

impl PoolMetrics {
    /// Counts how a request ended, and how long it took until then.
    pub(super) fn count(&self, status: Option<StatusCode>, took: Duration) {
        let class = match status.map(|status| status.as_u16() / 100) {
            Some(class @ 1..=5) => usize::from(class) - 1,
            _ => NONE,
        };
        if let Some(counter) = self.asked.get(class) {
            counter.inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a request whose client left before there was an answer.
    pub(super) fn count_gone(&self) {
        if let Some(counter) = self.asked.get(GONE) {
            counter.inc();
        }
    }
}
