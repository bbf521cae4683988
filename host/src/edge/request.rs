//! What a request says, and what it says to an upstream.

use std::net::SocketAddr;

use axum::body::HttpBody;
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, Request, Uri, Version};
use halcyon_core::forwarding::is_host;
use halcyon_core::tenant::{Asked, NoId, encoded};

use super::Edge;
use super::headers::{onward, stamp};
use super::held::Way;
use super::pool::Upstream;
use super::stream::Upload;
use crate::net::server::RequestBody;

/// The longest target, in bytes: below the path of a pool it has to fit into what a target can be, 65,534.
const TARGET_MAX: usize = 61_440;

impl Edge {
    /// The tenant that a request is of.
    pub(super) fn asked(
        &self,
        request: &Request<RequestBody>,
    ) -> Result<String, (&'static str, String)> {
        let uri = request.uri();
        let bad = |why: &str| Err(("bad_request", why.to_owned()));
        // It would show the client what the edge says to upstreams.
        if matches!(*request.method(), Method::TRACE | Method::CONNECT) {
            return bad("TRACE and CONNECT are not for an edge; allowed: any other method");
        }
        if !is_host(host(request)) {
            return bad("no valid Host; allowed: host[:port]");
        }
        if !uri.path().starts_with('/') {
            return bad("the target has no path; allowed: one that begins with /");
        }
        let length = uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len());
        if length > TARGET_MAX {
            let why = format!("the target has {length} bytes; allowed: at most {TARGET_MAX}");
            return Err(("target_too_long", why));
        }
        let from = &self.tenant_from;
        let values = from.header().map(|name| request.headers().get_all(name));
        let values = values.into_iter().flatten().map(HeaderValue::as_bytes);
        let values: Vec<&[u8]> = values.collect();
        let asked = Asked {
            headers: &values,
            host: host(request),
            path: uri.path(),
        };
        match from.of(&asked) {
            Ok(Some(tenant)) => Ok(tenant.into_owned()),
            Ok(None) => Err((
                "no_tenant",
                format!("the request names no tenant; allowed: {from}"),
            )),
            Err(NoId) => Err((
                "bad_tenant",
                "the request names a tenant that is no id".into(),
            )),
        }
    }
}

/// The host a request is for: that of its target, where it has one (RFC 9112, section 3.2.2).
fn host(request: &Request<RequestBody>) -> &str {
    let of_target = request.uri().authority().map(|host| host.as_str());
    let of_header = || request.headers().get(HOST)?.to_str().ok();
    of_target.or_else(of_header).unwrap_or_default()
}

/// Makes a request ready for any upstream.
pub(super) fn prepare(request: &mut Request<Upload>, tenant: &str, peer: Option<SocketAddr>) {
    let of_target = request.uri().authority();
    let host = match of_target {
        Some(host) => HeaderValue::from_str(host.as_str()).ok(),
        None => request.headers().get(HOST).cloned(),
    };
    // Percent-encoded it is ASCII.
    let tenant = HeaderValue::from_str(&encoded(tenant));
    let tenant = tenant.unwrap_or(HeaderValue::from_static(""));
    *request.version_mut() = Version::HTTP_11;
    onward(request.headers_mut(), host, tenant, peer);
}

/// Makes it one for this upstream: its path below the upstream's own, and both queries.
pub(super) fn aim(request: &mut Request<Upload>, way: &Way<'_>, upstream: &Upstream) {
    let uri = request.uri();
    let plain = upstream.path.is_empty() && upstream.query.is_none();
    let target = match uri.path_and_query() {
        Some(target) if plain => Some(target.clone()),
        _ => {
            let queries = [upstream.query.as_deref(), uri.query()];
            let queries: Vec<&str> = queries.into_iter().flatten().collect();
            let mark = if queries.is_empty() { "" } else { "?" };
            let target = format!("{}{}{mark}{}", upstream.path, uri.path(), queries.join("&"));
            PathAndQuery::try_from(target).ok()
        }
    };
    *request.uri_mut() = target.map_or_else(Uri::default, Uri::from);
    let unknown = request.body().size_hint().exact().is_none();
    let headers = request.headers_mut();
    headers.insert(HOST, upstream.host.clone());
    if unknown {
        // Without a word hyper takes a GET for one without a body.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    stamp(headers, way.header.clone(), way.slot, way.reason);
}

/// The same without a body, for another attempt.
pub(super) fn copy(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::NONE);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
