//! Releases over the API: begun, steered, and driven by this server.

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use halcyon_core::ledger::{Key, StatusReport};
use halcyon_core::release::{Command, Context, Outcome, Plan, Rejection, Wish};
use halcyon_core::text::Seen;
use serde::Serialize;

use super::admission::Caller;
use super::answers::{Problem, object, problems};
use super::body::{self, Members};
use super::records::View;
use super::{Dashboard, Inner};
use crate::engine;
use crate::health::answers::problem;
use crate::journal::{JournalError, driver_alive};

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

/// A release as it is now.
#[derive(Serialize)]
struct Shown {
    /// under_way, promoted, rolled_back, none.
    outcome: &'static str,
    /// Why it was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The number of the last record that changed it.
    revision: u64,
    #[serde(flatten)]
    status: StatusReport,
}

impl Shown {
    fn of(view: &View, driver: bool) -> Self {
        let ledger = view.journal().ledger();
        let release = ledger.release();
        let (outcome, reason) = match (release.under_way(), release.outcome()) {
            (true, _) => ("under_way", None),
            (false, Some(Outcome::Promoted)) => ("promoted", None),
            (false, Some(Outcome::RolledBack(why))) => ("rolled_back", Some(why.clone())),
            (false, None) => ("none", None),
        };
        Self {
            outcome,
            reason,
            revision: ledger.revision(),
            status: ledger.status(driver),
        }
    }
}

/// What a request says besides its body.
struct Asked {
    key: Option<Key>,
    if_match: Option<String>,
}

impl Asked {
    fn of(headers: &HeaderMap) -> Result<Self, Response> {
        let text = |name| {
            let mut values = headers.get_all(name).iter();
            let (first, more) = (values.next(), values.next());
            let text = first.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            (text, more.is_some())
        };
        let (key, more) = text(axum::http::HeaderName::from_static("idempotency-key"));
        let key = key.map(|key| match more {
            true => Err("there is more than one Idempotency-Key".to_owned()),
            // A draft of the header's standard has it as a quoted string.
            false => Key::parse(unquoted(&key)),
        });
        let key = key.transpose();
        let key = key.map_err(|why| problem(StatusCode::BAD_REQUEST, &why))?;
        let (if_match, _) = text(IF_MATCH);
        Ok(Self { key, if_match })
    }

    /// Whether the release is still the one that the client has seen.
    fn check(&self, view: &View) -> Result<(), JournalError> {
        let revision = format!("\"{}\"", view.journal().ledger().revision());
        let matches = |tags: &str| {
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || tag == revision)
        };
        match self.if_match.as_deref().is_none_or(matches) {
            true => Ok(()),
            false => Err(JournalError::Moved),
        }
    }
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// Begins a release, which this server drives to its end.
#[utoipa::path(
    post, path = "/api/v1/releases", tag = "releases", operation_id = "begin_release",
    params(("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Given twice, the release begins once")),
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
    steer(dashboard, caller, asked, move |inner| {
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
    with(dashboard, caller, request, |_| Ok(Command::PromoteGreen)).await
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
    with(dashboard, caller, request, |body| {
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
    with(dashboard, caller, request, |_| Ok(Command::Resume)).await
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
        (status = 412, response = Problem), (status = 413, response = Problem),
        (status = 503, response = Problem)
    ),
    security(("token" = []))
)]
pub(super) async fn rollback(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    with(dashboard, caller, request, |body| {
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
pub(super) async fn shown(State(dashboard): State<Dashboard>, Path(id): Path<String>) -> Response {
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

/// Reads the body into a command, and gives it.
async fn with(
    dashboard: Dashboard,
    caller: Caller,
    request: Request,
    command: impl FnOnce(&[u8]) -> Result<Command, Vec<String>> + Send + 'static,
) -> Response {
    let asked = match Asked::of(request.headers()) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let body = match body::read(request, body::SMALL).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    steer(dashboard, caller, asked, move |_| command(&body)).await
}

/// Gives a command, and answers with the release as it is then.
async fn steer(
    dashboard: Dashboard,
    caller: Caller,
    asked: Asked,
    command: impl FnOnce(&Inner) -> Result<Command, Vec<String>> + Send + 'static,
) -> Response {
    let give = move || {
        let inner = &*dashboard.0;
        let actor = caller.actor();
        let permitted = actor.authorise().is_ok();
        let command = match command(inner) {
            Ok(command) => command,
            // Who may not do it learns that first, and it is on record.
            Err(_) if !permitted => Command::AttachDriver,
            Err(found) => return problems(StatusCode::BAD_REQUEST, &found),
        };
        let rollback = matches!(command, Command::RollbackToBlue { .. });
        let always = rollback || matches!(command, Command::Pause { .. });
        if permitted && !always && inner.settings.features.blue_green != Some(true) {
            let detail = "releases are switched off here; allowed: FEATURE_BLUE_GREEN=true; rollback and pause always work";
            return problem(StatusCode::CONFLICT, detail);
        }
        give_command(inner, &caller, &asked, command)
    };
    let done = tokio::task::spawn_blocking(give).await;
    done.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}

fn give_command(inner: &Inner, caller: &Caller, asked: &Asked, command: Command) -> Response {
    let begins = matches!(command, Command::ProvisionGreen { .. });
    let id = engine::new_release_id(crate::clock::now());
    let actor = caller.actor();
    let context = Context {
        actor: &actor,
        kill_switch: inner.settings.features.kill_switch(),
        new_release_id: &id,
    };
    let rollback = matches!(command, Command::RollbackToBlue { .. });
    let expected = |view: &View| {
        // Going back to blue is right whatever has happened meanwhile.
        if !rollback {
            asked.check(view)?;
        }
        match begins {
            true => engine::may_begin(view.journal().release(), &command),
            false => Ok(()),
        }
    };
    let given = inner
        .records
        .append(&command, &context, asked.key.as_ref(), expected);
    inner.feed_changed();
    let entries = match given {
        Ok(entries) => entries,
        Err(why) => return refused(&why),
    };
    let driver = driver_alive(inner.records.dir());
    let shown = match inner.records.look(|view| Shown::of(view, driver)) {
        Ok(shown) => shown,
        Err(why) => return problem(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
    };
    if !begins {
        return answer(StatusCode::OK, &shown);
    }
    let mut answer = answer(StatusCode::ACCEPTED, &shown);
    let id = entries
        .first()
        .and_then(|entry| entry.record.release_id.as_deref());
    let location = format!("/api/v1/releases/{}", id.unwrap_or_default());
    if let Ok(location) = HeaderValue::from_str(&location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

fn answer(status: StatusCode, shown: &Shown) -> Response {
    let mut answer = (status, object(shown)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", shown.revision)) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn refused(why: &JournalError) -> Response {
    let status = match why {
        JournalError::Refused(Rejection::Role { .. }) => StatusCode::FORBIDDEN,
        JournalError::Refused(Rejection::Invalid { .. } | Rejection::InvalidWeight { .. }) => {
            StatusCode::BAD_REQUEST
        }
        JournalError::Refused(_) => StatusCode::CONFLICT,
        JournalError::Moved => {
            let detail = "the release has changed since; allowed: If-Match with its revision, a strong tag, or none";
            return problem(StatusCode::PRECONDITION_FAILED, detail);
        }
        JournalError::Full { .. }
        | JournalError::Io { .. }
        | JournalError::ReadOnly { .. }
        | JournalError::Locked { .. }
        | JournalError::Corrupt { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &why.to_string())
}
