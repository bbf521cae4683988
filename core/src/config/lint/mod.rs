//! What is legal and probably not meant: weights nobody uses, tenants without a second region, a
//! survivor that would carry twice its load.

mod addresses;
mod load;
mod rules;

use alloc::string::String;
use alloc::vec::Vec;

use super::{Lookup, RegionConfig, RegionReport};
use crate::region::RegionName;
use crate::text::{Message, count, cut, message};

/// How many findings of one kind are shown.
const SHOWN: usize = 8;

impl RegionReport {
    /// The report, and among its warnings what is legal and probably not meant.
    pub fn linted(lookup: Lookup<'_>) -> Self {
        let mut report = Self::read(lookup);
        // What is wrong comes first: findings about half a configuration would be about that.
        if report.valid {
            let (config, _) = RegionConfig::read(lookup);
            let mut behind = Vec::new();
            rules::findings(&config, &mut behind);
            addresses::findings(&config, lookup, &mut behind);
            load::findings(config, lookup, &mut report.warnings);
            report.warnings.append(&mut behind);
        }
        report
    }
}

/// The name of the region at a place.
fn name(regions: &[RegionName], place: usize) -> &str {
    regions.get(place).map_or("", RegionName::as_str)
}

/// Findings of one kind: the first few, and how many more there are.
struct Findings<'w> {
    warnings: &'w mut Vec<String>,
    found: Vec<String>,
    more: usize,
}

impl<'w> Findings<'w> {
    fn of(warnings: &'w mut Vec<String>) -> Self {
        Self {
            warnings,
            found: Vec::new(),
            more: 0,
        }
    }

    fn add(&mut self, finding: Message<'_>) {
        if self.found.len() < SHOWN {
            finding.say(&mut self.found);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// `what` they are, for those that are not shown.
    fn end(mut self, what: &str) {
        if self.more > 0
            && let Some((variable, _)) = self.found.first().and_then(|first| cut(first, b':'))
        {
            let last = message!("{}: and {} more {}", variable, &count(self.more), what).text();
            self.found.push(last);
        }
        self.warnings.append(&mut self.found);
    }
}
