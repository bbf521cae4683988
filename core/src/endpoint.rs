//! Addresses of things to talk to, parsed without touching the network.

use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::text::{before_authority, count, cut, digits, from_last, is_all, message};

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
    const ALL: [Scheme; 3] = [Scheme::Tcp, Scheme::Http, Scheme::Https];

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
        Self::read(text, !tcp.is_empty()).map_err(|why| {
            message!(
                "{} {}; allowed: {}http://host[:port][/path], https://host[:port][/path]",
                &seen(text),
                why,
                tcp
            )
            .text()
        })
    }

    /// The endpoint, or what is wrong with the text.
    fn read(text: &str, tcp: bool) -> Result<Self, &'static str> {
        let (name, Some(rest)) = before_authority(text) else {
            return Err("has no scheme");
        };
        let mut schemes = Scheme::ALL.into_iter();
        let scheme = schemes.find(|scheme| name.eq_ignore_ascii_case(scheme.name()));
        let scheme = scheme.ok_or("has an unknown scheme")?;
        if scheme == Scheme::Tcp && !tcp {
            return Err("is not HTTP");
        }
        if !is_all(rest, |b| matches!(b, b'!'..=b'~')) {
            return Err("holds a character that no URL has");
        }
        let mut bytes = rest.bytes();
        let end = bytes.position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, path) = end
            .and_then(|end| rest.split_at_checked(end))
            .unwrap_or((rest, ""));
        if cut(authority, b'@').is_some() {
            return Err("carries credentials, which would end up in logs");
        }
        if cut(path, b'#').is_some() {
            return Err("has a fragment");
        }
        if scheme == Scheme::Tcp && !path.is_empty() {
            return Err("has a path");
        }
        let (host, port) = split_port(authority).ok_or("has no valid host and port")?;
        let port = match (port, scheme) {
            (Some(port), _) => port,
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
            (None, Scheme::Tcp) => return Err("has no port"),
        };
        let mut rooted = String::new();
        if scheme != Scheme::Tcp && path.as_bytes().first() != Some(&b'/') {
            rooted.push('/');
        }
        rooted.push_str(path);
        Ok(Self {
            scheme,
            host: String::from(host),
            port,
            path: rooted,
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
        let found = match before_authority(text) {
            (_, Some(_)) => match Self::parse(text) {
                Ok(found) if found.scheme != Scheme::Tcp => return found.health_base(),
                _ => None,
            },
            _ => split_port(text),
        };
        let Some((host, port)) = found else {
            return Err(message!(
                "{} is not a region's address; allowed: a name from the topology or REGION_ENDPOINTS, host, host:port, [v6]:port, http(s)://host[:port]",
                &seen(text)
            )
            .text());
        };
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
        if self.scheme == Scheme::Tcp || cut(&self.path, b'?').is_some() {
            return Err(message!(
                "{?} is no base of a health server; allowed: http(s)://host[:port][/path] without a query",
                &self.text()
            )
            .text());
        }
        let path = without_slashes(&self.path);
        let path = path
            .strip_suffix("/ready")
            .or(path.strip_suffix("/readyz"))
            .unwrap_or(path);
        let path = match without_slashes(path) {
            "" => "/",
            path => path,
        };
        Ok(Self {
            path: String::from(path),
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
            path: message!("{}{}", without_slashes(&self.path), suffix).text(),
            ..self.clone()
        }
    }

    /// `host:port` as a `Host` header and a URL write it; an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        let port = count(self.port.into());
        match cut(&self.host, b':') {
            Some(_) => message!("[{}]:{}", &self.host, &port).text(),
            None => message!("{}:{}", &self.host, &port).text(),
        }
    }

    /// What it displays.
    pub(crate) fn text(&self) -> String {
        let path = if self.path == "/" { "" } else { &self.path };
        message!("{}://{}{}", self.scheme.name(), &self.authority(), path).text()
    }
}

fn without_slashes(path: &str) -> &str {
    let mut path = path;
    while let Some(shorter) = path.strip_suffix('/') {
        path = shorter;
    }
    path
}

/// The text as a message shows it. One without a scheme may be the rest of a URL whose user and password
/// stand before an `@`.
fn seen(text: &str) -> String {
    if before_authority(text).1.is_none()
        && let Some(host) = from_last(text, b'@')
    {
        let shown = message!("***{}", host).text();
        return message!("{?}", &shown).text();
    }
    message!("{?}", text).text()
}

/// Splits `host`, `host:port`, `[v6]` and `[v6]:port`; the port 1 to 65535, digits only.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let number = |text: &str| {
        let port = u16::try_from(digits(text)?).ok()?;
        (port > 0).then_some(port)
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = cut(rest, b']')?;
        if !is_v6(host) {
            return None;
        }
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(number(port)?))),
            None if after.is_empty() => Some((host, None)),
            None => None,
        };
    }
    let (host, port) = match cut(authority, b':') {
        Some((host, port)) => (host, Some(number(port)?)),
        None => (authority, None),
    };
    let legal = is_all(host, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
    });
    (!host.is_empty() && host.len() <= 253 && legal && !host.starts_with('-'))
        .then_some((host, port))
}

/// Whether the text is an IPv6 address as RFC 4291, section 2.2, writes one.
///
/// By hand: the library's reader is 4 KB of an edge's module, and nobody here needs the address itself.
fn is_v6(text: &str) -> bool {
    let mut place = 0_usize;
    for two in text.as_bytes().windows(2) {
        if two == b"::" {
            let (Some(before), Some(behind)) =
                (text.get(..place), text.get(place.saturating_add(2)..))
            else {
                return false;
            };
            // The two colons stand for at least one group.
            return match (groups(before, false), groups(behind, true)) {
                (Some(before), Some(behind)) => before.saturating_add(behind) < 8,
                _ => false,
            };
        }
        place = place.saturating_add(1);
    }
    groups(text, true) == Some(8)
}

/// How many groups of 16 bits there are; the last two may be written as an IPv4 address.
fn groups(text: &str, v4_allowed: bool) -> Option<usize> {
    let mut count = 0_usize;
    let mut rest = Some(text).filter(|text| !text.is_empty());
    while let Some(text) = rest {
        let group;
        (group, rest) = match cut(text, b':') {
            Some((group, rest)) => (group, Some(rest)),
            None => (text, None),
        };
        if rest.is_none() && v4_allowed && is_v4(group) {
            return count.checked_add(2);
        }
        if !matches!(group.len(), 1..=4) || !is_all(group, |b| b.is_ascii_hexdigit()) {
            return None;
        }
        count = count.checked_add(1)?;
    }
    Some(count)
}

/// Four numbers from 0 to 255, without leading zeros.
fn is_v4(text: &str) -> bool {
    let mut rest = text;
    let mut numbers = 1_u8;
    loop {
        let (number, behind) = match cut(rest, b'.') {
            Some((number, behind)) => (number, Some(behind)),
            None => (rest, None),
        };
        let small = digits(number).is_some_and(|number| number < 256);
        if !small || (number.len() > 1 && number.starts_with('0')) {
            return false;
        }
        match behind {
            None => return numbers == 4,
            Some(behind) => rest = behind,
        }
        numbers = numbers.saturating_add(1);
    }
}

/// As [`parse`](Endpoint::parse) reads it, to the same endpoint: a journal keeps addresses so.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
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
