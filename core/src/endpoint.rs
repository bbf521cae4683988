//! Addresses of things to talk to, parsed without touching the network.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::text::Seen;

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// A TCP connection is enough.
    Tcp,
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Tcp => "tcp",
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// `scheme://host:port/path`, without credentials and without a fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    scheme: Scheme,
    /// A name or an address; IPv6 without its brackets.
    host: String,
    port: u16,
    /// Path and query, beginning with `/`; empty for TCP.
    path: String,
}

impl Endpoint {
    /// Reads `tcp://host:port`, `http://host[:port][/path]` or `https://…`.
    ///
    /// ```
    /// use halcyon_core::endpoint::Endpoint;
    /// let api = Endpoint::parse("https://api.example/v1").unwrap();
    /// assert_eq!((api.host(), api.port(), api.path()), ("api.example", 443, "/v1"));
    /// assert!(Endpoint::parse("http://joe:secret@api.example").unwrap_err().contains("***@api.example"));
    /// ```
    ///
    /// # Errors
    /// What was seen, without its credentials, and the forms allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_as(text, "tcp://host:port, ")
    }

    /// Reads `http://host[:port][/path]` or `https://…`.
    ///
    /// # Errors
    /// What was seen, without its credentials, and the forms allowed.
    pub fn parse_http(text: &str) -> Result<Self, String> {
        Self::parse_as(text, "")
    }

    fn parse_as(text: &str, tcp: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "{} {why}; allowed: {tcp}http://host[:port][/path], https://host[:port][/path]",
                seen(text)
            )
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("has no scheme"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "tcp" if tcp.is_empty() => return Err(wrong("is not HTTP")),
            "tcp" => Scheme::Tcp,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(wrong("has an unknown scheme")),
        };
        if !rest.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            return Err(wrong("holds a character that no URL has"));
        }
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(wrong("carries credentials, which would end up in logs"));
        }
        if path.contains('#') {
            return Err(wrong("has a fragment"));
        }
        if scheme == Scheme::Tcp && !path.is_empty() {
            return Err(wrong("has a path"));
        }
        let (host, port) =
            split_port(authority).ok_or_else(|| wrong("has no valid host and port"))?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
            (None, Scheme::Tcp) => return Err(wrong("has no port")),
        };
        let path = match (scheme, path.starts_with('/')) {
            (Scheme::Tcp, _) => String::new(),
            (_, true) => path.to_string(),
            (_, false) => format!("/{path}"),
        };
        Ok(Self {
            scheme,
            host: host.to_string(),
            port,
            path,
        })
    }

    /// Reads a region's address as the command line takes it: `host`, `host:port`, `[v6]:port` or an
    /// `http(s)` URL. A missing port is `default_port`, except in a URL, where it is the scheme's.
    ///
    /// ```
    /// use halcyon_core::endpoint::Endpoint;
    /// assert_eq!(Endpoint::parse_region("[::1]", 8086).unwrap().to_string(), "http://[::1]:8086");
    /// ```
    ///
    /// # Errors
    /// What was seen and the forms allowed.
    pub fn parse_region(text: &str, default_port: u16) -> Result<Self, String> {
        let allowed = "allowed: a name from the topology or REGION_ENDPOINTS, host, host:port, [v6]:port, http(s)://host[:port]";
        if text.contains("://") {
            return match Self::parse(text) {
                Ok(found) if found.scheme != Scheme::Tcp => found.health_base(),
                _ => Err(format!(
                    "{} is not a region's address; {allowed}",
                    seen(text)
                )),
            };
        }
        let (host, port) = split_port(text)
            .ok_or_else(|| format!("{} is not a region's address; {allowed}", seen(text)))?;
        Ok(Self {
            scheme: Scheme::Http,
            host: host.to_string(),
            port: port.unwrap_or(default_port),
            path: String::from("/"),
        })
    }

    /// The base of a health server: `/ready` at its end is dropped, because it is asked below the base.
    ///
    /// ```
    /// use halcyon_core::endpoint::Endpoint;
    /// let base = Endpoint::parse("http://lb/eu/ready").and_then(Endpoint::health_base)?;
    /// assert_eq!(base.join("/ready").to_string(), "http://lb:80/eu/ready");
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// When it is no HTTP, or has a query, which would end up before `/ready`.
    pub fn health_base(self) -> Result<Self, String> {
        if self.scheme == Scheme::Tcp || self.path.contains('?') {
            let shown = self.to_string();
            return Err(format!(
                "{} is no base of a health server; allowed: http(s)://host[:port][/path] without a query",
                Seen(&shown)
            ));
        }
        let path = self.path.trim_end_matches('/');
        let path = path
            .strip_suffix("/ready")
            .or(path.strip_suffix("/readyz"))
            .unwrap_or(path)
            .trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            path: path.to_string(),
            ..self
        })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name or an address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65535.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, beginning with `/`; empty for TCP.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same endpoint with `suffix` behind its path: `http://h/base` and `/ready` give
    /// `http://h/base/ready`.
    pub fn join(&self, suffix: &str) -> Self {
        Self {
            path: format!("{}{suffix}", self.path.trim_end_matches('/')),
            ..self.clone()
        }
    }

    /// `host:port` as a `Host` header and a URL write it; an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The text as a message shows it. One without a scheme may be the rest of a URL whose user and password
/// stand before an `@`.
fn seen(text: &str) -> String {
    let at = text.rfind('@').filter(|_| !text.contains("://"));
    match at.and_then(|at| text.get(at..)) {
        Some(host) => Seen(&format!("***{host}")).to_string(),
        None => Seen(text).to_string(),
    }
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; the port 1 to 65535, digits only.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let number = |text: &str| match text.parse() {
        Ok(port) if port > 0_u16 && text.bytes().all(|b| b.is_ascii_digit()) => Some(port),
        _ => None,
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<core::net::Ipv6Addr>().ok()?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(number(port)?))),
            None if after.is_empty() => Some((host, None)),
            None => None,
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(number(port)?)),
        None => (authority, None),
    };
    let legal = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (!host.is_empty() && host.len() <= 253 && legal && !host.starts_with('-'))
        .then_some((host, port))
}

/// As [`parse`](Endpoint::parse) reads it, to the same endpoint: a journal keeps addresses so.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path == "/" { "" } else { &self.path };
        write!(f, "{}://{}{path}", self.scheme.name(), self.authority())
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.to_string()
    }
}

#[cfg(test)]
mod tests;
