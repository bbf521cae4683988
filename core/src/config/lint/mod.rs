//! What is legal and probably not meant: weights nobody uses, tenants without a second region, a
//! survivor that would carry twice its load.

mod addresses;
mod load;
mod rules;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Lookup, RegionConfig, RegionReport};
use crate::region::RegionName;

/// How many findings of one kind are shown.
const SHOWN: usize = 8;

impl RegionReport {
    /// The report, and among its warnings what is legal and probably not meant.
    pub fn linted(lookup: Lookup<'_>) -> Self {
        let mut report = Self::read(lookup);
        // What is wrong comes first: findings about half a configuration would be about that.
        if report.valid {
            let (config, _) = RegionConfig::read(lookup);
            report.warnings.extend(load::findings(&config, lookup));
            report.warnings.extend(rules::findings(&config));
            report.warnings.extend(addresses::findings(&config, lookup));
        }
        report
    }
}

/// The name of the region at a place.
fn name(config: &RegionConfig, place: usize) -> &str {
    config.regions.get(place).map_or("", RegionName::as_str)
}

/// The first few findings, and how many more there are.
fn shown(findings: impl Iterator<Item = String>, what: &str) -> Vec<String> {
    let mut found: Vec<String> = findings.collect();
    let more = found.len().saturating_sub(SHOWN);
    if more > 0 {
        found.truncate(SHOWN);
        let variable = found.first().and_then(|first| first.split(':').next());
        found.push(format!(
            "{}: and {more} more {what}",
            variable.unwrap_or_default()
        ));
    }
    found
}
