//! The snapshot: how everything is now.

use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use halcyon_core::config::FailoverPolicy;
use halcyon_core::health::Condition;
use halcyon_core::ledger::StatusReport;
use halcyon_core::placement::RegionStatus;
use halcyon_core::telemetry::Tally;
use halcyon_core::text::{json, printable};
use serde::Serialize;

use super::answers::{Problem, etag, tagged};
use super::{Dashboard, Inner};
use crate::driver::StepOf;
use crate::health::answers::problem;
use crate::journal::driver_alive;
use crate::monitor::{Freeze, Override, RegionNow};
use crate::traffic::{Figures, Shown};

/// How everything is.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Snapshot {
    /// The number of the last record that changed the release: what If-Match takes on a release's routes.
    revision: u64,
    /// The name of the deployment, as its tables say it.
    deployment: String,
    /// The region of this server.
    region: String,
    /// The version of this server.
    version: &'static str,
    /// What is switched on.
    features: Features,
    /// How tenants are placed; `null` where the configuration is wrong.
    placement: Option<Policy>,
    /// The regions, in the order of the configuration.
    regions: Vec<Region>,
    /// Whether regions are probed.
    watching: bool,
    /// Whether no region passes its probe: then all count as up.
    blind: bool,
    /// Whose word stops all automatic change.
    freeze: Option<Freeze>,
    /// The release under way, else the last one, as `halcyon status` says it.
    #[schema(value_type = Object)]
    release: StatusReport,
    /// Edges that have reported within the last minute.
    edges: usize,
    /// What edges have counted in the step in force, and what the release's limits say of it; `null` where
    /// none is.
    traffic: Option<Shown>,
    /// Why a rollback does not come to an end, while it does not: a person is needed.
    stuck: Option<String>,
    /// Why edges keep the table they have although there is to be another one, while that is so.
    no_table: Option<String>,
    /// What is wrong with the configuration.
    errors: Vec<String>,
    /// What is legal and probably not meant.
    warnings: Vec<String>,
}

/// What is switched on.
#[derive(Serialize, utoipa::ToSchema)]
struct Features {
    /// `FEATURE_MULTI_REGION`.
    multi_region: bool,
    /// `FEATURE_BLUE_GREEN`; `null` where it is unset.
    blue_green: Option<bool>,
}

/// How tenants are placed.
#[derive(Serialize, utoipa::ToSchema)]
struct Policy {
    primary: Option<String>,
    sticky: &'static str,
    failover: &'static str,
}

/// A region.
#[derive(Serialize, utoipa::ToSchema)]
struct Region {
    name: String,
    primary: bool,
    /// Whether this server is there.
    here: bool,
    weight: u16,
    /// What it is to placement: up, down, draining, forbidden.
    status: &'static str,
    /// In words: healthy, failing 1 of 3, down, recovering 1 of 2, draining, forbidden, unknown.
    state: String,
    /// What its probes say, whatever a person has said.
    probed: String,
    /// A person's word, which outranks its probes.
    #[serde(rename = "override")]
    said: Option<Override>,
    /// What edges have counted within the last minute; `null` where they have told nothing.
    traffic: Option<Figures>,
}

/// A region that nobody asks: of it nothing is known.
fn words(condition: Option<Condition>) -> String {
    condition.unwrap_or(Condition::Unknown).to_string()
}

impl Inner {
    /// How everything is now. Blocks on the disk.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn snapshot(&self) -> Result<Snapshot, String> {
        let driver = driver_alive(self.records.dir());
        let read = self.records.look(|view| {
            let ledger = view.journal().ledger();
            let step = ledger.release();
            let id = step.id().filter(|_| step.under_way());
            let limits = step.plan().and_then(|plan| plan.limits);
            let step = id.map(|id| (id.to_owned(), step.weight(), step.taken_up(), limits));
            (ledger.revision(), ledger.status(driver), step)
        });
        let (revision, release, step) = read.map_err(|why| why.to_string())?;
        let traffic = step.map(|(id, weight, taken_up, limits)| {
            let step = StepOf {
                release: &id,
                weight,
                taken_up,
            };
            self.traffic.shown(&step, limits.as_ref(), Instant::now())
        });
        let settings = &self.settings;
        let (errors, warnings) = match &self.placement {
            Ok(placed) => (Vec::new(), placed.warnings.clone()),
            Err(problems) => (problems.errors.clone(), problems.warnings.clone()),
        };
        let printed = |texts: Vec<String>| texts.iter().map(|text| printable(text)).collect();
        let monitor = self.monitor.as_deref();
        Ok(Snapshot {
            revision,
            deployment: settings.deployment.clone(),
            region: settings.region_name().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            features: Features {
                multi_region: settings.features.multi_region,
                blue_green: settings.features.blue_green,
            },
            placement: self.policy(),
            regions: self.regions(),
            watching: monitor.is_some_and(|monitor| monitor.watched() > 0),
            blind: monitor.is_some_and(|monitor| monitor.is_blind()),
            freeze: monitor.and_then(|monitor| monitor.freeze()),
            stuck: self.stuck.why(),
            no_table: self.tables.trouble().map(|why| printable(&why)),
            edges: self.traffic.sizes(Instant::now()).edges,
            traffic,
            release,
            errors: printed(errors),
            warnings: printed(warnings),
        })
    }

    fn policy(&self) -> Option<Policy> {
        let config = &self.placement.as_ref().ok()?.config;
        let failover: FailoverPolicy = config.policy;
        Some(Policy {
            primary: config.primary.as_ref().map(ToString::to_string),
            sticky: config.sticky.name(),
            failover: failover.name(),
        })
    }

    fn regions(&self) -> Vec<Region> {
        let (Ok(placement), Some(monitor)) = (&self.placement, &self.monitor) else {
            return Vec::new();
        };
        let config = &placement.config;
        let here = self.settings.region.as_ref();
        let all = config.regions.iter().zip(&config.weights);
        let traffic = self.traffic.now(Instant::now());
        let region =
            |(((name, weight), now), traffic): (((&_, &u16), RegionNow), &Option<Tally>)| Region {
                primary: config.primary.as_ref() == Some(name),
                here: here == Some(name),
                weight: *weight,
                status: RegionStatus::name(now.status),
                state: words(now.condition),
                probed: words(now.probed),
                said: now.said,
                traffic: traffic.as_ref().map(Figures::of),
                name: ToString::to_string(name),
            };
        let all = all.zip(monitor.regions()).zip(&traffic);
        all.map(region).collect()
    }
}

/// How everything is.
#[utoipa::path(
    get, path = "/api/v1/state", tag = "state", operation_id = "state",
    responses(
        (status = 200, description = "The snapshot, with a weak tag", body = Snapshot, headers(("etag" = String))),
        (status = 304, description = "It is the one whose tag was sent"),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn state(State(dashboard): State<Dashboard>, headers: HeaderMap) -> Response {
    let snapshot = tokio::task::spawn_blocking(move || dashboard.0.snapshot()).await;
    let snapshot = snapshot.unwrap_or_else(|_| Err("the work broke off".into()));
    match snapshot {
        Ok(snapshot) => {
            let json = json(&snapshot);
            let tag = format!("W/{}", etag(json.as_bytes()));
            tagged(&headers, &tag, "application/json", json)
        }
        Err(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}
