//! What an edge passes on of a request's head, and what only it may say.
//!
//! Names are in lower case, as HTTP/2 has them and as every proxy hands them to a filter.

/// They are about one connection (RFC 9110, section 7.6.1), not about the message.
pub const OF_A_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field is one of an edge's own: `x-halcyon-*`.
///
/// ```
/// use halcyon_core::forwarding::is_ours;
/// assert!(is_ours("x-halcyon-region") && is_ours("x_halcyon_tenant"));
/// assert!(!is_ours("x-tenant"));
/// ```
pub fn is_ours(name: &str) -> bool {
    is_like(name, "x-halcyon-")
}

/// Whether a client says by a field what only an edge knows: who it is, and how it came here.
///
/// ```
/// use halcyon_core::forwarding::is_of_the_edge;
/// assert!(is_of_the_edge("x-forwarded-for") && is_of_the_edge("x_real_ip"));
/// assert!(!is_of_the_edge("x-forward"));
/// ```
pub fn is_of_the_edge(name: &str) -> bool {
    let whole = |known: &str| name.len() == known.len() && is_like(name, known);
    is_like(name, "x-forwarded-") || whole("forwarded") || whole("x-real-ip")
}

/// Whether some server could take a path for the way to another one: by segments `.` and `..`, also behind a
/// separator that is percent-encoded or a backslash, and with a parameter (RFC 3986, section 3.3) behind them.
///
/// ```
/// use halcyon_core::forwarding::leads_elsewhere;
/// for path in ["/a/../b", "/a/%2E./b", "/a/..;x=1/b", "/a/..%2fb", "/a/..%5Cb", "/a/.", "/.\\b"] {
///     assert!(leads_elsewhere(path), "{path}");
/// }
/// assert!(!leads_elsewhere("/a/...") && !leads_elsewhere("/a..b/.well-known/c%2Fd"));
/// ```
pub fn leads_elsewhere(path: &str) -> bool {
    if !path.contains(['.', '%']) {
        return false;
    }
    let plain = path.to_ascii_lowercase();
    let plain = plain.replace("%2e", ".");
    let plain = plain.replace("%2f", "/").replace("%5c", "/");
    let is_a_way = |segment: &str| {
        let segment = segment.split(';').next().unwrap_or_default();
        matches!(segment, "." | "..")
    };
    plain.split(['/', '\\']).any(is_a_way)
}

/// Whether an upstream could take a field for one that begins so: many make `_` of `-`, and then both are
/// one.
fn is_like(name: &str, beginning: &str) -> bool {
    let mut bytes = name.bytes();
    beginning.bytes().all(|known| {
        let byte = bytes.next();
        byte == Some(known) || (byte == Some(b'_') && known == b'-')
    })
}

/// The names that a `connection` field lists, which are about that connection too.
///
/// ```
/// use halcyon_core::forwarding::listed;
/// assert!(listed(b"close, X-One ,").eq([&b"close"[..], b"X-One"]));
/// ```
pub fn listed(connection: &[u8]) -> impl Iterator<Item = &[u8]> {
    let names = connection.split(|byte| *byte == b',');
    names
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
}

/// Whether a Host says nothing but a host, and maybe a port: it goes on as `x-forwarded-host`.
///
/// ```
/// use halcyon_core::forwarding::is_host;
/// assert!(is_host("shop.example:8080") && is_host("[::1]"));
/// assert!(!is_host("a,b") && !is_host("joe@shop.example") && !is_host("shop.example:http") && !is_host(""));
/// ```
pub fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let allowed = |byte: u8| matches!(byte, b'!'..=b'~') && !b"/\\?#@,".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed) && port.bytes().all(|byte| byte.is_ascii_digit())
}
