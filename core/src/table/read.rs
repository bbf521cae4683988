//! Reading a table from its JSON.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::held::{Parts, ReleaseOf, Table};
use super::{Epoch, FORMAT};
use crate::config::{FailoverPolicy, RegionConfig, Sticky};
use crate::document::{Document, Members, enough, say_if_enough};
use crate::endpoint::Endpoint;
use crate::hash::HashKey;
use crate::placement::{RegionStatus, TenantRules};
use crate::region::{NAME_RULE, REGIONS_MAX, RegionName, is_name};
use crate::release::{Phase, Weight};
use crate::text::{count, message, number};
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
            problems: Vec::from([message!("the table {}", &why).text()]),
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
                problems: Vec::from([newer]),
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
        Some((_, format)) if format.is_greater_than(FORMAT) => {
            let (seen, known) = (format.seen(), number(FORMAT));
            let what = message!(
                "the table has format {}, which this version does not know; allowed: {}",
                &seen,
                &known
            );
            Some(what.text())
        }
        _ => None,
    }
}

fn read(document: &Document, problems: &mut Vec<String>) -> Option<Parts> {
    let mut members = Members::of(document, "the table", &KEYS, problems)?;
    members.whole("format", 1, FORMAT);
    let epoch = members.whole("epoch", 1, Epoch::MAX.number());
    members.needed("issued_at");
    moment(&mut members, "issued_at");
    let deployment = members.text("deployment").filter(|name| {
        let allowed = is_name(name);
        if !allowed {
            members.problem(message!(
                "has \"deployment\" = {?}; allowed: {}",
                name,
                NAME_RULE
            ));
        }
        allowed
    });
    let sticky = members.one_of("sticky", &Sticky::ALL, Sticky::name);
    let policy = members.one_of("failover", &FailoverPolicy::ALL, FailoverPolicy::name);
    let key = match members.text_if_any("hash_key").map(HashKey::from_hex) {
        None => Some(HashKey::default()),
        Some(Ok(key)) => Some(key),
        Some(Err(why)) => {
            members.wrong_text("\"hash_key\"", &why);
            None
        }
    };
    let listed = members.list("regions").unwrap_or_default();
    if members.get("regions").is_some() && !(1..=REGIONS_MAX).contains(&listed.len()) {
        members.problem(message!(
            "has {} regions; allowed: 1 to {}",
            &count(listed.len()),
            &count(REGIONS_MAX)
        ));
    }
    let primary = members.text_if_any("primary");
    if sticky == Some(Sticky::Primary) && members.get("primary").is_none() {
        members.problem(message!(
            "has no \"primary\", which it must have where \"sticky\" is primary"
        ));
    }
    let (rules, release) = (members.get("rules"), members.get("release"));
    let mut regions = Regions::default();
    regions.read(listed, problems);
    if regions.unnamed {
        // Where a region's name could not be read, nobody can say that it is not the one that is meant.
        regions.names.clear();
    }
    let names = regions.names;
    let mut config = RegionConfig::default();
    if let Some(primary) = primary {
        let mut known = names.iter();
        config.primary = known.find(|name| name.as_str() == primary).cloned();
        if config.primary.is_none() && !names.is_empty() {
            message!(
                "the table has \"primary\" = {?}; allowed: {}",
                primary,
                &crate::config::listed(&names)
            )
            .say(problems);
        }
    }
    if let Some(rules) = rules {
        let (rules, found) = TenantRules::from_document(rules, &names);
        config.rules = rules;
        for why in found {
            message!("rules: {}", &why).say(problems);
        }
    }
    let release = release.and_then(|release| read_release(release, problems));
    config.regions = names;
    config.policy = policy?;
    config.sticky = sticky?;
    config.key = key?;
    config.weights = regions.weights;
    Some(Parts {
        epoch: Epoch::new(epoch)?,
        deployment: String::from(deployment?),
        config,
        health: regions.health,
        pools: regions.pools,
        release,
    })
}

/// The regions that have a name, in their order.
#[derive(Default)]
struct Regions {
    names: Vec<RegionName>,
    weights: Vec<u16>,
    health: Vec<RegionStatus>,
    pools: Vec<[String; 2]>,
    /// Whether the name of one could not be read.
    unnamed: bool,
}

impl Regions {
    fn read(&mut self, documents: &[Document], problems: &mut Vec<String>) {
        for (index, document) in documents.iter().take(REGIONS_MAX).enumerate() {
            if enough(problems) {
                break;
            }
            let place = message!("regions[{}]", &count(index)).text();
            if self.read_one(document, &place, problems).is_none() {
                self.unnamed = true;
            }
        }
    }

    /// A region that has a name; what else is wrong with it is a problem, and nobody decides by it.
    fn read_one(
        &mut self,
        document: &Document,
        place: &str,
        problems: &mut Vec<String>,
    ) -> Option<()> {
        let keys = ["name", "weight", "status", "blue", "green"];
        let mut members = Members::of(document, place, &keys, problems)?;
        let name = members.text("name").map(RegionName::new);
        let name = name.and_then(|name| {
            let wrong = |why: String| members.wrong_text("name", &why);
            name.map_err(wrong).ok()
        });
        let weight = members.whole("weight", 0, u64::from(u16::MAX));
        let status = members.one_of("status", &RegionStatus::ALL, RegionStatus::name);
        let pools = [pool(&mut members, "blue"), pool(&mut members, "green")];
        let name = name?;
        if let Some(before) = self.names.iter().find(|known| known.is_like(&name)) {
            message!(
                "is {?} again (\"{}\"); allowed: each region once",
                name.as_str(),
                before.as_str()
            )
            .say_at(place, problems);
            return None;
        }
        self.names.push(name);
        self.weights.push(u16::try_from(weight).unwrap_or(1));
        self.health.push(status.unwrap_or_default());
        self.pools.push(pools);
        Some(())
    }
}

/// Where the pool of a role is, as it is written; empty where that is not known.
fn pool(members: &mut Members<'_, '_>, role: &str) -> String {
    let Some(text) = members.text_if_any(role) else {
        return String::new();
    };
    if let Err(why) = Endpoint::parse_http(text) {
        members.problem(message!("has a wrong \"{}\": {}", role, &why));
    }
    String::from(text)
}

fn read_release(document: &Document, problems: &mut Vec<String>) -> Option<ReleaseOf> {
    let keys = ["id", "state", "weight", "valid_until"];
    let mut members = Members::of(document, "release", &keys, problems)?;
    let id = members.text("id");
    if id == Some("") {
        members.problem(message!("has \"id\" = \"\"; allowed: the release's id"));
    }
    let state = members.one_of("state", &Phase::ALL, Phase::name);
    let weight = members.whole("weight", 0, 100);
    let valid_until = moment(&mut members, "valid_until");
    if valid_until.is_some() && state.is_some_and(|state| state != Phase::Canary) {
        members.problem(message!(
            "has a \"valid_until\"; allowed: in state canary alone"
        ));
    }
    Some(ReleaseOf {
        id: String::from(id?),
        state: state?,
        weight: Weight::new(i64::try_from(weight).ok()?)?,
        valid_until,
    })
}

/// A member that is a moment, if it is there.
fn moment(members: &mut Members<'_, '_>, name: &str) -> Option<Timestamp> {
    match Timestamp::parse(members.text_if_any(name)?) {
        Ok(moment) => Some(moment),
        Err(why) => {
            members.problem(message!(
                "has a wrong \"{}\": {}; allowed: such as 2026-01-01T12:00:00.000Z",
                name,
                &why
            ));
            None
        }
    }
}
