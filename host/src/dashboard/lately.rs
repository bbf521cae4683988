//! What regions have been lately, and what a caller may do: what the page shows beside the snapshot.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use halcyon_core::access::Ability;
use serde::Serialize;

use super::Dashboard;
use super::admission::Caller;
use super::answers::{Problem, object};
use crate::monitor::Lately;

/// What probes have said lately.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Probes {
    /// How often each region is asked, in milliseconds.
    interval_ms: u64,
    /// The regions, in the order of the configuration.
    regions: Vec<Lately>,
}

/// The last probes of each region, and its downtime today. Not part of the snapshot, which would be another one with
/// every probe.
#[utoipa::path(
    get, path = "/api/v1/probes", tag = "state", operation_id = "probes",
    responses(
        (status = 200, description = "The probes", body = Probes),
        (status = 401, response = Problem), (status = 403, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn probes(State(dashboard): State<Dashboard>) -> Response {
    let monitor = dashboard.0.monitor.as_ref();
    let interval = monitor.map_or(0, |monitor| monitor.interval().as_millis());
    object(&Probes {
        interval_ms: u64::try_from(interval).unwrap_or(u64::MAX),
        regions: monitor.map_or_else(Vec::new, |monitor| monitor.lately()),
    })
}

/// Who asks, and what that one may do.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Access {
    /// The user of the token; `null` without one.
    user: Option<String>,
    /// Its role: Viewer, Deployer or Admin.
    role: Option<String>,
    /// The only tenant that it may ask about, where there is one.
    tenant: Option<String>,
    /// What may be done: read, table, release, drain, forbid, force, freeze.
    abilities: Vec<&'static str>,
}

/// Who asks, and what that one may do: so that a page offers nothing that would be refused.
#[utoipa::path(
    get, path = "/api/v1/access", tag = "state", operation_id = "access",
    responses(
        (status = 200, description = "The caller", body = Access),
        (status = 401, response = Problem), (status = 403, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn access(Extension(caller): Extension<Caller>) -> Response {
    let actor = caller.actor();
    let known = !actor.role.is_empty();
    object(&Access {
        user: known.then_some(actor.user),
        role: known.then_some(actor.role),
        tenant: caller.tenant().map(str::to_owned),
        abilities: caller.abilities().map(Ability::name).collect(),
    })
}
