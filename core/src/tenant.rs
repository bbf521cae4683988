//! Which tenant a request is of: where an edge looks for the id, and what it takes for one.
//!
//! An edge of any kind reads the same ids from the same bytes. What two of them could read differently
//! is no id: bytes that are no ASCII in a header, a comma there (of two headers of one name, some make a
//! list), a path that is the way to another one.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::forwarding::leads_elsewhere;
use crate::text::Seen;

/// The forms that are allowed.
const FORMS: &str = "header:NAME, host:.DOMAIN, path:N with N from 1 to 9";

/// Where the tenant of a request is found.
///
/// ```
/// use halcyon_core::tenant::{Asked, TenantFrom};
///
/// let from = TenantFrom::parse("path:2").unwrap();
/// let asked = Asked { headers: &[], host: "shop.example", path: "/t/ac%6de/orders" };
/// assert_eq!(from.of(&asked).unwrap().unwrap(), "acme");
/// assert!(TenantFrom::parse("query:t").unwrap_err().contains("allowed: header:NAME"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantFrom {
    /// A header of this name, in lower case.
    Header(String),
    /// The one label before this domain, which begins with a dot and is in lower case.
    Host(String),
    /// A segment of the path, 1 to 9, percent-decoded.
    Path(u8),
}

/// What of a request may say which tenant it is of.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// The values of the header that [`TenantFrom::header`] names, in their order.
    pub headers: &'r [&'r [u8]],
    /// The host it is for, with or without a port.
    pub host: &'r str,
    /// The path, without the query.
    pub path: &'r str,
}

/// What stands where the tenant should, and is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoId;

impl Default for TenantFrom {
    /// `header:x-tenant`.
    fn default() -> Self {
        TenantFrom::Header(String::from("x-tenant"))
    }
}

impl fmt::Display for TenantFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TenantFrom::Header(name) => write!(f, "header:{name}"),
            TenantFrom::Host(domain) => write!(f, "host:{domain}"),
            TenantFrom::Path(place) => write!(f, "path:{place}"),
        }
    }
}

impl TenantFrom {
    /// Reads `header:NAME`, `host:.DOMAIN` or `path:N`.
    ///
    /// # Errors
    /// What was seen, and the forms allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let seen = Seen(text);
            alloc::format!("{seen} {why}; allowed: {FORMS}")
        };
        let (kind, what) = text.split_once(':').unwrap_or((text, ""));
        let lower = what.to_ascii_lowercase();
        match kind {
            // It is dropped from what clients send: they may not say where they go.
            "header" if lower.starts_with("x-halcyon-") => {
                Err(wrong("names a header that clients may not send"))
            }
            "header" if is_header(&lower) => Ok(TenantFrom::Header(lower)),
            "host" if is_domain(&lower) => Ok(TenantFrom::Host(lower)),
            "path" => match what.as_bytes() {
                [digit @ b'1'..=b'9'] => Ok(TenantFrom::Path(digit & 0x0f)),
                _ => Err(wrong("says nowhere")),
            },
            _ => Err(wrong("says nowhere")),
        }
    }

    /// The header whose values decide, in lower case.
    pub fn header(&self) -> Option<&str> {
        match self {
            TenantFrom::Header(name) => Some(name),
            TenantFrom::Host(_) | TenantFrom::Path(_) => None,
        }
    }

    /// The tenant a request names, if it names one. Whether the id is short enough is for
    /// [`TenantId`](crate::hash::TenantId) to say.
    ///
    /// # Errors
    /// Where something stands in its place that is no id.
    pub fn of<'r>(&self, asked: &Asked<'r>) -> Result<Option<Cow<'r, str>>, NoId> {
        match self {
            TenantFrom::Header(_) => of_header(asked.headers).map(|id| id.map(Cow::Borrowed)),
            TenantFrom::Host(domain) => match of_host(asked.host, domain) {
                // A parser of URLs decodes a host, and reads other characters as others.
                Some(label) if !label.bytes().all(is_of_a_name) => Err(NoId),
                label => Ok(label.map(lowered)),
            },
            TenantFrom::Path(place) => of_path(asked.path, *place),
        }
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn is_header(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(is_of_a_name)
}

fn is_domain(domain: &str) -> bool {
    let Some(labels) = domain.strip_prefix('.') else {
        return false;
    };
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        !bytes.is_empty()
            && label.bytes().all(is_of_a_name)
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    domain.len() < 254 && labels.split('.').all(is_label)
}

fn of_header<'r>(values: &[&'r [u8]]) -> Result<Option<&'r str>, NoId> {
    let [value] = values else {
        // Joined they would have a comma between them.
        return if values.is_empty() {
            Ok(None)
        } else {
            Err(NoId)
        };
    };
    let text = core::str::from_utf8(value).map_err(|_| NoId)?;
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Ok(None);
    }
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',';
    text.bytes().all(allowed).then_some(Some(text)).ok_or(NoId)
}

fn lowered(label: &str) -> Cow<'_, str> {
    match label.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(label.to_ascii_lowercase()),
        false => Cow::Borrowed(label),
    }
}

fn of_host<'r>(host: &'r str, domain: &str) -> Option<&'r str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let (label, rest) = name.split_at_checked(name.len().checked_sub(domain.len())?)?;
    let ours = rest.eq_ignore_ascii_case(domain) && !label.is_empty() && !label.contains('.');
    ours.then_some(label)
}

fn of_path(path: &str, place: u8) -> Result<Option<Cow<'_, str>>, NoId> {
    // Whoever resolves them, before or behind this edge, sees another path than it does.
    if path.contains('\\') || leads_elsewhere(path) {
        return Err(NoId);
    }
    match path.split('/').nth(place.into()) {
        None | Some("") => Ok(None),
        Some(segment) if !segment.contains('%') => Ok(Some(Cow::Borrowed(segment))),
        Some(segment) => decoded(segment).map(|text| Some(Cow::Owned(text))),
    }
}

/// Percent-decoded (RFC 3986, section 2.1).
fn decoded(segment: &str) -> Result<String, NoId> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut parts = segment.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(NoId)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoId);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| NoId)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| NoId)
}

/// An id as a header carries it: percent-encoded but for letters, digits and `-_.!~*'()`.
///
/// ```
/// assert_eq!(halcyon_core::tenant::encoded("Zo\u{eb} & co"), "Zo%C3%AB%20%26%20co");
/// ```
pub fn encoded(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    if id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&alloc::format!("%{byte:02X}"));
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
