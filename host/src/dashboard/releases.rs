//! Releases over the API: begun, steered, and driven by this server.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use halcyon_core::release::{Command, Plan, Wish};
use halcyon_core::text::Seen;

use super::Dashboard;
use super::admission::Caller;
use super::answers::Problem;
use super::body::{self, Members};
use super::steering::{Asked, Shown, answer, steer, with};
use crate::health::answers::problem;
use crate::journal::driver_alive;

/// What `POST releases` takes.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct ReleaseWish {
    /// The image that serves now, needed only while the journal knows none.
    #[schema(
        required = false,
        min_length = 1,
        max_length = 16384,
        pattern = r"^[^\x00]+$"
    )]
    image_blue: String,
    /// The image that is to serve.
    #[schema(min_length = 1, max_length = 16384, pattern = r"^[^\x00]+$")]
    image_green: String,
    /// The canary's steps in percent, strictly rising.
    #[schema(min_items = 1)]
    canary_seq: Vec<u8>,
    /// Names of configured regions; all of them without.
    #[schema(required = false, min_items = 1)]
    regions: Vec<String>,
    /// Whether a failed step rolls back; it is a warning without.
    #[schema(required = false)]
    abort_on_err: bool,
    /// How long each step bakes, in seconds; 60 without.
    #[schema(required = false, minimum = 0, maximum = 604800)]
    timeout_s: u64,
    /// The share of green's requests that may fail, in steps of 0.000001; only with `abort_on_err`.
    #[schema(required = false, exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    max_error_rate: f64,
    /// The highest 95th percentile of green's latency, in milliseconds; only with `abort_on_err`.
    #[schema(required = false, minimum = 1)]
    max_p95_ms: u64,
}

/// What `pause` takes; it may be empty.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct PauseWish {
    /// Why; it is recorded.
    #[schema(required = false, min_length = 1, max_length = 1000, pattern = r"\S")]
    reason: String,
}

/// What `rollback` takes.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "says what the body is; it is read with every problem at once"
)]
pub(super) struct RollbackWish {
    /// Why; it is recorded.
    #[schema(min_length = 1, max_length = 1000, pattern = r"\S")]
    reason: String,
}

/// Begins a release, which this server drives to its end.
#[utoipa::path(
    post, path = "/api/v1/releases", tag = "releases", operation_id = "begin_release",
    params(
        ("if-match" = Option<String>, Header, pattern = r#"^("[0-9]{1,19}"|\*)$"#, description = "The revision that was seen, as a strong tag"),
        ("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, the release begins once")
    ),
    request_body = ReleaseWish,
    responses(
        (status = 202, description = "It has begun; Location shows it", body = serde_json::Value, headers(("location" = String), ("etag" = String))),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 409, response = Problem),
        (status = 412, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn begin(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let asked = match Asked::of(request.headers()) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let body = match body::read(request, body::SMALL).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let unread = Command::ProvisionGreen {
        image: String::new(),
        blue_image: None,
        plan: None,
    };
    steer(dashboard, caller, asked, unread, move |inner| {
        let document = body::document(&body)?;
        let known = inner.targets();
        let wish = Wish::from_document(&document, &known, inner.settings.health_port)?;
        Ok(Command::ProvisionGreen {
            image: wish.image_green,
            blue_image: wish.image_blue,
            plan: Some(Plan {
                on_step: inner.hook.clone(),
                on_step_dir: inner.hook_dir(),
                ..wish.plan
            }),
        })
    })
    .await
}

/// Makes green live now, whatever steps are left.
#[utoipa::path(
    post, path = "/api/v1/release/promote", tag = "releases", operation_id = "promote",
    params(
        ("if-match" = Option<String>, Header, pattern = r#"^("[0-9]{1,19}"|\*)$"#, description = "The revision that was seen, as a strong tag"),
        ("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, it takes effect once")
    ),
    responses(
        (status = 200, description = "The release as it is now", body = serde_json::Value, headers(("etag" = String))),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 409, response = Problem),
        (status = 412, response = Problem), (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn promote(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let promote = Command::PromoteGreen;
    with(dashboard, caller, request, promote.clone(), |_| Ok(promote)).await
}

/// Holds the release where it is.
#[utoipa::path(
    post, path = "/api/v1/release/pause", tag = "releases", operation_id = "pause",
    params(
        ("if-match" = Option<String>, Header, pattern = r#"^("[0-9]{1,19}"|\*)$"#, description = "The revision that was seen, as a strong tag"),
        ("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, it takes effect once")
    ),
    request_body = Option<PauseWish>,
    responses(
        (status = 200, description = "The release as it is now", body = serde_json::Value, headers(("etag" = String))),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 409, response = Problem),
        (status = 412, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn pause(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let reason = String::new();
    let unread = Command::Pause { reason };
    with(dashboard, caller, request, unread, |body| {
        let paused = || "paused by hand".to_owned();
        if body.is_empty() || body == b"null" {
            return Ok(Command::Pause { reason: paused() });
        }
        let reason = Members::read(body, &["reason"], |members| match members.get("reason") {
            None => paused(),
            Some(_) => members.reason(),
        })?;
        Ok(Command::Pause { reason })
    })
    .await
}

/// Lets a paused release go on.
#[utoipa::path(
    post, path = "/api/v1/release/resume", tag = "releases", operation_id = "resume",
    params(
        ("if-match" = Option<String>, Header, pattern = r#"^("[0-9]{1,19}"|\*)$"#, description = "The revision that was seen, as a strong tag"),
        ("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, it takes effect once")
    ),
    responses(
        (status = 200, description = "The release as it is now", body = serde_json::Value, headers(("etag" = String))),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 409, response = Problem),
        (status = 412, response = Problem), (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn resume(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let resume = Command::Resume;
    with(dashboard, caller, request, resume.clone(), |_| Ok(resume)).await
}

/// Gives blue everything.
#[utoipa::path(
    post, path = "/api/v1/release/rollback", tag = "releases", operation_id = "rollback",
    params(("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, it takes effect once")),
    request_body = RollbackWish,
    responses(
        (status = 200, description = "The release as it is now", body = serde_json::Value, headers(("etag" = String))),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 409, response = Problem),
        (status = 413, response = Problem), (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn rollback(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let reason = String::new();
    let unread = Command::RollbackToBlue { reason };
    with(dashboard, caller, request, unread, |body| {
        let reason = Members::read(body, &["reason"], Members::reason)?;
        Ok(Command::RollbackToBlue { reason })
    })
    .await
}

/// The release under way, else the last one, by its id.
#[utoipa::path(
    get, path = "/api/v1/releases/{id}", tag = "releases", operation_id = "release",
    params(("id" = String, Path, description = "The id of the release under way, or of the last one")),
    responses(
        (status = 200, description = "The release as it is now", body = serde_json::Value, headers(("etag" = String))),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 404, response = Problem), (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn shown(
    State(dashboard): State<Dashboard>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(id)) = id else {
        return problem(StatusCode::BAD_REQUEST, "the path is no UTF-8");
    };
    let look = move || {
        let inner = &dashboard.0;
        let driver = driver_alive(inner.records.dir());
        let shown = inner.records.look(|view| Shown::of(view, driver));
        let shown = match shown {
            Ok(shown) => shown,
            Err(why) => return problem(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
        };
        if shown.status.status.release_id.as_deref() != Some(&id) {
            let detail = format!(
                "{} is neither the release under way nor the last one",
                Seen(&id)
            );
            return problem(StatusCode::NOT_FOUND, &detail);
        }
        answer(StatusCode::OK, &shown)
    };
    let done = tokio::task::spawn_blocking(look).await;
    done.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}
