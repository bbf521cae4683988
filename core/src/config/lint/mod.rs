//! What is legal and probably not meant: weights nobody uses, tenants without a second region, a
//! survivor that would carry twice its load.

mod addresses;
mod load;
mod rules;

use alloc::string::String;
use alloc::vec::Vec;

use super::endpoints::read_region_endpoints;
use super::settings::RegionEndpoint;
use super::{Lookup, Problems, RegionConfig, RegionReport, value};
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
            let mut found = OfFiles::new(&config, lookup);
            lookup.lint(&mut found);
            let mut behind = found.end();
            load::findings(config, lookup, &mut report.warnings);
            report.warnings.append(&mut behind);
        }
        report
    }
}

/// What is found in the files of a configuration, among what is found without them.
pub struct OfFiles<'c> {
    lookup: Lookup<'c>,
    config: &'c RegionConfig,
    endpoints: Vec<RegionEndpoint>,
    addresses: addresses::Addresses,
    rules: Vec<String>,
    topology: Vec<String>,
}

impl<'c> OfFiles<'c> {
    fn new(config: &'c RegionConfig, lookup: Lookup<'c>) -> Self {
        // What is wrong with them is an error of whoever reads them.
        let endpoints = read_region_endpoints(lookup, &mut Problems::default());
        let mut addresses = addresses::Addresses::default();
        // What the variable says of a region outranks the topology.
        for RegionEndpoint { name, endpoint } in &endpoints {
            addresses.add("health", name, endpoint, "REGION_ENDPOINTS");
        }
        Self {
            lookup,
            config,
            endpoints,
            addresses,
            rules: Vec::new(),
            topology: Vec::new(),
        }
    }

    pub(super) fn path_of(&self, variable: &str) -> Option<String> {
        value(self.lookup, variable)
    }

    pub(super) fn look_at_rules(&mut self) {
        rules::findings(self.config, &mut self.rules);
    }

    pub(super) fn look_at_topology(&mut self) {
        if !self.config.topology.regions.is_empty() {
            addresses::of_topology(
                self.config,
                &self.endpoints,
                &mut self.addresses,
                &mut self.topology,
            );
        }
    }

    fn end(mut self) -> Vec<String> {
        let mut found = self.rules;
        addresses::unknown_endpoints(self.config, &self.endpoints, Findings::of(&mut found));
        found.append(&mut self.topology);
        self.addresses.shared(Findings::of(&mut found));
        found
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
