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
        let wrong = |why: &str| {
            format!(
                "{} {why}; allowed: tcp://host:port, http://host[:port][/path], https://host[:port][/path]",
                seen(text)
            )
        };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("has no scheme"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
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
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_in_every_allowed_form() {
        for (text, shown) in [
            ("tcp://db:5432", "tcp://db:5432"),
            ("http://10.0.0.1", "http://10.0.0.1:80"),
            ("HTTPS://api.example/x?y=1", "https://api.example:443/x?y=1"),
            ("http://[::1]:8086/", "http://[::1]:8086"),
            ("http://h?x=1", "http://h:80/?x=1"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_the_forms_allowed() {
        for bad in [
            "",
            "db:5432",
            "ftp://h/",
            "tcp://db",
            "tcp://db:5432/x",
            "http://",
            "http://h:0",
            "http://h:65536",
            "http://h:+1",
            "http://u:p@h/",
            "http://h/#f",
            "http://h/a b",
            "http://[::1",
            "http://-h",
            "http://h\u{430}",
        ] {
            let error = Endpoint::parse(bad).unwrap_err();
            assert!(error.contains("allowed: tcp://host:port"), "{bad}: {error}");
        }
        assert!(
            !Endpoint::parse("http://joe:s3cret@h/")
                .unwrap_err()
                .contains("s3cret")
        );
    }

    #[test]
    fn a_password_is_not_shown_even_where_the_scheme_is_forgotten() {
        for bad in ["joe:s3cret@h:8086", "http:/joe:s3cret@h", "joe:s3@cret@h/x"] {
            for error in [Endpoint::parse(bad), Endpoint::parse_region(bad, 8086)] {
                let error = error.unwrap_err();
                assert!(error.starts_with("\"***@h"), "{error}");
            }
        }
    }

    #[test]
    fn a_regions_address_may_be_a_host_alone() {
        for (text, shown) in [
            (
                "us-east-lb.example.com",
                "http://us-east-lb.example.com:8086",
            ),
            ("localhost:9000", "http://localhost:9000"),
            ("[::1]:9000", "http://[::1]:9000"),
            ("[::1]", "http://[::1]:8086"),
            ("https://lb/", "https://lb:443"),
            ("http://lb/eu", "http://lb:80/eu"),
        ] {
            assert_eq!(
                Endpoint::parse_region(text, 8086).unwrap().to_string(),
                shown
            );
        }
        for bad in [
            "",
            "::1",
            "a:b",
            "a:70000",
            "tcp://h:1",
            "a/b",
            "http://u@h",
        ] {
            assert!(
                Endpoint::parse_region(bad, 8086)
                    .unwrap_err()
                    .contains("allowed: a name from"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_regions_url_may_name_its_ready_path_and_has_no_query() {
        for url in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/ready",
            "http://h:1/readyz/",
        ] {
            let base = Endpoint::parse_region(url, 8086).unwrap();
            assert_eq!(base.join("/ready").to_string(), "http://h:1/ready");
        }
        let under = Endpoint::parse_region("https://h/eu/ready", 8086).unwrap();
        assert_eq!(under.to_string(), "https://h:443/eu");
        assert!(
            Endpoint::parse_region("http://h/?x=1", 8086)
                .unwrap_err()
                .contains("without a query")
        );
    }

    #[test]
    fn an_endpoint_is_written_so_that_it_reads_back_equal() {
        for text in [
            "tcp://db:5432",
            "http://h",
            "http://h/ping/",
            "http://h//",
            "http://h/search?q=/",
            "https://[::1]/eu/?x=y/",
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
        }
        for text in ["http://h/eu/", "http://h/eu//ready", "http://h//readyz//"] {
            let base = Endpoint::parse(text).unwrap().health_base().unwrap();
            assert_eq!(Endpoint::parse(&base.to_string()), Ok(base.clone()));
            assert!(base.path() == "/" || !base.path().ends_with('/'), "{base}");
        }
    }

    #[test]
    fn joining_keeps_one_slash() {
        let at = |base: &str| {
            Endpoint::parse(base)
                .unwrap()
                .join("/ready")
                .path()
                .to_string()
        };
        assert_eq!(at("http://h"), "/ready");
        assert_eq!(at("http://h/eu/"), "/eu/ready");
    }
}
