//! Where a tenant goes: a first choice from its hash, a walk past regions that are not up, and a
//! colour from the release under way. All arithmetic is on `u64`, so every target agrees.

mod explain;
mod slot;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::fmt;
use serde::{Serialize, Serializer};

pub use explain::Explanation;
pub use slot::{Slot, SlotRule};

use crate::config::{FailoverPolicy, Lookup, RegionConfig, Sticky};
use crate::hash::{HashKey, TenantId, fmix64};
use crate::region::RegionName;
use crate::regions::ConfigError;

/// What is known of a region's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegionStatus {
    /// It serves.
    #[default]
    Up,
    /// It does not answer as it should.
    Down,
    /// It should get no new work, and can still serve if nothing else does.
    Draining,
    /// It must never serve, whatever happens.
    Forbidden,
}

impl RegionStatus {
    /// Its name in routing tables and explanations.
    pub fn name(self) -> &'static str {
        match self {
            RegionStatus::Up => "up",
            RegionStatus::Down => "down",
            RegionStatus::Draining => "draining",
            RegionStatus::Forbidden => "forbidden",
        }
    }
}

/// Why a tenant goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing but the primary rule decided.
    Primary,
    /// The tenant's hash decided.
    Hash,
    /// The first choice does not serve; another region does.
    Failover,
    /// No region is up or draining: the first choice is as good as any.
    AllDown,
}

impl Reason {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Primary => "primary",
            Reason::Hash => "hash",
            Reason::Failover => "failover",
            Reason::AllDown => "all_down",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
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

/// No region may serve the tenant: every allowed one is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("residency_unavailable: every region allowed for this tenant is forbidden")]
pub struct ResidencyUnavailable;

/// The placement rules of one configuration, prepared for any number of tenants.
///
/// At least one region; `first_choice` answers inside it, so nothing below can fail.
#[derive(Debug, Clone)]
pub struct Router {
    first: RegionName,
    rest: Vec<RegionName>,
    primary: usize,
    sticky: Sticky,
    policy: FailoverPolicy,
    key: HashKey,
}

impl Router {
    /// Prepares what [`RegionConfig::read`] found.
    ///
    /// # Errors
    /// Every problem of the configuration; a missing primary only where the rule needs one.
    pub fn from_lookup(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
        let (config, mut problems) = RegionConfig::read(lookup);
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
        let place = |name: &RegionName| config.regions.iter().position(|region| region == name);
        let primary = config.primary.as_ref().and_then(place).unwrap_or(0);
        let mut regions = config.regions.into_iter();
        let first = regions
            .next()
            .ok_or_else(|| ConfigError(alloc::vec!["REGIONS: names no region".into()]))?;
        Ok(Self {
            first,
            rest: regions.collect(),
            primary,
            sticky: config.sticky,
            policy: config.policy,
            key: config.key,
        })
    }

    /// The regions in priority order.
    pub fn regions(&self) -> impl Iterator<Item = &RegionName> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// How many regions there are, 1 to 1,024.
    pub fn len(&self) -> usize {
        self.rest.len().saturating_add(1)
    }

    /// Never: a router has at least one region.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The hash every choice for this tenant comes from.
    pub fn hash(&self, tenant: TenantId<'_>) -> u64 {
        self.key.sip13(tenant.as_str().as_bytes())
    }

    /// The rule of a release's slots under this router's key.
    pub fn slot_rule(&self, release: Option<slot::ReleaseView<'_>>) -> SlotRule {
        SlotRule::new(&self.key, release)
    }

    fn name(&self, index: usize) -> &RegionName {
        match index.checked_sub(1) {
            None => &self.first,
            Some(at) => self.rest.get(at).unwrap_or(&self.first),
        }
    }

    fn first_choice(&self, h: u64) -> usize {
        match self.sticky {
            Sticky::Primary => self.primary,
            Sticky::Hash => modulo(h, self.len()),
        }
    }

    /// The tenant's first choice, health aside.
    pub fn preferred(&self, tenant: TenantId<'_>) -> &RegionName {
        self.name(self.first_choice(self.hash(tenant)))
    }

    /// Where the tenant goes. `health` is in the order of [`regions`](Self::regions); a missing entry
    /// counts as up.
    ///
    /// # Errors
    /// When every region is forbidden.
    pub fn route(
        &self,
        tenant: TenantId<'_>,
        health: &[RegionStatus],
        slots: &SlotRule,
    ) -> Result<Placement<'_>, ResidencyUnavailable> {
        let h = self.hash(tenant);
        let preferred = self.first_choice(h);
        let (region, reason) = self.past_health(h, preferred, health)?;
        Ok(Placement {
            region: self.name(region),
            preferred: self.name(preferred),
            slot: slots.slot(h),
            reason,
        })
    }

    /// Up before draining before down; forbidden never.
    fn past_health(
        &self,
        h: u64,
        preferred: usize,
        health: &[RegionStatus],
    ) -> Result<(usize, Reason), ResidencyUnavailable> {
        let status = |index: usize| health.get(index).copied().unwrap_or_default();
        let rule = match self.sticky {
            Sticky::Primary => Reason::Primary,
            Sticky::Hash => Reason::Hash,
        };
        for serving in [RegionStatus::Up, RegionStatus::Draining] {
            if let Some(region) = self.walk(h, preferred, |index| status(index) == serving) {
                return Ok((
                    region,
                    if region == preferred {
                        rule
                    } else {
                        Reason::Failover
                    },
                ));
            }
        }
        self.walk(h, preferred, |index| status(index) == RegionStatus::Down)
            .map(|region| (region, Reason::AllDown))
            .ok_or(ResidencyUnavailable)
    }

    /// The first choice if it is eligible, else what the policy takes among the eligible.
    fn walk(&self, h: u64, preferred: usize, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        if eligible(preferred) {
            return Some(preferred);
        }
        match self.policy {
            FailoverPolicy::Ordered => {
                let after = preferred.saturating_add(1)..self.len();
                after.chain(0..preferred).find(|&index| eligible(index))
            }
            FailoverPolicy::RoundRobin => {
                let survivors = (0..self.len()).filter(|&index| eligible(index));
                let count = survivors.clone().count();
                let mut survivors = survivors;
                // Mixed first: h mod m alone correlates with the first choice h mod n, and would send
                // all displaced tenants to one survivor.
                (count > 0)
                    .then(|| survivors.nth(modulo(fmix64(h), count)))
                    .flatten()
            }
        }
    }
}

/// `h mod n` in u64: in usize, 32-bit targets would disagree with 64-bit ones. `n` of 0 gives 0.
fn modulo(h: u64, n: usize) -> usize {
    let n = u64::try_from(n).unwrap_or(u64::MAX);
    usize::try_from(h.checked_rem(n).unwrap_or(0)).unwrap_or(0)
}

pub use slot::ReleaseView;
