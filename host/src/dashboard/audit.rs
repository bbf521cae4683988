//! What has happened: the audit log, its verification, and the events of regions.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use halcyon_core::ledger::AuditReport;

use super::answers::{Problem, object};
use super::query::parameter;
use super::{Dashboard, Inner};
use crate::health::answers::problem;
use crate::journal::LOG_NAME;

/// The most records of one answer.
pub(super) const PAGE: usize = 1_000;

/// Records of the audit log, oldest first, each as it stands in the file.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", operation_id = "audit",
    params(
        ("after" = Option<u64>, Query, description = "Only records of a greater number; 0 without"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "At most so many, 1 to 1000; 1000 without")
    ),
    responses(
        (status = 200, description = "`records`, and `next`: what to ask for `after` to go on", body = serde_json::Value),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn audit(State(dashboard): State<Dashboard>, uri: Uri) -> Response {
    paged(dashboard, &uri, "records", |inner, after, most| {
        let lines = inner.records.lines(after, most);
        let lines = lines.map_err(|why| why.to_string())?;
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    })
    .await
}

/// What regions were and when, oldest first.
#[utoipa::path(
    get, path = "/api/v1/region-events", tag = "audit", operation_id = "region_events",
    params(
        ("after" = Option<u64>, Query, description = "Only events behind so many; 0 without"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "At most so many, 1 to 1000; 1000 without")
    ),
    responses(
        (status = 200, description = "`events`, and `next`: what to ask for `after` to go on", body = serde_json::Value),
        (status = 400, response = Problem), (status = 401, response = Problem),
        (status = 403, response = Problem), (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn region_events(State(dashboard): State<Dashboard>, uri: Uri) -> Response {
    paged(dashboard, &uri, "events", |inner, after, most| {
        let Some(monitor) = &inner.monitor else {
            return Ok(Vec::new());
        };
        monitor
            .events(after, most)
            .map_err(|why| format!("region_events.jsonl: {why}"))
    })
    .await
}

/// Whether every record of the audit log is as it was written.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", tag = "audit", operation_id = "audit_verify",
    responses(
        (status = 200, description = "What `halcyon audit verify -o json` says; `valid` is false where the chain is broken", body = serde_json::Value),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn verify(State(dashboard): State<Dashboard>) -> Response {
    // One at a time, as each reads the whole file; whoever waits takes no thread, and gets what the one before
    // found if the file is still the same.
    let mut last = dashboard.0.verified.lock().await;
    let path = dashboard.0.records.dir().join(LOG_NAME);
    let mark = mark(&path);
    if let Some((known, report)) = &*last
        && *known == mark
    {
        return object(report);
    }
    let read = move || match std::fs::read(&path) {
        Ok(bytes) => Ok(AuditReport::of(&bytes, None)),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(AuditReport::of(b"", None)),
        Err(why) => Err(format!("{LOG_NAME}: {why}")),
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(report)) => {
            let answer = object(&report);
            *last = Some((mark, report));
            answer
        }
        Ok(Err(why)) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"),
    }
}

/// By which a file that was touched is known, whatever its own dates were set to: inode, length and the time of the
/// last change of any of that.
pub(super) type Mark = Option<(u64, u64, i64, i64)>;

fn mark(path: &Path) -> Mark {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

/// A page of lines, each a JSON object that is passed on as it is.
async fn paged(
    dashboard: Dashboard,
    uri: &Uri,
    name: &str,
    read: impl FnOnce(&Inner, u64, usize) -> Result<Vec<String>, String> + Send + 'static,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let number = |name: &str, default: u64| match parameter(query, name) {
        None => Ok(default),
        Some(text) => {
            let text = text.unwrap_or_default();
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse::<u64>().ok().filter(|_| digits);
            number.filter(|number| *number <= i64::MAX as u64).ok_or(())
        }
    };
    let limit = number("limit", PAGE as u64).ok();
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.filter(|limit| (1..=PAGE).contains(limit));
    let (Ok(after), Some(limit)) = (number("after", 0), limit) else {
        let detail = "the query is wrong; allowed: after=N from 0, and limit=N from 1 to 1000";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let lines = tokio::task::spawn_blocking(move || read(&dashboard.0, after, limit)).await;
    let lines = match lines {
        Ok(Ok(lines)) => lines,
        Ok(Err(why)) => return problem(StatusCode::SERVICE_UNAVAILABLE, &why),
        Err(_) => return problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"),
    };
    let next = after.saturating_add(lines.len() as u64);
    let whole = |line: &String| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    // A line that a killed process has torn is counted, and shown to nobody.
    let lines: Vec<String> = lines.into_iter().filter(whole).collect();
    let body = format!("{{\"{name}\":[{}],\"next\":{next}}}", lines.join(","));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
