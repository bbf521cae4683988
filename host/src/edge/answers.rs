//! What the edge answers by itself.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use halcyon_core::text::ascii_json;
use serde::Serialize;

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
}

/// An error (RFC 9457), with a word for programs.
pub(super) fn problem(status: StatusCode, code: &'static str, detail: &str) -> Response {
    let body = Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code,
        detail,
    };
    let body = serde_json::to_string(&body).map(|body| ascii_json(&body));
    let headers = [
        (CONTENT_TYPE, "application/problem+json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body.unwrap_or_default()).into_response()
}

/// There is no table yet; it is on its way.
pub(super) fn no_table() -> Response {
    let why = "no routing table yet";
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, "no_table", why);
    let headers = answer.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
