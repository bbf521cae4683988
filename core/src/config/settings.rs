//! Every other variable. A malformed one is an error; whether that stops a program is its decision.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::ops::RangeInclusive;

use super::dashboard::Dashboard;
use super::deployment::read_deployment;
use super::endpoints::{read_dependencies, read_region_endpoints};
use super::networks::read_networks;
use super::{Lookup, Problems, items, value};
use crate::address::Network;
use crate::endpoint::Endpoint;
use crate::health::HealthRules;
use crate::region::RegionName;
use crate::role::Actor;
use crate::text::Seen;

/// The feature switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `FEATURE_MULTI_REGION`.
    pub multi_region: bool,
    /// `FEATURE_BLUE_GREEN`: `None` where it is unset, `Some(false)` is the kill switch.
    pub blue_green: Option<bool>,
}

impl Features {
    /// Whether starting, raising and promoting a release are refused.
    pub fn kill_switch(self) -> bool {
        self.blue_green == Some(false)
    }
}

/// A dependency of `READINESS_CHECKS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name in `/ready`.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
}

/// A region's health endpoint of `REGION_ENDPOINTS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionEndpoint {
    /// The region.
    pub name: RegionName,
    /// Where its health server is.
    pub endpoint: Endpoint,
}

/// Build metadata as `/__meta` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// `BUILD_VERSION`.
    pub version: String,
    /// `GIT_SHA`.
    pub git_sha: String,
    /// `BUILD_DATE`.
    pub build_date: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Every variable that is not about placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The feature switches.
    pub features: Features,
    /// Port of the health server; 0 takes any free one.
    pub health_port: u16,
    /// Where the dashboard listens.
    pub dashboard: Dashboard,
    /// One deadline over all readiness checks, in milliseconds, 1 to 60,000.
    pub readiness_timeout_ms: u64,
    /// Names of `REQUIRED_ENVS`, in order.
    pub required_envs: Vec<String>,
    /// Dependencies to check, in order, at most 1,024, names unique.
    pub dependencies: Vec<Dependency>,
    /// The region of this instance: `CURRENT_REGION`, else `PRIMARY_REGION`; `None` is shown as `unknown`.
    pub region: Option<RegionName>,
    /// Health endpoints by region, at most 1,024, names unique; `/ready` is asked below each.
    pub region_endpoints: Vec<RegionEndpoint>,
    /// User and role of a local command.
    pub actor: Actor,
    /// Build metadata.
    pub build: BuildInfo,
    /// Directory of the journal: `DIR` of `HALCYON_STORE=file:DIR`.
    pub store_dir: String,
    /// The deployment that routing tables are for, named by [`NAME_RULE`](crate::region::NAME_RULE).
    pub deployment: String,
    /// Milliseconds between two probes of a region, 10 to 3,600,000.
    pub probe_interval_ms: u64,
    /// Milliseconds one probe may take, 1 to 60,000.
    pub probe_timeout_ms: u64,
    /// `PROBE_NETWORKS`: where the monitor may ask under a name besides the internet, at most 64.
    pub probe_networks: Vec<Network>,
    /// `PROBE_FALL`, `PROBE_RISE`, 1 to 100, and `FAILBACK_HOLD_MS`, 0 to 3,600,000.
    pub health: HealthRules,
    /// Milliseconds `/ready` is 503 before the listener closes, 0 to 3,600,000.
    pub drain_ms: u64,
    /// How log lines are written.
    pub log_format: LogFormat,
}

impl Settings {
    /// Reads all of them, falling back to the default where a value is malformed, and reports
    /// everything that is wrong.
    ///
    /// ```
    /// use halcyon_core::config::Settings;
    ///
    /// let env = |name: &str| (name == "READINESS_CHECKS").then(|| "db=tcp://10.0.0.5:5432".into());
    /// let (settings, problems) = Settings::read(&env);
    /// assert_eq!(settings.dependencies[0].endpoint.port(), 5432);
    /// assert_eq!((settings.drain_ms, settings.region_name()), (5000, "unknown"));
    /// assert!(problems.errors.is_empty());
    /// ```
    pub fn read(lookup: Lookup<'_>) -> (Self, Problems) {
        let mut found = Problems::default();
        let problems = &mut found;
        let text =
            |name: &str, default: &str| value(lookup, name).unwrap_or_else(|| default.to_string());
        let settings = Self {
            features: Features {
                multi_region: read_bool(lookup, "FEATURE_MULTI_REGION", problems).unwrap_or(false),
                blue_green: read_bool(lookup, "FEATURE_BLUE_GREEN", problems),
            },
            health_port: read_port(lookup, "HEALTH_PORT", 8086, problems),
            dashboard: Dashboard::read(lookup, problems),
            readiness_timeout_ms: read_number(
                lookup,
                "READINESS_TIMEOUT_MS",
                400,
                1..=60_000,
                problems,
            ),
            required_envs: required_envs(lookup),
            dependencies: read_dependencies(lookup, problems),
            region: read_own_region(lookup, problems),
            region_endpoints: read_region_endpoints(lookup, problems),
            actor: Actor {
                user: value(lookup, "DEPLOY_USER").unwrap_or_else(|| text("USER", "unknown")),
                role: text("DEPLOY_RBAC_ROLE", ""),
            },
            build: BuildInfo {
                version: text("BUILD_VERSION", "dev"),
                git_sha: text("GIT_SHA", "unknown"),
                build_date: text("BUILD_DATE", "unknown"),
            },
            store_dir: read_store(lookup, problems),
            deployment: read_deployment(lookup, problems)
                .unwrap_or_else(|| String::from("default")),
            probe_interval_ms: read_number(
                lookup,
                "PROBE_INTERVAL_MS",
                1000,
                10..=3_600_000,
                problems,
            ),
            probe_timeout_ms: read_number(lookup, "PROBE_TIMEOUT_MS", 500, 1..=60_000, problems),
            probe_networks: read_networks(lookup, problems),
            health: read_health(lookup, problems),
            drain_ms: read_number(lookup, "DRAIN_MS", 5000, 0..=3_600_000, problems),
            log_format: read_log_format(lookup, problems),
        };
        (settings, found)
    }

    /// The name of this instance's region, `unknown` where none is configured.
    pub fn region_name(&self) -> &str {
        self.region.as_ref().map_or("unknown", RegionName::as_str)
    }
}

fn read_health(lookup: Lookup<'_>, problems: &mut Problems) -> HealthRules {
    let mut times = |name, default: u32| {
        let found = read_number(lookup, name, default.into(), 1..=100, problems);
        u32::try_from(found).unwrap_or(default)
    };
    let HealthRules {
        fall,
        rise,
        hold_ms,
    } = HealthRules::default();
    HealthRules {
        fall: times("PROBE_FALL", fall),
        rise: times("PROBE_RISE", rise),
        hold_ms: read_number(lookup, "FAILBACK_HOLD_MS", hold_ms, 0..=3_600_000, problems),
    }
}

/// The names in `REQUIRED_ENVS`, in order, empty items dropped.
pub fn required_envs(lookup: Lookup<'_>) -> Vec<String> {
    let list = value(lookup, "REQUIRED_ENVS").unwrap_or_default();
    items(&list)
        .filter(|item| !item.is_empty())
        .map(ToString::to_string)
        .collect()
}

pub(super) fn read_bool(lookup: Lookup<'_>, name: &str, problems: &mut Problems) -> Option<bool> {
    let text = value(lookup, name)?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => {
            problems.warn(
                name,
                format_args!(
                    "{} counts as false; allowed: true, false, 1, 0",
                    Seen(&text)
                ),
            );
            Some(false)
        }
    }
}

pub(super) fn read_number(
    lookup: Lookup<'_>,
    name: &str,
    default: u64,
    allowed: RangeInclusive<u64>,
    problems: &mut Problems,
) -> u64 {
    let Some(text) = value(lookup, name) else {
        return default;
    };
    match text.parse() {
        Ok(number) if allowed.contains(&number) && text.bytes().all(|b| b.is_ascii_digit()) => {
            number
        }
        _ => {
            problems.error(
                name,
                format_args!(
                    "{} is no number in range; allowed: {} to {}",
                    Seen(&text),
                    allowed.start(),
                    allowed.end()
                ),
            );
            default
        }
    }
}

pub(super) fn read_port(
    lookup: Lookup<'_>,
    name: &str,
    default: u16,
    problems: &mut Problems,
) -> u16 {
    let number = read_number(lookup, name, default.into(), 0..=65_535, problems);
    u16::try_from(number).unwrap_or(default)
}

/// An address to listen on; loopback where none is given.
pub(super) fn read_ip(lookup: Lookup<'_>, name: &str, problems: &mut Problems) -> IpAddr {
    let default = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let Some(text) = value(lookup, name) else {
        return default;
    };
    text.parse().unwrap_or_else(|_| {
        problems.error(
            name,
            format_args!(
                "{} is no address; allowed: an IP address such as 127.0.0.1, 0.0.0.0 or ::1",
                Seen(&text)
            ),
        );
        default
    })
}

fn read_own_region(lookup: Lookup<'_>, problems: &mut Problems) -> Option<RegionName> {
    for variable in ["CURRENT_REGION", "PRIMARY_REGION"] {
        let Some(text) = value(lookup, variable) else {
            continue;
        };
        match RegionName::new(&text) {
            Ok(name) => return Some(name),
            Err(why) => problems.warn(variable, format_args!("{why}; shown as unknown")),
        }
        return None;
    }
    None
}

fn read_store(lookup: Lookup<'_>, problems: &mut Problems) -> String {
    let default = String::from("logs");
    let Some(text) = value(lookup, "HALCYON_STORE") else {
        return default;
    };
    match text.split_once(':') {
        // U+FFFD stands for bytes that are no UTF-8: the directory they name is another one.
        Some(("file", dir)) if !dir.is_empty() && !dir.contains(['\0', '\u{fffd}']) => {
            dir.to_string()
        }
        Some(("etcd", _)) => {
            problems.error(
                "HALCYON_STORE",
                format!(
                    "{} asks for etcd, which this version does not support; allowed: file:DIR",
                    Seen(&text)
                ),
            );
            default
        }
        _ => {
            problems.error(
                "HALCYON_STORE",
                format!("{} is no store; allowed: file:DIR", Seen(&text)),
            );
            default
        }
    }
}

fn read_log_format(lookup: Lookup<'_>, problems: &mut Problems) -> LogFormat {
    let Some(text) = value(lookup, "LOG_FORMAT") else {
        return LogFormat::Text;
    };
    match text.to_ascii_lowercase().as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => {
            problems.error(
                "LOG_FORMAT",
                format_args!("{} is unknown; allowed: text, json", Seen(&text)),
            );
            LogFormat::Text
        }
    }
}
