//! What the filter answers by itself.

use halcyon_core::text::{ascii_json, json};

/// An answer of the filter's own.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// A word for programs.
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, detail: &str) -> Self {
        let detail = detail.to_owned();
        Self {
            status,
            code,
            detail,
        }
    }

    /// Its headers; whoever has no table yet shall ask again.
    pub(crate) fn headers(&self) -> Vec<(&'static str, &'static str)> {
        let mut headers = vec![
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
        ];
        if self.code == "no_table" {
            headers.push(("retry-after", "1"));
        }
        headers
    }

    /// Its problem document (RFC 9457).
    pub(crate) fn body(&self) -> String {
        let title = match self.status {
            400 => "Bad Request",
            _ => "Service Unavailable",
        };
        let (status, code, detail) = (self.status, self.code, json(&self.detail));
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{status},"code":"{code}","detail":{detail}}}"#
        );
        ascii_json(&body)
    }
}
