//! A call to the control plane.

use std::time::Duration;

use halcyon_core::endpoint::{Endpoint, Scheme};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Bytes, Status};

/// A header of an answer.
pub(crate) type Field = (String, Bytes);

/// Asks a cluster at this address, with the token. Answers the call's number.
pub(crate) fn call(
    cluster: &str,
    (method, url): (&str, &Endpoint),
    token: Option<&str>,
    more: &[(&str, &str)],
    body: Option<&[u8]>,
    timeout_ms: u64,
) -> Result<u32, Status> {
    let authority = url.authority();
    let scheme = match url.scheme() {
        Scheme::Https => "https",
        Scheme::Http | Scheme::Tcp => "http",
    };
    let mut headers = vec![
        (":method", method),
        (":scheme", scheme),
        (":authority", &authority),
        (":path", url.path()),
        ("user-agent", concat!("halcyon/", env!("CARGO_PKG_VERSION"))),
    ];
    let token = token.map(|token| format!("Bearer {token}"));
    if let Some(token) = &token {
        headers.push(("authorization", token));
    }
    headers.extend_from_slice(more);
    let timeout = Duration::from_millis(timeout_ms);
    hostcalls::dispatch_http_call(cluster, headers, body, Vec::new(), timeout)
}

/// The value of a header.
pub(crate) fn field<'h>(head: &'h [Field], wanted: &str) -> Option<&'h Bytes> {
    let mut fields = head.iter();
    fields
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value)
}
