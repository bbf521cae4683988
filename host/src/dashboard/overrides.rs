//! What people say of regions, over the API.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use halcyon_core::access::Ability;
use halcyon_core::document::Document;
use halcyon_core::time::Timestamp;

use super::Dashboard;
use super::admission::Caller;
use super::answers::{Problem, object, problems};
use super::body::{self, Members};
use crate::health::answers::problem;
use crate::monitor::{Freeze, Monitor, Override, OverrideState, Refused, Speaker, Wish};

/// The longest time of an override: thirty days, in seconds.
const TTL_MAX_S: u64 = 30 * 86_400;

/// What `PUT …/override` takes.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct OverrideWish {
    /// drain: no new tenants. forbid: nobody; for an Admin.
    state: OverrideState,
    /// Why; it is recorded.
    #[schema(min_length = 1, max_length = 1000, pattern = r"\S")]
    reason: String,
    /// For how long, in seconds; for ever without.
    #[schema(required = false, minimum = 1, maximum = 2592000)]
    ttl_s: u64,
    /// Also where no healthy region would remain; for an Admin.
    #[schema(required = false)]
    force: bool,
}

/// The override that holds, with what was asked for.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct OverrideSet {
    /// What the region is taken for.
    state: OverrideState,
    /// Why.
    reason: String,
    /// Who said so.
    user: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Until when; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// For how long, in seconds; for ever without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2592000)]
    ttl_s: Option<u64>,
    /// There where it was set also if no healthy region would remain.
    #[serde(skip_serializing_if = "Option::is_none")]
    force: Option<bool>,
}

/// What `PUT freeze` takes.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct FreezeWish {
    /// Why; it is recorded.
    #[schema(min_length = 1, max_length = 1000, pattern = r"\S")]
    reason: String,
}

/// Drains or forbids a region, whatever its probes say.
#[utoipa::path(
    put, path = "/api/v1/regions/{name}/override", tag = "regions", operation_id = "set_override",
    params(("name" = String, Path, description = "The region")),
    request_body = OverrideWish,
    responses(
        (status = 200, description = "The override that holds", body = OverrideSet),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 404, response = Problem),
        (status = 409, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn set(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path(name)) = name else {
        return no_path();
    };
    let body = match body::read(request, body::SMALL).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let wish = match read_wish(&body) {
        Ok(wish) => wish,
        Err(found) => return problems(StatusCode::BAD_REQUEST, &found),
    };
    on_monitor(dashboard, move |monitor| {
        if wish.state == OverrideState::Forbid {
            caller.check(Ability::Forbid)?;
        }
        if wish.force {
            caller.check(Ability::Force)?;
        }
        let (ttl_s, force) = (wish.ttl_ms.map(|ms| ms / 1_000), wish.force.then_some(true));
        let said = monitor.set(&name, wish, &speaker(&caller));
        let Override {
            state,
            reason,
            user,
            since,
            expires,
        } = said.map_err(refused)?;
        Ok(object(&OverrideSet {
            state,
            reason,
            user,
            since,
            expires,
            ttl_s,
            force,
        }))
    })
    .await
}

/// Takes an override back. There may be none.
#[utoipa::path(
    delete, path = "/api/v1/regions/{name}/override", tag = "regions", operation_id = "unset_override",
    params(("name" = String, Path, description = "The region")),
    responses(
        (status = 204, description = "There is none any more"),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 404, response = Problem), (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn unset(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(name)) = name else {
        return no_path();
    };
    on_monitor(dashboard, move |monitor| {
        monitor.unset(&name, &speaker(&caller)).map_err(refused)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// Stops all automatic change: probes move nobody, and no release goes on by itself.
#[utoipa::path(
    put, path = "/api/v1/freeze", tag = "regions", operation_id = "freeze",
    request_body = FreezeWish,
    responses(
        (status = 200, description = "The freeze that holds", body = Freeze),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn freeze(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let body = match body::read(request, body::SMALL).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let reason = match Members::read(&body, &["reason"], Members::reason) {
        Ok(reason) => reason,
        Err(found) => return problems(StatusCode::BAD_REQUEST, &found),
    };
    on_monitor(dashboard, move |monitor| {
        let freeze = monitor.set_freeze(&reason, &caller.user());
        Ok(object(&freeze.map_err(refused)?))
    })
    .await
}

/// Lets automatic change go on.
#[utoipa::path(
    delete, path = "/api/v1/freeze", tag = "regions", operation_id = "unfreeze",
    responses(
        (status = 204, description = "Nothing is stopped any more"),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn unfreeze(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
) -> Response {
    on_monitor(dashboard, move |monitor| {
        monitor.unset_freeze(&caller.user()).map_err(refused)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

fn read_wish(body: &[u8]) -> Result<Wish, Vec<String>> {
    Members::read(body, &["state", "reason", "ttl_s", "force"], |members| {
        let state = match members.get("state") {
            Some(Document::Text(text)) if text == "drain" => Some(OverrideState::Drain),
            Some(Document::Text(text)) if text == "forbid" => Some(OverrideState::Forbid),
            _ => None,
        };
        if state.is_none() {
            members.wrong("state", "drain, forbid");
        }
        Wish {
            state: state.unwrap_or(OverrideState::Drain),
            reason: members.reason(),
            ttl_ms: members
                .whole("ttl_s", 1, TTL_MAX_S)
                .map(|s| s.saturating_mul(1_000)),
            force: members.flag("force"),
        }
    })
}

/// Does what blocks on the disk.
async fn on_monitor(
    dashboard: Dashboard,
    work: impl FnOnce(&Monitor) -> Result<Response, Response> + Send + 'static,
) -> Response {
    let done = tokio::task::spawn_blocking(move || match &dashboard.0.monitor {
        Some(monitor) => work(monitor).unwrap_or_else(|refused| refused),
        None => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the regions are not configured as they should be; GET /api/v1/state says why",
        ),
    });
    done.await
        .unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}

fn no_path() -> Response {
    problem(StatusCode::BAD_REQUEST, "the path is no UTF-8")
}

fn speaker(caller: &Caller) -> Speaker {
    Speaker {
        user: caller.user(),
        may_forbid: caller.check(Ability::Forbid).is_ok(),
    }
}

fn refused(why: Refused) -> Response {
    let status = match why {
        Refused::NoRegion { .. } => StatusCode::NOT_FOUND,
        Refused::LastHealthy { .. } => StatusCode::CONFLICT,
        Refused::Forbidden => StatusCode::FORBIDDEN,
        Refused::NotKept { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &why.to_string())
}
