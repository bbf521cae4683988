//! The variables that decide where tenants go.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use super::policy::{FailoverPolicy, Sticky, read_policy, read_sticky};
use super::rules::read_rules;
use super::weights::read_weights;
use super::{Lookup, Problems, Topology, items, refuse_unsupported, value};
use crate::hash::HashKey;
use crate::placement::TenantRules;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::Seen;

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
        refuse_unsupported(lookup, &mut problems);
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
    let Some(list) = value(lookup, "REGIONS") else {
        if !topology.regions.is_empty() {
            return topology
                .regions
                .iter()
                .map(|region| region.name.clone())
                .collect();
        }
        // Where the topology could not be read, that is the error, and not that REGIONS is unset.
        if problems.about("HALCYON_TOPOLOGY") {
            return Vec::new();
        }
        problems.error(
            "REGIONS",
            "unset; allowed: a comma-separated list of region names, such as us-east,us-west",
        );
        return Vec::new();
    };
    // Counted before anything is parsed: a list of thousands is refused in no time and not echoed.
    let count = count(&list);
    if count > REGIONS_MAX {
        problems.error(
            "REGIONS",
            format_args!(
                "{} has {count} regions; allowed: at most {REGIONS_MAX}",
                Seen(&list)
            ),
        );
        return Vec::new();
    }
    let mut regions: Vec<RegionName> = Vec::with_capacity(count);
    let mut first_spelling: BTreeMap<String, &str> = BTreeMap::new();
    let mut empty = 0_usize;
    for item in items(&list) {
        if item.is_empty() {
            empty = empty.saturating_add(1);
            continue;
        }
        match RegionName::new(item) {
            Err(why) => problems.error("REGIONS", why),
            Ok(name) => match first_spelling.get(&item.to_ascii_lowercase()).copied() {
                None => {
                    first_spelling.insert(item.to_ascii_lowercase(), item);
                    regions.push(name);
                }
                Some(before) if before == item => {
                    problems.error(
                        "REGIONS",
                        format_args!("{} is listed twice; allowed: each region once", Seen(item)),
                    );
                }
                Some(before) => problems.error(
                    "REGIONS",
                    format_args!(
                        "{} and {} differ only by case; allowed: each region once",
                        Seen(before),
                        Seen(item)
                    ),
                ),
            },
        }
    }
    if count == 0 {
        problems.error(
            "REGIONS",
            format_args!("{} names no region; allowed: at least one", Seen(&list)),
        );
    } else if empty > 0 {
        problems.warn(
            "REGIONS",
            format_args!("{} has {empty} empty item(s), skipped", Seen(&list)),
        );
    }
    regions
}

/// How many regions a list names.
fn count(list: &str) -> usize {
    items(list).filter(|item| !item.is_empty()).count()
}

fn read_primary(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    problems: &mut Problems,
) -> Option<RegionName> {
    let text = value(lookup, "PRIMARY_REGION")?;
    // Of a list or a file that was not read, nobody can say that the primary is not in it.
    let too_many = || value(lookup, "REGIONS").is_some_and(|list| count(&list) > REGIONS_MAX);
    if regions.is_empty() && (problems.about("HALCYON_TOPOLOGY") || too_many()) {
        return None;
    }
    let found = regions
        .iter()
        .find(|region| region.as_str() == text)
        .cloned();
    if found.is_none() {
        problems.error(
            "PRIMARY_REGION",
            format_args!(
                "{} is not in REGIONS; allowed: {}",
                Seen(&text),
                listed(regions)
            ),
        );
    }
    found
}

/// Region names for a message: all of a few, the first eight of many.
pub(crate) fn listed(regions: &[RegionName]) -> String {
    let names: Vec<&str> = regions.iter().take(8).map(RegionName::as_str).collect();
    match (names.len(), regions.len()) {
        (0, _) => String::from("(none: no region could be read)"),
        (shown, all) if shown < all => format!(
            "{} and {} more",
            names.join(", "),
            all.saturating_sub(shown)
        ),
        _ => names.join(", "),
    }
}

fn read_key(lookup: Lookup<'_>, problems: &mut Problems) -> HashKey {
    match value(lookup, "TENANT_HASH_KEY").map(|text| HashKey::from_hex(&text)) {
        None => HashKey::default(),
        Some(Ok(key)) => key,
        Some(Err(why)) => {
            problems.error("TENANT_HASH_KEY", why);
            HashKey::default()
        }
    }
}

fn warn_of_a_foreign_current_region(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    problems: &mut Problems,
) {
    if let Some(text) = value(lookup, "CURRENT_REGION")
        && !regions.is_empty()
        && !regions.iter().any(|region| region.as_str() == text)
    {
        problems.warn(
            "CURRENT_REGION",
            format_args!(
                "{} is not in REGIONS; allowed: {}",
                Seen(&text),
                listed(regions)
            ),
        );
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
pub(crate) fn unset_primary(regions: &[RegionName]) -> String {
    format!("unset; allowed: one of REGIONS: {}", listed(regions)).to_string()
}
