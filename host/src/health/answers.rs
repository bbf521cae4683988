//! What every answer of the health server looks like.

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use halcyon_core::text::ascii_json;
use serde::Serialize;

use super::Health;
use crate::net::server::{REGION_HEADER, Refusal};

impl Health {
    /// Adds what every answer carries.
    pub(super) fn stamp(&self, mut answer: Response) -> Response {
        let headers = answer.headers_mut();
        headers.insert(REGION_HEADER, self.0.region.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// The answer to a request that no handler gets to see.
    pub(super) fn refuse(&self, why: Refusal) -> Response {
        self.0.metrics.count("other", why.status());
        self.stamp(problem(why.status(), why.detail()))
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

/// A JSON body, in ASCII so that a terminal shows it and nothing else.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    typed_json(status, "application/json", body)
}

/// Text for a person or for a scraper.
pub(super) fn text(status: StatusCode, content_type: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}

/// An error (RFC 9457).
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = Problem {
        kind: "about:blank",
        title,
        status: status.as_u16(),
        detail,
    };
    typed_json(status, "application/problem+json", &body)
}

pub(crate) fn method_not_allowed() -> Response {
    let mut answer = problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "only GET and HEAD are allowed here",
    );
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

fn typed_json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => text(status, content_type, ascii_json(&body)),
        Err(why) => {
            tracing::error!("an answer could not be written as JSON: {why}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
