//! Which headers go on, in either direction.

use std::net::SocketAddr;

use axum::http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use halcyon_core::forwarding::{OF_A_CONNECTION, is_of_the_edge, is_ours, listed};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const TENANT: HeaderName = HeaderName::from_static("x-halcyon-tenant");
const REGION: HeaderName = HeaderName::from_static("x-halcyon-region");
const SLOT: HeaderName = HeaderName::from_static("x-halcyon-slot");
const REASON: HeaderName = HeaderName::from_static("x-halcyon-reason");

/// Takes away what is about the connection it came by, and what only this edge may say.
pub(super) fn clean(headers: &mut HeaderMap) {
    let mut gone: Vec<HeaderName> = Vec::new();
    for named in headers.get_all(CONNECTION) {
        let names = listed(named.as_bytes());
        gone.extend(names.filter_map(|name| HeaderName::from_bytes(name).ok()));
    }
    let ours = headers.keys().filter(|name| is_ours(name.as_str()));
    gone.extend(ours.cloned());
    // A client could name them to have them dropped, and with them where the request was meant to go, or end.
    for name in gone
        .iter()
        .filter(|name| **name != HOST && **name != CONTENT_LENGTH)
    {
        headers.remove(name);
    }
    for name in OF_A_CONNECTION {
        headers.remove(name);
    }
}

/// The headers of a request as they go on to an upstream, but for its Host and the placement.
pub(super) fn onward(
    headers: &mut HeaderMap,
    host: Option<HeaderValue>,
    tenant: HeaderValue,
    peer: Option<SocketAddr>,
) {
    clean(headers);
    let said = headers.keys().filter(|name| is_of_the_edge(name.as_str()));
    for name in said.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    // Answered already.
    headers.remove(EXPECT);
    if let Some(host) = host {
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    if let Some(peer) = peer
        && let Ok(address) = HeaderValue::from_str(&peer.ip().to_canonical().to_string())
    {
        headers.insert(FORWARDED_FOR, address);
    }
    headers.insert(TENANT, tenant);
}

/// Says where a request was put, for whoever sees it next.
pub(super) fn stamp(
    headers: &mut HeaderMap,
    region: HeaderValue,
    slot: &'static str,
    reason: &'static str,
) {
    headers.insert(REGION, region);
    headers.insert(SLOT, HeaderValue::from_static(slot));
    headers.insert(REASON, HeaderValue::from_static(reason));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines.iter().map(|(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn what_is_about_a_connection_or_of_the_edge_alone_goes() {
        let mut found = headers(&[
            ("host", "a"),
            ("accept", "b"),
            ("connection", "x-one, keep-alive"),
            ("connection", "X-Two,host, ,\"bad"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "secret"),
            ("x-halcyon-region", "mine"),
            ("x-halcyon-anything", "mine"),
        ]);
        clean(&mut found);
        assert_eq!(
            found,
            headers(&[("host", "a"), ("accept", "b"), ("x-three", "3")])
        );
    }

    #[test]
    fn a_client_says_nothing_about_itself() {
        let mut found = headers(&[
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/evil"),
            ("x_forwarded_for", "3.3.3.3"),
            ("x-real-ip", "4.4.4.4"),
            ("x_halcyon_tenant", "other"),
            ("expect", "100-continue"),
            ("x-halcyon-tenant", "other"),
        ]);
        let peer = "[::ffff:10.0.0.1]:999".parse().ok();
        let host = Some(HeaderValue::from_static("shop.example"));
        onward(&mut found, host, HeaderValue::from_static("acme"), peer);
        assert_eq!(
            found,
            headers(&[
                ("x-forwarded-host", "shop.example"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-halcyon-tenant", "acme"),
            ])
        );
    }
}
