//! A table as an edge holds it, and which one it takes next.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use super::Epoch;
use crate::config::RegionConfig;
use crate::hash::TenantId;
use crate::placement::{
    Placement, RegionStatus, ReleaseView, ResidencyUnavailable, Router, SlotRule,
};
use crate::release::{Phase, Weight};
use crate::telemetry::cohort;
use crate::text::{message, number};
use crate::time::Timestamp;

/// How far ahead of an edge's clock a table's epoch may be, in milliseconds: a day.
const AHEAD_MAX: u64 = 86_400_000;

/// A routing table, ready to decide.
///
/// ```
/// use halcyon_core::hash::TenantId;
/// use halcyon_core::table::Table;
/// use halcyon_core::time::Timestamp;
///
/// let json = r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop",
///     "regions":[{"name":"us-east","weight":1,"status":"up"},{"name":"us-west","weight":1,"status":"down"}],
///     "primary":"us-east","sticky":"hash","failover":"ordered"}"#;
/// let table = Table::from_json(json).unwrap();
/// let acme = TenantId::new("acme").unwrap();
/// let found = table.route(acme, Timestamp(0)).unwrap();
/// assert_eq!(found.region.as_str(), "us-east");
///
/// // The same from its binary form.
/// let again = Table::from_binary(&table.to_binary()).unwrap();
/// assert_eq!(again.route(acme, Timestamp(0)), Ok(found));
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) epoch: Epoch,
    pub(super) deployment: String,
    pub(super) router: Router,
    /// One for each region, in their order.
    pub(super) health: Vec<RegionStatus>,
    /// Where each region's pools are, blue and green by role; empty where that is not known.
    pub(super) pools: Vec<[String; 2]>,
    pub(super) release: Option<ReleaseOf>,
    slots: SlotRule,
    /// All blue: what holds once the release's share has run out.
    run_out: SlotRule,
}

/// The release under way in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReleaseOf {
    pub(super) id: String,
    pub(super) state: Phase,
    pub(super) weight: Weight,
    /// Only in a canary: until when green has its share.
    pub(super) valid_until: Option<Timestamp>,
}

/// What a table is made of, however it was written.
pub(super) struct Parts {
    pub(super) epoch: Epoch,
    pub(super) deployment: String,
    pub(super) config: RegionConfig,
    pub(super) health: Vec<RegionStatus>,
    pub(super) pools: Vec<[String; 2]>,
    pub(super) release: Option<ReleaseOf>,
}

/// Why an edge keeps the table it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is older than the one that is held.
    Older {
        /// The epoch of the table held.
        held: Epoch,
        /// That of the table offered.
        seen: Epoch,
    },
    /// It has the epoch of the one held, and says something else.
    SameEpoch(Epoch),
    /// It is another deployment's.
    OtherDeployment {
        /// The deployment of the table held.
        held: String,
        /// That of the table offered.
        seen: String,
    },
    /// It is not of the deployment this edge is set to.
    NotOurs {
        /// The deployment of `HALCYON_DEPLOYMENT`.
        ours: String,
        /// That of the table offered.
        seen: String,
    },
    /// Its epoch is more than a day ahead of the clock.
    TooFarAhead {
        /// Its epoch.
        seen: Epoch,
        /// The clock.
        now: Timestamp,
    },
}

/// Why a table was refused, without what would be allowed, which changes with the clock: whoever says it once tells by
/// this whether it is the same.
///
/// ```
/// use halcyon_core::table::cause;
/// let why = "table of epoch 9: more than a day ahead of the clock; allowed: up to 5";
/// assert_eq!(cause(why), "table of epoch 9: more than a day ahead of the clock");
/// assert_eq!(cause("it has no end"), "it has no end");
/// ```
pub fn cause(why: &str) -> &str {
    why.rsplit_once("; allowed: ")
        .map_or(why, |(cause, _)| cause)
}

impl Refusal {
    /// What it displays.
    pub fn text(&self) -> String {
        match self {
            Refusal::Older { held, seen } => message!(
                "table of epoch {}: older than epoch {}, which is held; allowed: a greater epoch",
                &number(seen.number()),
                &number(held.number())
            )
            .text(),
            Refusal::SameEpoch(seen) => message!(
                "table of epoch {}: another table of that epoch is held; allowed: a greater epoch",
                &number(seen.number())
            )
            .text(),
            Refusal::OtherDeployment { held, seen } => message!(
                "table of deployment {?}: allowed: {?}, whose table is held",
                seen,
                held
            )
            .text(),
            Refusal::NotOurs { ours, seen } => message!(
                "table of deployment {?}: allowed: {?}, which HALCYON_DEPLOYMENT names",
                seen,
                ours
            )
            .text(),
            Refusal::TooFarAhead { seen, now } => message!(
                "table of epoch {}: more than a day ahead of the clock; allowed: up to {}",
                &number(seen.number()),
                &number(now.plus(AHEAD_MAX).0)
            )
            .text(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl core::error::Error for Refusal {}

impl Table {
    /// `None` where there is no region.
    pub(super) fn of(parts: Parts) -> Option<Self> {
        let router = Router::from_config(parts.config)?;
        let view = parts.release.as_ref().map(|release| ReleaseView {
            id: &release.id,
            phase: release.state,
            weight: release.weight,
        });
        Some(Self {
            slots: router.slot_rule(view),
            run_out: router.slot_rule(None),
            epoch: parts.epoch,
            deployment: parts.deployment,
            router,
            health: parts.health,
            pools: parts.pools,
            release: parts.release,
        })
    }

    /// Its number.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whose table it is.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Its rules of placement.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The health it knows of its regions, in their order.
    pub fn health(&self) -> &[RegionStatus] {
        &self.health
    }

    /// Where the pools of its regions are, in their order: blue and green by role, as they are written;
    /// empty where that is not known.
    pub fn pools(&self) -> &[[String; 2]] {
        &self.pools
    }

    /// Until when a canary's share holds, if this table has one that ends.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.release.as_ref()?.valid_until
    }

    /// The share of green in percent, while a canary is under way.
    pub fn canary_weight(&self) -> Option<u8> {
        let release = self.release.as_ref()?;
        (release.state == Phase::Canary).then(|| release.weight.percent())
    }

    /// Whether an edge of this deployment may take the table; one without a deployment takes any.
    ///
    /// # Errors
    /// [`Refusal::NotOurs`].
    pub fn is_for(&self, deployment: Option<&str>) -> Result<(), Refusal> {
        match deployment {
            Some(ours) if ours != self.deployment => Err(Refusal::NotOurs {
                ours: ours.to_owned(),
                seen: self.deployment.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The slot rule that holds at `now`.
    #[inline]
    pub fn slots(&self, now: Timestamp) -> &SlotRule {
        match self.valid_until() {
            Some(until) if now > until => &self.run_out,
            _ => &self.slots,
        }
    }

    /// The tenant's cohort at `now`, 1 to 100, where a release draws them: the smallest weight in percent at
    /// which it is green. `None` where none does, and for a tenant whose slot a rule gives.
    pub fn cohort(&self, tenant: TenantId<'_>, now: Timestamp) -> Option<u8> {
        let slots = self.slots(now);
        let rules = &self.router.rules().slots;
        let ruled = !rules.is_empty() && rules.find(tenant).is_some();
        let draws = slots.rules_apply() && !ruled;
        draws.then(|| cohort(slots, self.router.hash(tenant)))
    }

    /// The release of the table, and the share of green in percent that it gives.
    pub fn release(&self) -> Option<(&str, Weight)> {
        let release = self.release.as_ref()?;
        Some((&release.id, release.weight))
    }

    /// Where the tenant goes at `now`.
    ///
    /// # Errors
    /// When no region may serve it.
    #[inline]
    pub fn route(
        &self,
        tenant: TenantId<'_>,
        now: Timestamp,
    ) -> Result<Placement<'_>, ResidencyUnavailable> {
        self.router.route(tenant, &self.health, self.slots(now))
    }

    /// Whether an edge that holds `held` may take this table instead. Taking the very one it holds is
    /// allowed and changes nothing.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may_follow(&self, held: Option<&Table>, now: Timestamp) -> Result<(), Refusal> {
        let newer = self.is_newer(held, now)?;
        if let Some(held) = held.filter(|_| !newer)
            && !self.is_same_as(held)
        {
            return Err(Refusal::SameEpoch(self.epoch));
        }
        Ok(())
    }

    /// Whether the bytes of both are the same, without making them.
    fn is_same_as(&self, other: &Table) -> bool {
        self.epoch == other.epoch
            && self.deployment == other.deployment
            && self.release == other.release
            && self.health == other.health
            && self.pools == other.pools
            && self.router.is_same_as(&other.router)
    }

    /// Whether this table is newer than `held`. False where it has the same epoch: whoever knows the bytes
    /// of both has to see that they are the same.
    ///
    /// # Errors
    /// As [`may_follow`](Self::may_follow), but for two of one epoch.
    pub fn is_newer(&self, held: Option<&Table>, now: Timestamp) -> Result<bool, Refusal> {
        if self.epoch.number() > now.plus(AHEAD_MAX).0 {
            let seen = self.epoch;
            return Err(Refusal::TooFarAhead { seen, now });
        }
        let Some(held) = held else {
            return Ok(true);
        };
        let seen = (self.epoch, self.deployment());
        match Succession::of(seen, (held.epoch, held.deployment())) {
            Succession::OtherDeployment => Err(Refusal::OtherDeployment {
                held: held.deployment.clone(),
                seen: self.deployment.clone(),
            }),
            Succession::Older => Err(Refusal::Older {
                held: held.epoch,
                seen: self.epoch,
            }),
            Succession::SameEpoch => Ok(false),
            Succession::Newer => Ok(true),
        }
    }
}

/// How a table stands to the one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Succession {
    /// It comes after it.
    Newer,
    /// It has its epoch: the very one, or one that must not be.
    SameEpoch,
    /// It came before it.
    Older,
    /// It is another deployment's, whatever its epoch.
    OtherDeployment,
}

impl Succession {
    /// Of epochs and deployments.
    pub(super) fn of(seen: (Epoch, &str), held: (Epoch, &str)) -> Self {
        if seen.1 != held.1 {
            return Self::OtherDeployment;
        }
        match seen.0.cmp(&held.0) {
            Ordering::Less => Self::Older,
            Ordering::Equal => Self::SameEpoch,
            Ordering::Greater => Self::Newer,
        }
    }
}
