//! What a scraper gets of the control plane: regions, the release, the journal, and who asks.

use std::sync::atomic::AtomicU64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use halcyon_core::placement::RegionStatus;
use halcyon_core::release::Phase;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Dashboard, Inner};
use crate::health::answers::problem;
use crate::journal::driver_alive;
use crate::monitor::Monitor;

const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RegionIs {
    region: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Overridden {
    region: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateIs {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    method: String,
    code: u16,
}

/// The metrics of one control plane. No label comes from a client, and none is a tenant.
pub(super) struct Metrics {
    registry: Registry,
    status: Family<RegionIs, Gauge>,
    overrides: Family<Overridden, Gauge>,
    blind: Gauge,
    frozen: Gauge,
    state: Family<StateIs, Gauge>,
    weight: Gauge<f64, AtomicU64>,
    under_way: Gauge,
    paused: Gauge,
    driven: Gauge,
    waiting: Gauge,
    records: Gauge,
    readable: Gauge,
    epoch: Gauge,
    streams: Gauge,
    requests: Family<Asked, Counter>,
}

impl Metrics {
    pub(super) fn new(monitor: Option<&Monitor>) -> Self {
        let mut registry = Registry::with_prefix("halcyon");
        let this = Self {
            status: gauge(
                &mut registry,
                "region_status",
                "1 for what a region is to placement: up, down, draining, forbidden",
            ),
            overrides: gauge(
                &mut registry,
                "region_override",
                "1 where a person has drained or forbidden a region",
            ),
            blind: gauge(
                &mut registry,
                "probes_blind",
                "1 while no region passes its probe, so that all count as up",
            ),
            frozen: gauge(
                &mut registry,
                "frozen",
                "1 while a person has stopped all automatic change",
            ),
            state: gauge(
                &mut registry,
                "release_state",
                "1 for the state of the release machine",
            ),
            weight: Gauge::default(),
            under_way: gauge(
                &mut registry,
                "release_under_way",
                "1 while a release is under way",
            ),
            paused: gauge(
                &mut registry,
                "release_paused",
                "1 while a person has paused it",
            ),
            driven: gauge(
                &mut registry,
                "release_driven",
                "1 while a process drives it",
            ),
            waiting: gauge(
                &mut registry,
                "release_unconfirmed_regions",
                "Regions that have yet to make the change in force",
            ),
            records: gauge(&mut registry, "journal_records", "Records of the audit log"),
            readable: gauge(
                &mut registry,
                "journal_readable",
                "1 if the audit log can be read and verifies",
            ),
            epoch: gauge(
                &mut registry,
                "table_epoch",
                "The epoch of the last table that was issued here; 0 before the first",
            ),
            streams: gauge(
                &mut registry,
                "api_streams",
                "Streams of events that are open now",
            ),
            requests: Family::default(),
            registry: Registry::default(),
        };
        registry.register_with_unit(
            "release_weight",
            "The canary's share, 0 to 1",
            Unit::Other("ratio".into()),
            this.weight.clone(),
        );
        registry.register(
            "api_requests",
            "Requests of the control API, by route, method and status",
            this.requests.clone(),
        );
        if let Some(monitor) = monitor {
            monitor.register(&mut registry);
        }
        Self { registry, ..this }
    }

    /// A request was answered.
    pub(super) fn asked(&self, route: &str, method: &str, status: StatusCode) {
        let asked = Asked {
            route: route.to_owned(),
            method: method.to_owned(),
            code: status.as_u16(),
        };
        self.requests.get_or_create(&asked).inc();
    }

    /// All of it as it is now. Blocks on the disk.
    fn encode(&self, inner: &Inner) -> Result<String, std::fmt::Error> {
        self.look_at_regions(inner);
        self.look_at_release(inner);
        let epoch = inner.tables.epoch();
        self.epoch.set(i64::try_from(epoch).unwrap_or(i64::MAX));
        let open = inner.streams.len();
        self.streams.set(i64::try_from(open).unwrap_or(i64::MAX));
        let mut body = String::new();
        text::encode(&mut body, &self.registry)?;
        Ok(body)
    }

    fn look_at_regions(&self, inner: &Inner) {
        let (Ok(placement), Some(monitor)) = (&inner.placement, &inner.monitor) else {
            return;
        };
        let names = placement.config.regions.iter();
        for (name, now) in names.zip(monitor.regions()) {
            let region = name.to_string();
            for status in [
                RegionStatus::Up,
                RegionStatus::Down,
                RegionStatus::Draining,
                RegionStatus::Forbidden,
            ] {
                let label = RegionIs {
                    region: region.clone(),
                    status: status.name(),
                };
                let is = i64::from(now.status == status);
                self.status.get_or_create(&label).set(is);
            }
            for state in ["drain", "forbid"] {
                let said = now.said.as_ref().map(|said| said.state.name());
                let region = region.clone();
                let label = Overridden { region, state };
                let is = i64::from(said == Some(state));
                self.overrides.get_or_create(&label).set(is);
            }
        }
        self.blind.set(monitor.is_blind().into());
        self.frozen.set(monitor.freeze().is_some().into());
    }

    fn look_at_release(&self, inner: &Inner) {
        let driven = driver_alive(inner.records.dir());
        let read = inner.records.look(|view| {
            let journal = view.journal();
            let release = journal.release();
            for phase in Phase::ALL {
                let label = StateIs {
                    state: phase.name(),
                };
                let is = i64::from(release.phase() == phase);
                self.state.get_or_create(&label).set(is);
            }
            let weight = f64::from(release.status().traffic_split.green) / 100.0;
            self.weight.set(weight);
            self.under_way.set(release.under_way().into());
            self.paused
                .set((release.under_way() && release.paused().is_some()).into());
            self.driven.set(driven.into());
            let waiting = release.unconfirmed().count();
            self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            let records = journal.head().seq;
            self.records.set(i64::try_from(records).unwrap_or(i64::MAX));
        });
        self.readable.set(read.is_ok().into());
    }
}

fn gauge<G: Clone + Default + prometheus_client::registry::Metric>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> G {
    let gauge = G::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// The metrics of the control plane, in the OpenMetrics text format.
#[utoipa::path(
    get, path = "/metrics", tag = "state", operation_id = "metrics",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text"),
        (status = 401, response = super::answers::Problem), (status = 403, response = super::answers::Problem),
        (status = 503, response = super::answers::Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn metrics(State(dashboard): State<Dashboard>) -> Response {
    let read = tokio::task::spawn_blocking(move || dashboard.0.metrics.encode(&dashboard.0)).await;
    match read {
        Ok(Ok(body)) => ([(CONTENT_TYPE, MEDIA)], body).into_response(),
        _ => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the metrics could not be written",
        ),
    }
}
