//! The region functions under the names the earlier system gave them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{
    FailoverPolicy, Lookup, Problems, RegionConfig, RegionReport, Topology, is_about, read_regions,
};
use crate::hash::TenantId;
use crate::placement::Router;
use crate::region::RegionName;
use crate::text::message;

/// What is wrong with the configuration, every problem at once; each string begins with the
/// variable's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl From<Problems> for Result<(), ConfigError> {
    fn from(problems: Problems) -> Self {
        if problems.errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(problems.errors))
        }
    }
}

/// The active regions of `REGIONS`, in priority order.
///
/// ```
/// use halcyon_core::regions::active_regions;
/// let regions = active_regions(&|name: &str| (name == "REGIONS").then(|| "us-east, us-west".into())).unwrap();
/// assert_eq!(regions[1].as_str(), "us-west");
/// ```
///
/// # Errors
/// When the list is unset, empty, too long, or holds a wrong name or a duplicate.
pub fn active_regions(lookup: Lookup<'_>) -> Result<Vec<RegionName>, ConfigError> {
    let mut problems = Problems::default();
    let topology = Topology::read_into(lookup, &mut problems);
    let regions = read_regions(lookup, &topology, &mut problems);
    Result::from(problems).map(|()| regions)
}

/// The region of `PRIMARY_REGION`.
///
/// ```
/// use halcyon_core::regions::primary_region;
/// let error = primary_region(&|name: &str| (name == "REGIONS").then(|| "us-east".into())).unwrap_err();
/// assert_eq!(error.to_string(), "PRIMARY_REGION: unset; allowed: one of REGIONS: us-east");
/// ```
///
/// # Errors
/// When it is unset or not in `REGIONS`, or `REGIONS` itself is wrong.
pub fn primary_region(lookup: Lookup<'_>) -> Result<RegionName, ConfigError> {
    let mut report = RegionReport::read(lookup);
    let of_regions =
        |error: &String| is_about(error, "REGIONS") || is_about(error, "PRIMARY_REGION");
    match report.primary {
        Some(primary) if !report.errors.iter().any(of_regions) => Ok(primary),
        _ => {
            // The regions may be a topology's.
            let ours = |error: &String| of_regions(error) || is_about(error, "HALCYON_TOPOLOGY");
            report.errors.retain(ours);
            Err(ConfigError(report.errors))
        }
    }
}

/// The policy of `FAILOVER_POLICY`, with a warning where it fell back to `ordered`.
///
/// ```
/// use halcyon_core::regions::failover_policy;
/// let (policy, warnings) = failover_policy(&|name: &str| (name == "FAILOVER_POLICY").then(|| "Round_Robin".into()));
/// assert_eq!((policy.name(), warnings.len()), ("round_robin", 0));
/// ```
pub fn failover_policy(lookup: Lookup<'_>) -> (FailoverPolicy, Vec<String>) {
    let (config, problems) = RegionConfig::read(lookup);
    let ours = |warning: &String| warning.starts_with("FAILOVER_POLICY:");
    (
        config.policy,
        problems
            .warnings
            .into_iter()
            .chain(problems.errors)
            .filter(ours)
            .collect(),
    )
}

/// The region a tenant belongs to, before any failure.
///
/// ```
/// use halcyon_core::regions::preferred_region;
/// let env = |name: &str| match name {
///     "REGIONS" => Some("us-east,us-west,eu-west".into()),
///     "TENANT_STICKY" => Some("hash".into()),
///     _ => None,
/// };
/// assert_eq!(preferred_region(&env, "tenant123").unwrap().as_str(), "us-west");
/// ```
///
/// # Errors
/// When the configuration has errors, the rule needs a primary and there is none, the tenant id is
/// empty or longer than 16,384 bytes, or its residency allows no region.
pub fn preferred_region(lookup: Lookup<'_>, tenant: &str) -> Result<RegionName, ConfigError> {
    let router = Router::from_lookup(lookup)?;
    let tenant = TenantId::new(tenant).map_err(|why| ConfigError(Vec::from([why])))?;
    match router.preferred(tenant) {
        Ok(region) => Ok(region.clone()),
        Err(why) => Err(ConfigError(Vec::from([String::from(why.text())]))),
    }
}

/// Why there is no region to fail over to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailoverError {
    /// Only one region is configured.
    #[error("{}", single_region(.0))]
    SingleRegion(RegionName),
    /// The configuration has errors.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// What [`FailoverError::SingleRegion`] displays.
pub fn single_region(region: &RegionName) -> String {
    message!(
        "No failover available: {} is the only region in REGIONS",
        region.as_str()
    )
    .text()
}

/// The region after `current` in `REGIONS`, wrapping; for a `current` that is not listed, the
/// primary (`ordered`, `rendezvous`) or the first (`round_robin`).
///
/// ```
/// use halcyon_core::regions::next_failover;
/// let env = |name: &str| (name == "REGIONS").then(|| "us-east,us-west".into());
/// assert_eq!(next_failover(&env, "us-west").unwrap().as_str(), "us-east");
/// ```
///
/// # Errors
/// With a single region, or when the configuration has errors.
pub fn next_failover(lookup: Lookup<'_>, current: &str) -> Result<RegionName, FailoverError> {
    let (config, problems) = RegionConfig::read(lookup);
    Result::from(problems)?;
    if let [only] = config.regions.as_slice() {
        return Err(FailoverError::SingleRegion(only.clone()));
    }
    let mut regions = config.regions.iter();
    let listed = regions.any(|region| region.as_str() == current);
    let next = match (listed, config.policy) {
        // Behind the last one comes the first.
        (true, _) => regions.next().or(config.regions.first()),
        (false, FailoverPolicy::RoundRobin) => config.regions.first(),
        (false, FailoverPolicy::Ordered | FailoverPolicy::Rendezvous) => {
            return Ok(primary_region(lookup)?);
        }
    };
    match next {
        Some(next) => Ok(next.clone()),
        None => Err(ConfigError(Vec::from([String::from("REGIONS: names no region")])).into()),
    }
}

/// Checks the whole region configuration and reports everything at once: errors, fallbacks, and what
/// is legal and probably not meant.
///
/// ```
/// use halcyon_core::regions::validate_region_config;
///
/// let env = |name: &str| match name {
///     "REGIONS" => Some("us-east,us-east".into()),
///     "PRIMARY_REGION" => Some("eu-west".into()),
///     _ => None,
/// };
/// let report = validate_region_config(&env);
/// assert!(!report.valid);
/// assert_eq!(report.errors, [
///     r#"REGIONS: "us-east" is listed twice; allowed: each region once"#,
///     r#"PRIMARY_REGION: "eu-west" is not in REGIONS; allowed: us-east"#,
/// ]);
/// ```
pub fn validate_region_config(lookup: Lookup<'_>) -> RegionReport {
    RegionReport::linted(lookup)
}

#[cfg(test)]
mod tests;
