//! Reading a table from its JSON.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::held::{Parts, ReleaseOf, Table};
use super::{Epoch, FORMAT};
use crate::config::{FailoverPolicy, RegionConfig, Sticky};
use crate::document::{Document, Members, say_if_enough};
use crate::endpoint::Endpoint;
use crate::hash::HashKey;
use crate::placement::{RegionStatus, TenantRules};
use crate::region::{NAME_RULE, REGIONS_MAX, RegionName, is_name};
use crate::release::{Phase, Weight};
use crate::text::Seen;
use crate::time::Timestamp;

/// Everything that is wrong with a table, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// At least one.
    pub problems: Vec<String>,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl core::error::Error for TableError {}

const KEYS: [&str; 11] = [
    "format",
    "epoch",
    "issued_at",
    "deployment",
    "regions",
    "primary",
    "sticky",
    "failover",
    "hash_key",
    "rules",
    "release",
];

impl Table {
    /// Reads a table from JSON.
    ///
    /// # Errors
    /// Everything that is wrong with it; of a greater format, that alone.
    pub fn from_json(text: &str) -> Result<Self, TableError> {
        let document = Document::from_json(text);
        let document = document.map_err(|why| TableError {
            problems: alloc::vec![format!("the table {why}")],
        })?;
        Self::from_document(&document)
    }

    /// Reads a table from a tree, whatever that was read from.
    ///
    /// # Errors
    /// As [`Table::from_json`].
    pub fn from_document(document: &Document) -> Result<Self, TableError> {
        if let Some(newer) = newer_format(document) {
            return Err(TableError {
                problems: alloc::vec![newer],
            });
        }
        let mut problems = Vec::new();
        let parts = read(document, &mut problems);
        say_if_enough(&mut problems);
        match parts.and_then(Table::of) {
            Some(table) if problems.is_empty() => Ok(table),
            _ => Err(TableError { problems }),
        }
    }
}

/// What to say of a table of a greater format: nothing else in it is known to mean what it says.
fn newer_format(document: &Document) -> Option<String> {
    let Document::Object(members) = document else {
        return None;
    };
    let mut formats = members.iter().filter(|(name, _)| name == "format");
    match formats.next() {
        Some((_, Document::Integer(format))) if *format > i128::from(FORMAT) => Some(format!(
            "the table has format {format}, which this version does not know; allowed: {FORMAT}"
        )),
        _ => None,
    }
}

fn read(document: &Document, problems: &mut Vec<String>) -> Option<Parts> {
    let mut members = Members::of(document, "the table", &KEYS, problems)?;
    let format = whole(&mut members, "format", 1, FORMAT);
    let epoch = whole(&mut members, "epoch", 1, Epoch::MAX.number()).and_then(Epoch::new);
    moment(&mut members, "issued_at", true);
    let deployment = members.text("deployment").map(ToOwned::to_owned);
    let deployment = deployment.filter(|name| {
        let allowed = is_name(name);
        if !allowed {
            members.problem(format_args!(
                "has \"deployment\" = {}; allowed: {NAME_RULE}",
                Seen(name)
            ));
        }
        allowed
    });
    let sticky = one_of(&mut members, "sticky", &Sticky::ALL, Sticky::name);
    let policy = one_of(
        &mut members,
        "failover",
        &FailoverPolicy::ALL,
        FailoverPolicy::name,
    );
    let key = match members.text_if_any("hash_key").map(HashKey::from_hex) {
        None => Some(HashKey::default()),
        Some(Ok(key)) => Some(key),
        Some(Err(why)) => {
            members.problem(format_args!("has a wrong \"hash_key\": {why}"));
            None
        }
    };
    let regions = members.list("regions").unwrap_or_default();
    if members.get("regions").is_some() && !(1..=REGIONS_MAX).contains(&regions.len()) {
        members.problem(format_args!(
            "has {} regions; allowed: 1 to {REGIONS_MAX}",
            regions.len()
        ));
    }
    let primary = members.text_if_any("primary");
    if sticky == Some(Sticky::Primary) && members.get("primary").is_none() {
        members.problem("has no \"primary\", which it must have where \"sticky\" is primary");
    }
    let (rules, release) = (members.get("rules"), members.get("release"));
    let (regions, named) = read_regions(regions, problems);
    // Where a region's name could not be read, nobody can say that it is not the one that is meant.
    let names = regions.iter().map(|region| region.name.clone());
    let names: Vec<RegionName> = names.filter(|_| named).collect();
    let primary = primary.and_then(|primary| {
        let found = names.iter().find(|name| name.as_str() == primary);
        if found.is_none() && !names.is_empty() {
            problems.push(format!(
                "the table has \"primary\" = {}; allowed: {}",
                Seen(primary),
                crate::config::listed(&names)
            ));
        }
        found.cloned()
    });
    let rules = rules.map(|rules| {
        let (rules, found) = TenantRules::from_document(rules, &names);
        problems.extend(found.into_iter().map(|why| format!("rules: {why}")));
        rules
    });
    let release = match release {
        None => None,
        Some(release) => read_release(release, problems),
    };
    format?;
    Some(Parts {
        epoch: epoch?,
        deployment: deployment?,
        config: RegionConfig {
            primary,
            policy: policy?,
            sticky: sticky?,
            key: key?,
            weights: regions.iter().map(|region| region.weight).collect(),
            rules: rules.unwrap_or_default(),
            regions: names,
            ..RegionConfig::default()
        },
        health: regions.iter().map(|region| region.status).collect(),
        pools: regions.into_iter().map(|region| region.pools).collect(),
        release,
    })
}

struct Region {
    name: RegionName,
    weight: u16,
    status: RegionStatus,
    pools: [String; 2],
}

/// The regions that have a name, and whether all have.
fn read_regions(documents: &[Document], problems: &mut Vec<String>) -> (Vec<Region>, bool) {
    let mut regions: Vec<Region> = Vec::new();
    let mut named = true;
    for (index, document) in documents.iter().take(REGIONS_MAX).enumerate() {
        if crate::document::enough(problems) {
            break;
        }
        let place = format!("regions[{index}]");
        let Some(region) = read_region(document, &place, problems) else {
            named = false;
            continue;
        };
        match regions
            .iter()
            .find(|known| known.name.is_like(&region.name))
        {
            Some(before) => {
                named = false;
                problems.push(format!(
                    "{place} is {} again (\"{}\"); allowed: each region once",
                    Seen(region.name.as_str()),
                    before.name
                ));
            }
            None => regions.push(region),
        }
    }
    (regions, named)
}

/// A region that has a name; what else is wrong with it is a problem, and nobody decides by it.
fn read_region(document: &Document, place: &str, problems: &mut Vec<String>) -> Option<Region> {
    let keys = ["name", "weight", "status", "blue", "green"];
    let mut members = Members::of(document, place, &keys, problems)?;
    let name = members.text("name").map(RegionName::new);
    let name = name.and_then(|name| {
        let wrong = |why| members.problem(format_args!("has a wrong name: {why}"));
        name.map_err(wrong).ok()
    });
    let weight = whole(&mut members, "weight", 0, u64::from(u16::MAX));
    let status = one_of(
        &mut members,
        "status",
        &RegionStatus::ALL,
        RegionStatus::name,
    );
    let pools = ["blue", "green"].map(|role| match members.text_if_any(role) {
        None => Some(String::new()),
        Some(text) => match Endpoint::parse_http(text) {
            Ok(_) => Some(text.to_owned()),
            Err(why) => {
                members.problem(format_args!("has a wrong \"{role}\": {why}"));
                None
            }
        },
    });
    let [blue, green] = pools;
    Some(Region {
        name: name?,
        weight: weight
            .and_then(|weight| u16::try_from(weight).ok())
            .unwrap_or(1),
        status: status.unwrap_or_default(),
        pools: [blue, green].map(Option::unwrap_or_default),
    })
}

fn read_release(document: &Document, problems: &mut Vec<String>) -> Option<ReleaseOf> {
    let keys = ["id", "state", "weight", "valid_until"];
    let mut members = Members::of(document, "release", &keys, problems)?;
    let id = members.text("id");
    if id == Some("") {
        members.problem("has \"id\" = \"\"; allowed: the release's id");
    }
    let state = one_of(&mut members, "state", &Phase::ALL, Phase::name);
    let weight = whole(&mut members, "weight", 0, 100);
    let valid_until = moment(&mut members, "valid_until", false);
    if valid_until.is_some() && state.is_some_and(|state| state != Phase::Canary) {
        members.problem("has a \"valid_until\"; allowed: in state canary alone");
    }
    Some(ReleaseOf {
        id: id?.to_owned(),
        state: state?,
        weight: Weight::new(i64::try_from(weight?).ok()?)?,
        valid_until,
    })
}

/// A member that must be there and be a whole number from `least` to `most`.
fn whole(members: &mut Members<'_, '_>, name: &str, least: u64, most: u64) -> Option<u64> {
    let seen = match members.get(name) {
        None => {
            members.problem(format_args!("has no \"{name}\", which it must have"));
            return None;
        }
        Some(seen) => seen,
    };
    let number = match seen {
        Document::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    let number = number.filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let allowed = match least == most {
            true => least.to_string(),
            false => format!("whole numbers from {least} to {most}"),
        };
        members.problem(format_args!(
            "has \"{name}\" = {}; allowed: {allowed}",
            seen.seen()
        ));
    }
    number
}

/// A member that is a moment.
fn moment(members: &mut Members<'_, '_>, name: &str, needed: bool) -> Option<Timestamp> {
    let text = match needed {
        true => members.text(name)?,
        false => members.text_if_any(name)?,
    };
    match Timestamp::parse(text) {
        Ok(moment) => Some(moment),
        Err(why) => {
            members.problem(format_args!(
                "has a wrong \"{name}\": {why}; allowed: such as 2026-01-01T12:00:00.000Z"
            ));
            None
        }
    }
}

/// A member that must be there and be one of a few names.
fn one_of<T: Copy>(
    members: &mut Members<'_, '_>,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Option<T> {
    let text = members.text(name)?;
    let found = all.iter().copied().find(|known| name_of(*known) == text);
    if found.is_none() {
        let names: Vec<&str> = all.iter().copied().map(name_of).collect();
        members.problem(format_args!(
            "has \"{name}\" = {}; allowed: {}",
            Seen(text),
            names.join(", ")
        ));
    }
    found
}
