//! Where the dashboard listens, and under which names it answers.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use super::settings::{read_ip, read_port};
use super::{Lookup, Problems, items, value};
use crate::text::Seen;

/// The most names of `DASHBOARD_HOSTS`.
const HOSTS_MAX: usize = 64;

/// The dashboard's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    /// `DASHBOARD_PORT`; 0 takes any free one.
    pub port: u16,
    /// `DASHBOARD_BIND`.
    pub bind: IpAddr,
    /// `DASHBOARD_HOSTS`, in lower case and without ports; an IPv6 address stands in brackets.
    pub hosts: Vec<String>,
}

impl Dashboard {
    pub(super) fn read(lookup: Lookup<'_>, problems: &mut Problems) -> Self {
        Self {
            port: read_port(lookup, "DASHBOARD_PORT", 8080, problems),
            bind: read_ip(lookup, "DASHBOARD_BIND", problems),
            hosts: read_hosts(lookup, problems),
        }
    }

    /// Whether a Host header, its port aside, is one of the names: no page of another site that has made
    /// its name point here gets an answer.
    ///
    /// ```
    /// use halcyon_core::config::Settings;
    ///
    /// let (settings, _) = Settings::read(&|_: &str| None);
    /// let known = |host| settings.dashboard.knows(host);
    /// assert!(known("localhost:8080") && known("LOCALHOST") && known("127.0.0.1:1") && known("[::1]:8080"));
    /// assert!(!known("evil.example") && !known("localhost.evil.example") && !known("") && !known("localhost:x"));
    /// ```
    pub fn knows(&self, host: &str) -> bool {
        let (name, port) = match host.rfind(':') {
            // Not the last colon of an address in brackets.
            Some(at) if !host.ends_with(']') => host.split_at_checked(at).unwrap_or((host, "")),
            _ => (host, ""),
        };
        let digits = port.strip_prefix(':').unwrap_or_default();
        let port = port.is_empty() || digits.bytes().all(|byte| byte.is_ascii_digit());
        let mut hosts = self.hosts.iter();
        port && hosts.any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn read_hosts(lookup: Lookup<'_>, problems: &mut Problems) -> Vec<String> {
    let list = value(lookup, "DASHBOARD_HOSTS").unwrap_or_default();
    let names: Vec<&str> = items(&list).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return ["localhost", "127.0.0.1", "[::1]"].map(String::from).into();
    }
    if names.len() > HOSTS_MAX {
        problems.error(
            "DASHBOARD_HOSTS",
            format_args!("has {} names; allowed: at most {HOSTS_MAX}", names.len()),
        );
    }
    for name in names.iter().take(HOSTS_MAX).filter(|name| !is_host(name)) {
        problems.error(
            "DASHBOARD_HOSTS",
            format_args!(
                "{} is no host; allowed: names and IP addresses without a port, IPv6 in brackets",
                Seen(name)
            ),
        );
    }
    let names = names.into_iter().take(HOSTS_MAX);
    names.map(str::to_ascii_lowercase).collect()
}

/// A name as a Host header has it.
fn is_host(name: &str) -> bool {
    let in_brackets = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = in_brackets {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    name.len() <= 253 && name.bytes().all(allowed)
}
