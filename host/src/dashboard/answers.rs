//! What every answer of the dashboard looks like.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use halcyon_core::text::{json, printable};
use serde::Serialize;
use sha2::Digest;

use super::Dashboard;
use crate::health::answers::problem;
use crate::net::server::{REGION_HEADER, Refusal};

/// Nothing but this server's own files, no code from text but WebAssembly, and in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What every answer carries, whatever it is of.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // For what does not know the policy's frame-ancestors.
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Asked for again each time, and not sent again where it is the same.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");

impl Dashboard {
    /// Adds what every answer carries.
    pub(super) fn stamp(&self, mut answer: Response) -> Response {
        let headers = answer.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(REGION_HEADER, self.0.region.clone());
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        answer
    }

    /// The answer to a request that no handler gets to see.
    pub(super) fn refuse(&self, why: Refusal) -> Response {
        self.stamp(problem(why.status(), why.detail()))
    }
}

/// An error (RFC 9457).
#[derive(Serialize, utoipa::ToSchema, utoipa::ToResponse)]
#[response(
    description = "What is wrong, and what is allowed",
    content_type = "application/problem+json"
)]
pub(super) struct Problem {
    /// about:blank.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, and what is allowed.
    detail: String,
    /// Each of several problems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    problems: Vec<String>,
}

/// An error of several problems.
pub(super) fn problems(status: StatusCode, problems: &[String]) -> Response {
    let problems: Vec<String> = problems.iter().map(|problem| printable(problem)).collect();
    let body = Problem {
        kind: "about:blank".into(),
        title: status.canonical_reason().unwrap_or("Error").into(),
        status: status.as_u16(),
        detail: problems.join("; "),
        problems,
    };
    let media = [(CONTENT_TYPE, "application/problem+json")];
    (status, media, json(&body)).into_response()
}

/// A tag of these bytes.
pub(super) fn etag(bytes: &[u8]) -> String {
    let digest = sha2::Sha256::digest(bytes);
    let digits: String = digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{digits}\"")
}

/// Bytes with a tag, or only the tag where the client has them.
pub(super) fn tagged(
    asked: &HeaderMap,
    etag: &str,
    content_type: &'static str,
    bytes: impl Into<Body>,
) -> Response {
    let Ok(tag) = HeaderValue::from_str(etag) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let known = asked.get_all(IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default().split(',');
        let mut tags = tags.map(|tag| tag.trim().trim_start_matches("W/"));
        let etag = etag.trim_start_matches("W/");
        tags.any(|known| known == etag || known == "*")
    });
    let headers = [(ETAG, tag), (CACHE_CONTROL, REVALIDATED)];
    match known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => {
            let media = [(CONTENT_TYPE, HeaderValue::from_static(content_type))];
            (StatusCode::OK, headers, media, bytes.into()).into_response()
        }
    }
}

/// An object as the command line prints it.
pub(super) fn object(value: &impl Serialize) -> Response {
    ([(CONTENT_TYPE, "application/json")], json(value)).into_response()
}
