//! What a scraper gets.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use halcyon_core::config::Settings;
use halcyon_core::readiness::Readiness;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::process::ProcessMetrics;

/// Seconds; from answers out of memory to the longest readiness deadline that is sensible.
const BUCKETS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    path: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    name: String,
}

/// Registers more metrics.
pub(crate) type Register = Box<dyn FnOnce(&mut Registry)>;

/// The metrics of one health server. Labels come from code and configuration, never from a client.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Path, Histogram, fn() -> Histogram>,
    ready: Gauge,
    up: Family<Name, Gauge>,
    age: Gauge<f64, AtomicU64>,
    /// When readiness was last found out; at first the beginning.
    found: Mutex<Instant>,
    open: Gauge,
    connections: Arc<AtomicUsize>,
}

impl Metrics {
    pub(super) fn new(
        settings: &Settings,
        connections: Arc<AtomicUsize>,
        more: Option<Register>,
    ) -> Self {
        let mut registry = Registry::default();
        let (requests, ready, up, open) = (
            Family::default(),
            Gauge::default(),
            Family::default(),
            Gauge::default(),
        );
        let seconds: Family<Path, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let build = Info::new([
            ("version", settings.build.version.clone()),
            ("git_sha", settings.build.git_sha.clone()),
            ("build_date", settings.build.build_date.clone()),
            ("region", settings.region_name().to_string()),
        ]);
        let halcyon = registry.sub_registry_with_prefix("halcyon");
        halcyon.register("build", "What is running, as /__meta shows it", build);
        halcyon.register("ready", "1 if this instance may get traffic", ready.clone());
        halcyon.register(
            "dependency_up",
            "1 if a dependency of READINESS_CHECKS answered",
            up.clone(),
        );
        let age = Gauge::<f64, AtomicU64>::default();
        halcyon.register_with_unit(
            "readiness_age",
            "Time since halcyon_ready and halcyon_dependency_up were found out",
            Unit::Seconds,
            age.clone(),
        );
        halcyon.register(
            "http_requests",
            "Requests answered, by path and status",
            requests.clone(),
        );
        let help = "Time from a request's head to its answer's, by path";
        halcyon.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            seconds.clone(),
        );
        halcyon.register("http_connections", "Connections open now", open.clone());
        if let Some(register) = more {
            register(&mut registry);
        }
        registry.register_collector(Box::new(ProcessMetrics));
        Self {
            registry,
            requests,
            seconds,
            ready,
            up,
            age,
            found: Mutex::new(Instant::now()),
            open,
            connections,
        }
    }

    pub(super) fn count(&self, path: &'static str, status: StatusCode) {
        self.requests
            .get_or_create(&Request {
                path,
                code: status.as_u16(),
            })
            .inc();
    }

    pub(super) fn observe(&self, path: &'static str, status: StatusCode, took: Duration) {
        self.observer(path, status)(took);
    }

    /// Observes requests of one path and status, which are looked up once.
    pub(super) fn observer(
        &self,
        path: &'static str,
        status: StatusCode,
    ) -> impl Fn(Duration) + Send + Sync + use<> {
        let code = status.as_u16();
        let requests = self.requests.get_or_create(&Request { path, code }).clone();
        let seconds = self.seconds.get_or_create(&Path { path }).clone();
        move |took| {
            requests.inc();
            seconds.observe(took.as_secs_f64());
        }
    }

    pub(super) fn record(&self, readiness: &Readiness) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.ready.set(readiness.is_ready().into());
        for (name, check) in readiness.checks.dependencies.iter().flatten() {
            self.up
                .get_or_create(&Name { name: name.clone() })
                .set(check.ok.into());
        }
    }

    /// All of it in the OpenMetrics text format.
    pub(super) fn encode(&self) -> Result<String, std::fmt::Error> {
        self.open
            .set(i64::try_from(self.connections.load(Ordering::Relaxed)).unwrap_or(i64::MAX));
        let found = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
        self.age.set(found.elapsed().as_secs_f64());
        let mut body = String::new();
        text::encode(&mut body, &self.registry)?;
        Ok(body)
    }
}
