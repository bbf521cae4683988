//! A router as a decision asks it.

use alloc::vec::Vec;

use super::walk::Facts;
use super::{RegionStatus, Router, Slot};
use crate::config::{FailoverPolicy, Sticky};
use crate::hash::TenantId;

/// A router and what is known of its regions' health; a missing entry counts as up.
#[derive(Clone, Copy)]
pub(super) struct Asked<'r> {
    pub(super) router: &'r Router,
    pub(super) health: &'r [RegionStatus],
}

impl Facts for Asked<'_> {
    type Place = u16;

    #[inline]
    fn regions(self) -> usize {
        self.router.len()
    }

    #[inline]
    fn sticky(self) -> Sticky {
        self.router.sticky
    }

    #[inline]
    fn policy(self) -> FailoverPolicy {
        self.router.policy
    }

    #[inline]
    fn primary(self) -> usize {
        self.router.primary
    }

    #[inline]
    fn status(self, place: usize) -> RegionStatus {
        self.health.get(place).copied().unwrap_or_default()
    }

    #[inline]
    fn everybody(self, h: u64) -> usize {
        let router = self.router;
        router.everybody.choice(h, router.rendezvous.draws())
    }

    #[inline]
    fn first_of(self, bucket: u16, eligible: impl Fn(u16) -> bool) -> Option<u16> {
        self.router.rendezvous.draws().first_of(bucket, eligible)
    }

    #[inline]
    fn has_rules(self) -> bool {
        self.router.has_rules
    }

    #[inline]
    fn residency<'r>(self, tenant: TenantId<'_>) -> Option<&'r [u16]>
    where
        Self: 'r,
    {
        let places = self.router.rules.residency.find(tenant);
        places.map(Vec::as_slice)
    }

    #[inline]
    fn pin(self, tenant: TenantId<'_>) -> Option<usize> {
        let place = self.router.rules.pins.find(tenant);
        place.map(|place| usize::from(*place))
    }

    #[inline]
    fn slot(self, tenant: TenantId<'_>) -> Option<Slot> {
        let slots = &self.router.rules.slots;
        match slots.is_empty() {
            true => None,
            false => slots.find(tenant).copied(),
        }
    }
}
