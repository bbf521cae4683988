//! What the embedded edge needs to know: where it listens, whose tables it takes, how long it waits.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use super::deployment::read_deployment;
use super::settings::{read_bool, read_ip, read_number, read_port};
use super::{Lookup, Problems, items, value};
use crate::endpoint::Endpoint;
use crate::tenant::TenantFrom;
use crate::text::Seen;

/// The most keys of `TABLE_KEYS`: one in use, one to come, and some to spare.
const KEYS_MAX: usize = 16;

/// Where an edge has its table from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableSource {
    /// A file at this path, which is watched.
    File(String),
    /// An address that is asked.
    Url(Endpoint),
}

/// The settings of the embedded edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeSettings {
    /// `EDGE_BIND`.
    pub bind: IpAddr,
    /// `EDGE_PORT`; 0 takes any free one.
    pub port: u16,
    /// `EDGE_REUSE_PORT`: whether other edges of this user may listen on the same port.
    pub reuse_port: bool,
    /// `EDGE_TABLE`; `None` where it is not set or wrong, which is an error.
    pub table: Option<TableSource>,
    /// `TENANT_FROM`.
    pub tenant_from: TenantFrom,
    /// `HALCYON_DEPLOYMENT`: whose tables are taken; `None` where the first one's are.
    pub deployment: Option<String>,
    /// `TABLE_KEYS`: the public keys of whom tables may be from, base64; none where anybody's are taken.
    pub keys: Vec<String>,
    /// `TABLE_TOKEN`: sent to the table's address, and nowhere else.
    pub token: Option<String>,
    /// `EDGE_STATE_DIR`: the directory in which the last good table is kept over a restart.
    pub state_dir: Option<String>,
    /// `EDGE_TELEMETRY`: where what is counted goes; `None` where it goes nowhere.
    pub telemetry: Option<Endpoint>,
    /// `EDGE_TELEMETRY_MS`: milliseconds between two reports, 100 to 60,000.
    pub telemetry_ms: u64,
    /// Milliseconds between two looks at the table, 100 to 3,600,000.
    pub refresh_ms: u64,
    /// Milliseconds an answer with a table may take, 10 to 25,000.
    pub table_timeout_ms: u64,
    /// Milliseconds an upstream may take until its answer begins, 10 to 600,000.
    pub upstream_timeout_ms: u64,
    /// Milliseconds an upstream's answer may pause once it has begun, 10 to 3,600,000.
    pub upstream_idle_ms: u64,
    /// `EDGE_BREAKER`: whether a region whose upstreams fail is passed over for a while.
    pub breaker: bool,
}

impl EdgeSettings {
    /// Reads them, falling back to the default where a value is malformed, and reports everything that is
    /// wrong.
    ///
    /// ```
    /// use halcyon_core::config::{EdgeSettings, TableSource};
    ///
    /// let env = |name: &str| (name == "EDGE_TABLE").then(|| "table.json".into());
    /// let (settings, problems) = EdgeSettings::read(&env);
    /// assert_eq!(settings.table, Some(TableSource::File("table.json".into())));
    /// assert_eq!((settings.port, settings.tenant_from.to_string()), (8000, "header:x-tenant".into()));
    /// assert!(problems.errors.is_empty());
    /// ```
    pub fn read(lookup: Lookup<'_>) -> (Self, Problems) {
        let mut found = Problems::default();
        let problems = &mut found;
        let mut milliseconds =
            |name, default, least, most| read_number(lookup, name, default, least..=most, problems);
        let refresh_ms = milliseconds("TABLE_REFRESH_MS", 10_000, 100, 3_600_000);
        let table_timeout_ms = milliseconds("TABLE_TIMEOUT_MS", 5_000, 10, 25_000);
        let upstream_timeout_ms = milliseconds("UPSTREAM_TIMEOUT_MS", 10_000, 10, 600_000);
        let upstream_idle_ms = milliseconds("UPSTREAM_IDLE_MS", 75_000, 10, 3_600_000);
        let telemetry_ms = milliseconds("EDGE_TELEMETRY_MS", 10_000, 100, 60_000);
        let settings = Self {
            bind: read_ip(lookup, "EDGE_BIND", problems),
            port: read_port(lookup, "EDGE_PORT", 8000, problems),
            reuse_port: read_bool(lookup, "EDGE_REUSE_PORT", problems).unwrap_or(false),
            table: read_table(lookup, problems),
            tenant_from: read_tenant_from(lookup, problems),
            deployment: read_deployment(lookup, problems),
            keys: read_keys(lookup, problems),
            token: read_token(lookup, problems),
            state_dir: value(lookup, "EDGE_STATE_DIR"),
            telemetry: read_telemetry(lookup, "EDGE_TABLE", problems),
            telemetry_ms,
            refresh_ms,
            table_timeout_ms,
            upstream_timeout_ms,
            upstream_idle_ms,
            breaker: read_bool(lookup, "EDGE_BREAKER", problems).unwrap_or(true),
        };
        (settings, found)
    }
}

fn read_table(lookup: Lookup<'_>, problems: &mut Problems) -> Option<TableSource> {
    let allowed = "the path of a file, http://host[:port][/path], https://host[:port][/path]";
    let Some(text) = value(lookup, "EDGE_TABLE") else {
        problems.error("EDGE_TABLE", format_args!("unset; allowed: {allowed}"));
        return None;
    };
    // A path with a colon and two slashes is written ./that.
    if text.contains("://") && !text.starts_with(['/', '.']) {
        let found = Endpoint::parse_http(&text);
        let found = found.map_err(|why| problems.error("EDGE_TABLE", why));
        return found.ok().map(TableSource::Url);
    }
    if text.contains(['\0', '\u{fffd}']) {
        let seen = Seen(&text);
        problems.error(
            "EDGE_TABLE",
            format_args!("{seen} is no path; allowed: {allowed}"),
        );
        return None;
    }
    Some(TableSource::File(text))
}

/// The path at which a control plane has its table, and the one beside it for what edges count.
const TABLE_PATH: &str = "/api/v1/table";
const TELEMETRY_PATH: &str = "/api/v1/telemetry";

/// Without a word, to the control plane that the table is from, by the variable with its address.
pub(super) fn read_telemetry(
    lookup: Lookup<'_>,
    table: &str,
    problems: &mut Problems,
) -> Option<Endpoint> {
    let Some(text) = value(lookup, "EDGE_TELEMETRY") else {
        let table = value(lookup, table)?;
        let beside = table.strip_suffix(TABLE_PATH)?;
        return Endpoint::parse_http(&format!("{beside}{TELEMETRY_PATH}")).ok();
    };
    if text.eq_ignore_ascii_case("off") {
        return None;
    }
    let found = Endpoint::parse_http(&text);
    let found = found.map_err(|why| {
        problems.error("EDGE_TELEMETRY", format_args!("{why}; or off"));
    });
    found.ok()
}

pub(super) fn read_tenant_from(lookup: Lookup<'_>, problems: &mut Problems) -> TenantFrom {
    let Some(text) = value(lookup, "TENANT_FROM") else {
        return TenantFrom::default();
    };
    TenantFrom::parse(&text).unwrap_or_else(|why| {
        problems.error("TENANT_FROM", why);
        TenantFrom::default()
    })
}

/// Whether they are keys is for whoever verifies with them to say.
pub(super) fn read_keys(lookup: Lookup<'_>, problems: &mut Problems) -> Vec<String> {
    let list = value(lookup, "TABLE_KEYS").unwrap_or_default();
    let keys = items(&list).filter(|key| !key.is_empty());
    let keys: Vec<String> = keys.map(ToString::to_string).collect();
    let set = !list.is_empty();
    if set && keys.is_empty() {
        // Somebody who sets it means that not everybody's tables are good.
        problems.error(
            "TABLE_KEYS",
            "names no key; allowed: public keys of `halcyon keygen`, comma-separated",
        );
    }
    if keys.len() > KEYS_MAX {
        problems.error(
            "TABLE_KEYS",
            format_args!("has {} keys; allowed: at most {KEYS_MAX}", keys.len()),
        );
    }
    keys
}

pub(super) fn read_token(lookup: Lookup<'_>, problems: &mut Problems) -> Option<String> {
    let token = value(lookup, "TABLE_TOKEN")?;
    if token.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        return Some(token);
    }
    problems.error(
        "TABLE_TOKEN",
        "(not shown) is no bearer token; allowed: printable ASCII without blanks",
    );
    None
}
