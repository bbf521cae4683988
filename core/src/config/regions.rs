//! The variables that decide where tenants go.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::policy::{FailoverPolicy, Sticky, read_policy, read_sticky};
use super::rules::read_rules;
use super::weights::read_weights;
use super::{Lookup, Problems, Said, Topology, count_of, items, value};
use crate::hash::HashKey;
use crate::placement::TenantRules;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::{count, list, message};

/// The region variables, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegionConfig {
    /// Active regions in priority order, at most 1,024, without duplicates, also by case.
    pub regions: Vec<RegionName>,
    /// The primary; always one of `regions`.
    pub primary: Option<RegionName>,
    /// The failover policy.
    pub policy: FailoverPolicy,
    /// The rule of the first choice.
    pub sticky: Sticky,
    /// The key of the tenant hash; 32 zeros where none is given.
    pub key: HashKey,
    /// A weight for each of `regions`, in the same order; 1 where none is given.
    pub weights: Vec<u16>,
    /// The rules for single tenants.
    pub rules: TenantRules,
    /// The topology file.
    pub topology: Topology,
}

impl RegionConfig {
    /// Reads all region variables, and the files they name, and reports everything that is wrong.
    ///
    /// ```
    /// use halcyon_core::config::{FailoverPolicy, RegionConfig};
    ///
    /// let env = |name: &str| match name {
    ///     "REGIONS" => Some("us-east, eu-west".into()),
    ///     "REGION_WEIGHTS" => Some("eu-west=3".into()),
    ///     "FAILOVER_POLICY" => Some("nearest".into()),
    ///     _ => None,
    /// };
    /// let (config, problems) = RegionConfig::read(&env);
    /// assert_eq!(config.weights, [1, 3]);
    /// assert_eq!(config.policy, FailoverPolicy::Ordered);
    /// assert!(problems.errors.is_empty());
    /// assert!(problems.warnings[0].starts_with("FAILOVER_POLICY: \"nearest\" is unknown, ordered is used"));
    /// ```
    ///
    /// An unset `PRIMARY_REGION` is no problem here: who needs one asks
    /// [`primary_region`](crate::regions::primary_region).
    pub fn read(lookup: Lookup<'_>) -> (Self, Problems) {
        let mut problems = Problems::default();
        let topology = Topology::read_into(lookup, &mut problems);
        let regions = read_regions(lookup, &topology, &mut problems);
        let weights = read_weights(lookup, &regions, &topology, &mut problems);
        let primary = read_primary(lookup, &regions, &mut problems);
        let policy = read_policy(lookup, &mut problems);
        let sticky = read_sticky(lookup, &mut problems);
        let key = read_key(lookup, &mut problems);
        let rules = read_rules(lookup, &regions, &mut problems);
        warn_of_a_foreign_current_region(lookup, &regions, &mut problems);
        (
            Self {
                regions,
                primary,
                policy,
                sticky,
                key,
                weights,
                rules,
                topology,
            },
            problems,
        )
    }
}

/// What [`validate_region_config`](crate::regions::validate_region_config) answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegionReport {
    /// No errors.
    pub valid: bool,
    /// The regions that could be read, in order.
    pub regions: Vec<RegionName>,
    /// The primary, if it is set and one of them.
    pub primary: Option<RegionName>,
    /// The policy in force.
    pub policy: FailoverPolicy,
    /// Everything wrong, each string beginning with a variable's name.
    pub errors: Vec<String>,
    /// Everything answered with a fallback.
    pub warnings: Vec<String>,
}

/// The regions of `REGIONS`; where it is unset, those of the topology.
pub(crate) fn read_regions(
    lookup: Lookup<'_>,
    topology: &Topology,
    problems: &mut Problems,
) -> Vec<RegionName> {
    let Some(names) = value(lookup, "REGIONS") else {
        if !topology.regions.is_empty() {
            return topology
                .regions
                .iter()
                .map(|region| region.name.clone())
                .collect();
        }
        // Where the topology could not be read, that is the error, and not that REGIONS is unset.
        if !problems.about("HALCYON_TOPOLOGY") {
            let what = message!(
                "unset; allowed: a comma-separated list of region names, such as us-east,us-west"
            );
            problems.error("REGIONS", what);
        }
        return Vec::new();
    };
    // Counted before anything is parsed: a list of thousands is refused in no time and not echoed.
    let named = count_of(&names);
    if named > REGIONS_MAX {
        let what = message!(
            "{?} has {} regions; allowed: at most {}",
            &names,
            &count(named),
            &count(REGIONS_MAX)
        );
        problems.error("REGIONS", what);
        return Vec::new();
    }
    let mut regions: Vec<RegionName> = Vec::with_capacity(named);
    let mut empty = 0_usize;
    for item in items(&names) {
        if item.is_empty() {
            empty = empty.saturating_add(1);
            continue;
        }
        let name = match RegionName::new(item) {
            Ok(name) => name,
            Err(why) => {
                problems.error("REGIONS", message!("{}", &why));
                continue;
            }
        };
        match regions.iter().find(|known| known.is_like(&name)) {
            None => regions.push(name),
            Some(before) if *before == name => problems.error(
                "REGIONS",
                message!("{?} is listed twice; allowed: each region once", item),
            ),
            Some(before) => problems.error(
                "REGIONS",
                message!(
                    "{?} and {?} differ only by case; allowed: each region once",
                    before.as_str(),
                    item
                ),
            ),
        }
    }
    if named == 0 {
        let what = message!("{?} names no region; allowed: at least one", &names);
        problems.error("REGIONS", what);
    } else if empty > 0 {
        let what = message!("{?} has {} empty item(s), skipped", &names, &count(empty));
        problems.warn("REGIONS", what);
    }
    regions
}

/// The region of this name.
fn named<'r>(regions: &'r [RegionName], name: &str) -> Option<&'r RegionName> {
    regions.iter().find(|region| region.as_str() == name)
}

fn read_primary(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    problems: &mut Problems,
) -> Option<RegionName> {
    let text = value(lookup, "PRIMARY_REGION")?;
    // Of a list or a file that was not read, nobody can say that the primary is not in it.
    let too_many = || value(lookup, "REGIONS").is_some_and(|list| count_of(&list) > REGIONS_MAX);
    if regions.is_empty() && (problems.about("HALCYON_TOPOLOGY") || too_many()) {
        return None;
    }
    let found = named(regions, &text);
    if found.is_none() {
        let regions = listed(regions);
        let what = message!("{?} is not in REGIONS; allowed: {}", &text, &regions);
        problems.error("PRIMARY_REGION", what);
    }
    found.cloned()
}

/// Region names for a message: all of a few, the first eight of many.
pub(crate) fn listed(regions: &[RegionName]) -> String {
    const FEW: usize = 8;
    if regions.is_empty() {
        return String::from("(none: no region could be read)");
    }
    let mut names = String::new();
    for region in regions.iter().take(FEW) {
        list(region.as_str(), &mut names);
    }
    if regions.len() > FEW {
        let more = count(regions.len().saturating_sub(FEW));
        message!(" and {} more", &more).add_to(&mut names);
    }
    names
}

fn read_key(lookup: Lookup<'_>, problems: &mut Problems) -> HashKey {
    let Some(text) = value(lookup, "TENANT_HASH_KEY") else {
        return HashKey::default();
    };
    HashKey::from_hex(&text).unwrap_or_else(|why| {
        problems.error("TENANT_HASH_KEY", message!("{}", &why));
        HashKey::default()
    })
}

fn warn_of_a_foreign_current_region(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    problems: &mut Problems,
) {
    if let Some(text) = value(lookup, "CURRENT_REGION")
        && !regions.is_empty()
        && named(regions, &text).is_none()
    {
        let regions = listed(regions);
        let what = message!("{?} is not in REGIONS; allowed: {}", &text, &regions);
        problems.warn("CURRENT_REGION", what);
    }
}

impl RegionReport {
    /// The report on what `lookup` holds; an unset `PRIMARY_REGION` is an error here.
    pub fn read(lookup: Lookup<'_>) -> Self {
        let (config, mut problems) = RegionConfig::read(lookup);
        if value(lookup, "PRIMARY_REGION").is_none() {
            problems.error("PRIMARY_REGION", unset_primary(&config.regions));
        }
        Self {
            valid: problems.errors.is_empty(),
            regions: config.regions,
            primary: config.primary,
            policy: config.policy,
            errors: problems.errors,
            warnings: problems.warnings,
        }
    }
}

/// The message for an unset `PRIMARY_REGION`, without the variable's name.
pub(crate) fn unset_primary(regions: &[RegionName]) -> Said {
    Said(message!("unset; allowed: one of REGIONS: {}", &listed(regions)).text())
}
