//! What a filter inside another proxy needs to know, in one JSON object.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Problems;
use super::deployment::read_deployment;
use super::edge::{read_keys, read_telemetry, read_tenant_from, read_token};
use super::settings::read_number;
use crate::document::{Document, Members};
use crate::endpoint::Endpoint;
use crate::table::{Table, TableError};
use crate::tenant::TenantFrom;

/// Its members: the names of the variables that other edges read, and `TABLE_CLUSTER`.
const KNOWN: [&str; 11] = [
    "EDGE_TELEMETRY",
    "EDGE_TELEMETRY_MS",
    "HALCYON_DEPLOYMENT",
    "TABLE",
    "TABLE_CLUSTER",
    "TABLE_KEYS",
    "TABLE_REFRESH_MS",
    "TABLE_TIMEOUT_MS",
    "TABLE_TOKEN",
    "TABLE_URL",
    "TENANT_FROM",
];

/// Where a filter has its tables from: its proxy knows how to get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAt {
    /// `TABLE_CLUSTER`: the proxy's name for the servers of tables.
    pub cluster: String,
    /// `TABLE_URL`: what they are asked for.
    pub url: Endpoint,
}

/// The settings of a filter.
#[derive(Debug, Clone)]
pub struct FilterSettings {
    /// `TENANT_FROM`.
    pub tenant_from: TenantFrom,
    /// `TABLE`: the table to begin with.
    pub table: Option<Table>,
    /// `TABLE_CLUSTER` and `TABLE_URL`; without them the table never changes.
    pub at: Option<TableAt>,
    /// `HALCYON_DEPLOYMENT`: whose tables are taken; `None` where the first one's are.
    pub deployment: Option<String>,
    /// `TABLE_KEYS`: the public keys of whom tables may be from, base64; none where anybody's are taken.
    pub keys: Vec<String>,
    /// `TABLE_TOKEN`: sent to the servers of tables, and nowhere else.
    pub token: Option<String>,
    /// Milliseconds between two looks at the table, 100 to 3,600,000.
    pub refresh_ms: u64,
    /// Milliseconds an answer with a table may take, 10 to 25,000.
    pub table_timeout_ms: u64,
    /// `EDGE_TELEMETRY`: what the servers of tables are asked to take what is counted by; `None` where it goes
    /// nowhere.
    pub telemetry: Option<Endpoint>,
    /// `EDGE_TELEMETRY_MS`: milliseconds between two reports, 100 to 60,000.
    pub telemetry_ms: u64,
}

impl FilterSettings {
    /// Reads them from JSON.
    ///
    /// ```
    /// use halcyon_core::config::FilterSettings;
    ///
    /// let json = r#"{"TABLE_CLUSTER": "halcyon", "TABLE_URL": "http://halcyon.internal:8080/api/v1/table"}"#;
    /// let settings = FilterSettings::from_json(json).unwrap();
    /// assert_eq!(settings.tenant_from.to_string(), "header:x-tenant");
    /// assert_eq!(settings.at.unwrap().url.path(), "/api/v1/table");
    ///
    /// let problems = FilterSettings::from_json(r#"{"TENANT_FORM": "path:1"}"#).unwrap_err();
    /// assert!(problems[0].contains("TENANT_FROM"), "{problems:?}");
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong, a line each.
    pub fn from_json(text: &str) -> Result<Self, Vec<String>> {
        let document = Document::from_json(text);
        let document = document.map_err(|why| Vec::from([format!("the configuration {why}")]))?;
        let mut found = Problems::default();
        let read = Self::read(&document, &mut found);
        match read {
            Some(settings) if found.errors.is_empty() && found.warnings.is_empty() => Ok(settings),
            _ => {
                found.errors.append(&mut found.warnings);
                Err(found.errors)
            }
        }
    }

    fn read(document: &Document, problems: &mut Problems) -> Option<Self> {
        let place = "the configuration";
        let members = Members::of(document, place, &KNOWN, &mut problems.errors)?;
        let texts = KNOWN.map(|name| (name, members.get(name)));
        let mut wrong = Vec::new();
        for (name, value) in texts {
            let structured = matches!(value, Some(Document::List(_) | Document::Object(_)));
            if let Some(value) = value.filter(|_| structured && name != "TABLE") {
                let seen = value.seen();
                wrong.push(format!("{name}: {seen}; allowed: text or a number"));
            }
        }
        problems.errors.append(&mut wrong);
        let lookup = |name: &str| {
            let (_, value) = texts.iter().find(|(known, _)| *known == name)?;
            as_text(value.as_ref()?)
        };
        let lookup = &lookup;
        let table = texts.iter().find(|(name, _)| *name == "TABLE");
        let table = table.and_then(|(_, table)| read_table(table.as_ref()?, problems));
        let mut milliseconds =
            |name, default, least, most| read_number(lookup, name, default, least..=most, problems);
        let refresh_ms = milliseconds("TABLE_REFRESH_MS", 10_000, 100, 3_600_000);
        let table_timeout_ms = milliseconds("TABLE_TIMEOUT_MS", 5_000, 10, 25_000);
        let telemetry_ms = milliseconds("EDGE_TELEMETRY_MS", 10_000, 100, 60_000);
        let telemetry = read_telemetry(lookup, "TABLE_URL", problems);
        let url = lookup("TABLE_URL").and_then(|url| read_url(&url, problems));
        let cluster = lookup("TABLE_CLUSTER");
        for (name, set, other) in [
            ("TABLE_CLUSTER", cluster.is_some(), "TABLE_URL"),
            ("TABLE_URL", lookup("TABLE_URL").is_some(), "TABLE_CLUSTER"),
        ] {
            if !set && lookup(other).is_some() {
                let what = format!("is not set, and {other} is; allowed: both or neither");
                problems.error(name, what.as_str());
            }
        }
        if telemetry.is_some() && cluster.is_none() && lookup("TABLE_URL").is_none() {
            let what =
                "is set, and TABLE_CLUSTER, by which it would go, is not; allowed: both or off";
            problems.error("EDGE_TELEMETRY", what);
        }
        if cluster.is_none() && url.is_none() && lookup("TABLE_URL").is_none() {
            let begins = texts
                .iter()
                .any(|(name, table)| *name == "TABLE" && table.is_some());
            if !begins {
                let what = "is not set, and TABLE neither; allowed: the name of a cluster";
                problems.error("TABLE_CLUSTER", what);
            }
        }
        Some(Self {
            tenant_from: read_tenant_from(lookup, problems),
            table,
            at: cluster
                .zip(url)
                .map(|(cluster, url)| TableAt { cluster, url }),
            deployment: read_deployment(lookup, problems),
            keys: read_keys(lookup, problems),
            token: read_token(lookup, problems),
            refresh_ms,
            table_timeout_ms,
            telemetry,
            telemetry_ms,
        })
    }
}

/// A value as the variable of its name would have it; an empty one counts as unset.
fn as_text(value: &Document) -> Option<String> {
    let text = match value {
        Document::Text(text) => text.clone(),
        Document::Integer(number) => number.to_string(),
        Document::Fraction(number) => number.clone(),
        Document::Bool(flag) => flag.to_string(),
        Document::Null | Document::List(_) | Document::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The table as it is, or its JSON.
fn read_table(value: &Document, problems: &mut Problems) -> Option<Table> {
    let read = match value {
        Document::Null => return None,
        Document::Text(text) if text.is_empty() => return None,
        Document::Text(text) => Table::from_json(text),
        other => Table::from_document(other),
    };
    let of_all = |why: TableError| {
        for line in why.problems {
            let what = format!("{line}; allowed: what halcyon table prints");
            problems.error("TABLE", what.as_str());
        }
    };
    read.map_err(of_all).ok()
}

fn read_url(url: &str, problems: &mut Problems) -> Option<Endpoint> {
    let read = Endpoint::parse_http(url);
    read.map_err(|why| problems.error("TABLE_URL", why.as_str()))
        .ok()
}
