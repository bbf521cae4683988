//! Where a tenant goes: a first choice from its hash and its rules, a walk past regions that are not
//! up, and a colour from the release under way. All arithmetic is on `u64`, so every target agrees.
//!
//! The definition, complete enough to implement in another language, is `docs/placement.md`.

mod allowed;
mod answer;
mod asked;
mod divisor;
mod everybody;
mod explain;
mod joint;
mod loads;
mod log2;
mod rendezvous;
mod rules;
mod slot;
mod status;
mod view;
mod walk;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;

pub use answer::Answer;
pub use explain::Explanation;
pub use joint::Joint;
pub use loads::{Load, Loads};
pub use rendezvous::BUCKETS;
pub(crate) use rules::Keys;
pub use rules::{InOrder, Patterns, TenantRules};
pub use slot::{ReleaseView, Slot, SlotRule};
pub use status::{Reason, RegionStatus, ResidencyUnavailable};

use crate::config::{FailoverPolicy, Lookup, Problems, RegionConfig, Sticky, read_deployment};
use crate::hash::{HashKey, TenantId};
use crate::region::RegionName;
use crate::regions::ConfigError;
// For a table that decides in its bytes.
pub(crate) use everybody::Everybody;
pub(crate) use rendezvous::{Candidate, Draws};
pub(crate) use walk::{Facts, decide};

use asked::Asked;
use rendezvous::Rendezvous;

/// The table of `-log2` that weights rest on, for the page that defines placement:
/// `floor(2^28 * -log2(i / 256) + 1/2)` for `i` from 1 to 256, before them `floor(2^28 * (8 + 2 / ln 2) + 1/2)`.
pub fn log2_points() -> impl Iterator<Item = u32> {
    log2::points()
}

/// Where one tenant goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement<'r> {
    /// The region that serves it now.
    pub region: &'r RegionName,
    /// Its first choice, health aside.
    pub preferred: &'r RegionName,
    /// Which pool of the region.
    pub slot: Slot,
    /// What decided.
    pub reason: Reason,
}

/// Where one tenant goes, by places in [`Router::regions`] instead of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The region that serves it now.
    pub region: usize,
    /// Its first choice, health aside.
    pub preferred: usize,
    /// Which pool of the region.
    pub slot: Slot,
    /// What decided.
    pub reason: Reason,
}

/// The placement rules of one configuration, for any number of tenants.
///
/// ```
/// use halcyon_core::hash::TenantId;
/// use halcyon_core::placement::Router;
///
/// let env = |name: &str| match name {
///     "REGIONS" => Some("us-east,us-west,eu-west".into()),
///     "REGION_WEIGHTS" => Some("us-east=2".into()),
///     "TENANT_STICKY" | "FAILOVER_POLICY" => Some("rendezvous".into()),
///     _ => None,
/// };
/// let router = Router::from_lookup(&env)?;
/// let acme = TenantId::new("acme").unwrap();
/// let home = router.preferred(acme).unwrap().clone();
///
/// // For many tenants: the first choice of every bucket, computed once.
/// let router = router.prepare();
/// assert_eq!(router.preferred(acme), Ok(&home));
/// # Ok::<(), halcyon_core::regions::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Router {
    regions: Vec<RegionName>,
    /// The first of `regions`: there is at least one, so nothing below can fail for want of one.
    first: RegionName,
    weights: Vec<u16>,
    primary: usize,
    has_primary: bool,
    sticky: Sticky,
    policy: FailoverPolicy,
    key: HashKey,
    rules: TenantRules,
    has_rules: bool,
    rendezvous: Rendezvous,
    /// The first choice where no rule is about the tenant.
    everybody: Everybody,
}

impl Router {
    /// The rules of the configuration in `lookup`.
    ///
    /// # Errors
    /// Every problem of the configuration; a missing primary only where the rule needs one.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let (config, problems) = RegionConfig::read(lookup);
        Self::of_read(lookup, config, problems)
    }

    /// The same, and the deployment whose tables may follow; `None` where the variables name none.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup), and what is wrong with `HALCYON_DEPLOYMENT`.
    pub fn with_deployment(lookup: Lookup<'_>) -> Result<(Self, Option<String>), ConfigError> {
        let (config, mut problems) = RegionConfig::read(lookup);
        let deployment = read_deployment(lookup, &mut problems);
        Ok((Self::of_read(lookup, config, problems)?, deployment))
    }

    fn of_read(
        lookup: Lookup<'_>,
        config: RegionConfig,
        mut problems: Problems,
    ) -> Result<Self, ConfigError> {
        if config.sticky == Sticky::Primary
            && config.primary.is_none()
            && super::config::value(lookup, "PRIMARY_REGION").is_none()
        {
            problems.error(
                "PRIMARY_REGION",
                crate::config::unset_primary(&config.regions),
            );
        }
        Result::from(problems)?;
        Self::from_config(config)
            .ok_or_else(|| ConfigError(alloc::vec!["REGIONS: names no region".into()]))
    }

    /// The rules of a configuration that was read without errors. `None` where it has no region.
    pub fn from_config(config: RegionConfig) -> Option<Self> {
        let place = |name: &RegionName| config.regions.iter().position(|region| region == name);
        let primary = config.primary.as_ref().and_then(place);
        let has_primary = primary.is_some();
        let primary = primary.unwrap_or(0);
        let weighted = config.regions.iter().zip(config.weights.iter().copied());
        let rendezvous = Rendezvous::new(&config.key, weighted);
        Some(Self {
            first: config.regions.first()?.clone(),
            everybody: Everybody::new(config.sticky, primary, config.regions.len())?,
            regions: config.regions,
            weights: config.weights,
            primary,
            has_primary,
            sticky: config.sticky,
            policy: config.policy,
            key: config.key,
            has_rules: !config.rules.is_empty(),
            rules: config.rules,
            rendezvous,
        })
    }

    /// Whether it comes from the same rules, however they were written.
    pub(crate) fn is_same_as(&self, other: &Router) -> bool {
        self.key == other.key
            && self.sticky == other.sticky
            && self.policy == other.policy
            && self.primary_place() == other.primary_place()
            && self.regions == other.regions
            && self.weights == other.weights
            && self.rules == other.rules
    }

    /// Computes the first choice of all 65,536 buckets, so that `rendezvous` costs little more than the
    /// hash at any number of regions. Takes 64 KiB, with more than 256 regions twice that, and some three
    /// nanoseconds a bucket and region; worth it from some ten thousand decisions on. Every answer stays
    /// the same.
    #[must_use]
    pub fn prepare(mut self) -> Self {
        self.everybody.prepare(self.rendezvous.draws());
        self
    }

    /// The regions in priority order.
    pub fn regions(&self) -> &[RegionName] {
        &self.regions
    }

    /// The regions' weights, in the same order.
    pub fn weights(&self) -> &[u16] {
        &self.weights
    }

    /// The rules for single tenants.
    pub fn rules(&self) -> &TenantRules {
        &self.rules
    }

    pub(crate) fn key(&self) -> &HashKey {
        &self.key
    }

    pub(crate) fn sticky(&self) -> Sticky {
        self.sticky
    }

    pub(crate) fn policy(&self) -> FailoverPolicy {
        self.policy
    }

    /// The primary's place, if there is one.
    pub(crate) fn primary_place(&self) -> Option<u16> {
        self.has_primary
            .then_some(self.primary)
            .and_then(|place| u16::try_from(place).ok())
    }

    /// How many regions there are, 1 to 1,024.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Never: a router has at least one region.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The hash every choice for this tenant comes from: SipHash-1-3 of its id under the router's key.
    #[inline]
    pub fn hash(&self, tenant: TenantId<'_>) -> u64 {
        self.key.sip13(tenant.as_str().as_bytes())
    }

    /// The rule of a release's slots under this router's key.
    pub fn slot_rule(&self, release: Option<ReleaseView<'_>>) -> SlotRule {
        SlotRule::new(&self.key, release)
    }

    #[inline]
    fn name(&self, place: usize) -> &RegionName {
        match self.regions.get(place) {
            Some(name) => name,
            None => self.no_place(),
        }
    }

    /// Never: a place is less than the number of regions.
    #[cold]
    fn no_place(&self) -> &RegionName {
        &self.first
    }

    /// The tenant's first choice, health aside.
    ///
    /// # Errors
    /// When its residency rule allows no region.
    #[inline]
    pub fn preferred(&self, tenant: TenantId<'_>) -> Result<&RegionName, ResidencyUnavailable> {
        if !self.has_rules {
            let h = self.hash(tenant);
            return Ok(self.name(self.everybody.choice(h, self.rendezvous.draws())));
        }
        self.preferred_by_rules(tenant)
    }

    #[inline(never)]
    fn preferred_by_rules(
        &self,
        tenant: TenantId<'_>,
    ) -> Result<&RegionName, ResidencyUnavailable> {
        let asked = self.under(&[]);
        let (allowed, pin) = walk::bounds(asked, tenant);
        let first = walk::first_choice(asked, self.hash(tenant), allowed, pin)?;
        Ok(self.name(first.place))
    }

    /// Where the tenant goes. `health` is in the order of [`regions`](Self::regions); a missing entry
    /// counts as up.
    ///
    /// ```
    /// use halcyon_core::hash::TenantId;
    /// use halcyon_core::placement::{RegionStatus, Router, Slot};
    ///
    /// let env = |name: &str| match name {
    ///     "REGIONS" => Some("us-east,us-west,eu-west".into()),
    ///     "PRIMARY_REGION" => Some("us-east".into()),
    ///     _ => None,
    /// };
    /// let router = Router::from_lookup(&env)?;
    /// let health = [RegionStatus::Draining, RegionStatus::Forbidden]; // and eu-west is up
    /// let found = router.route(TenantId::new("acme").unwrap(), &health, &router.slot_rule(None)).unwrap();
    /// assert_eq!((found.region.as_str(), found.preferred.as_str()), ("eu-west", "us-east"));
    /// assert_eq!((found.slot, found.reason.name()), (Slot::Blue, "failover"));
    /// # Ok::<(), halcyon_core::regions::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When no region may serve it.
    #[inline]
    pub fn route(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        slots: &SlotRule,
    ) -> Result<Placement<'_>, ResidencyUnavailable> {
        let Decision {
            region,
            preferred,
            slot,
            reason,
        } = self.decide(tenant, health, slots)?;
        Ok(Placement {
            region: self.name(region),
            preferred: self.name(preferred),
            slot,
            reason,
        })
    }

    /// The same by the regions' places: for whoever has their names elsewhere.
    ///
    /// # Errors
    /// When no region may serve it.
    // In a module compiled for size nothing else would be inlined, and an edge asks here for every request.
    #[cfg_attr(target_arch = "wasm32", inline(always))]
    #[cfg_attr(not(target_arch = "wasm32"), inline)]
    pub fn decide(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        slots: &SlotRule,
    ) -> Result<Decision, ResidencyUnavailable> {
        decide(self.under(health), tenant, self.hash(tenant), slots)
    }

    /// The router as a decision asks it.
    #[inline]
    fn under<'r>(&'r self, health: &'r [RegionStatus]) -> Asked<'r> {
        Asked {
            router: self,
            health,
        }
    }
}

/// `h mod n` in u64: in usize, 32-bit targets would disagree with 64-bit ones. `n` of 0 gives 0.
#[inline]
fn modulo(h: u64, n: usize) -> usize {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    usize::try_from(h.checked_rem(n).unwrap_or(0)).unwrap_or(0)
}
