//! One router with the health of its regions, asked part by part of a hash where a tenant goes.

use alloc::vec::Vec;

use super::allowed::Allowed;
use super::{RegionStatus, Router};
use crate::config::{FailoverPolicy, Sticky};

/// What is known of an outcome so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// All.
    Place(usize),
    /// That a later part decides.
    Open,
}

/// One router with the health of its regions, for tenants of the same rules.
pub(super) struct View<'r> {
    router: &'r Router,
    allowed: Allowed<'r>,
    pin: Option<usize>,
    /// The regions that serve, ascending.
    serving: Vec<usize>,
}

impl<'r> View<'r> {
    pub(super) fn new(
        router: &'r Router,
        health: &[RegionStatus],
        (allowed, pin): (Allowed<'r>, Option<usize>),
    ) -> Self {
        let of = |wanted| -> Vec<usize> {
            let status = |place: &usize| health.get(*place).copied().unwrap_or_default();
            allowed
                .iter()
                .filter(|place| status(place) == wanted)
                .collect()
        };
        // As a decision walks: up before draining before down.
        let classes = [RegionStatus::Up, RegionStatus::Draining, RegionStatus::Down];
        let mut serving = classes.into_iter().map(of);
        Self {
            router,
            allowed,
            pin: pin.filter(|place| allowed.contains(*place)),
            serving: serving
                .find(|places| !places.is_empty())
                .unwrap_or_default(),
        }
    }

    pub(super) fn nowhere(&self) -> usize {
        self.router.len()
    }

    fn serves(&self, place: usize) -> bool {
        self.serving.binary_search(&place).is_ok()
    }

    /// Where a tenant goes whose first choice is this region, as far as that says it.
    fn after_first(&self, first: usize) -> Known {
        if self.serves(first) {
            return Known::Place(first);
        }
        if self.router.policy() != FailoverPolicy::Ordered {
            return Known::Open;
        }
        // The next one behind it, and at the end of the list the first.
        let behind = |place: &usize| *place > first;
        let next = self
            .allowed
            .iter()
            .filter(behind)
            .find(|place| self.serves(*place));
        let next = next.or_else(|| self.serving.first().copied());
        Known::Place(next.unwrap_or_else(|| self.nowhere()))
    }

    /// What is known before any part: nothing but where nobody goes anywhere, or a pin.
    fn before(&self) -> Known {
        if self.serving.is_empty() {
            return Known::Place(self.nowhere());
        }
        let first = match (self.pin, self.router.sticky()) {
            (Some(pin), _) => Some(pin),
            (None, Sticky::Primary) => self.primary(),
            (None, Sticky::Hash | Sticky::Rendezvous) => None,
        };
        first.map_or(Known::Open, |first| self.after_first(first))
    }

    fn primary(&self) -> Option<usize> {
        let primary = usize::from(self.router.primary_place().unwrap_or(0));
        match self.allowed.contains(primary) {
            true => Some(primary),
            false => self.allowed.at(0),
        }
    }

    /// By how much the first remainder is taken, and 1 where it decides nothing.
    pub(super) fn remainders(&self) -> usize {
        match self.first_by_hash() {
            true => self.allowed.len(),
            false => 1,
        }
    }

    pub(super) fn by_remainder(&self, remainder: usize) -> Known {
        let first = match self.first_by_hash() {
            true => self.allowed.at(remainder),
            false => None,
        };
        first.map_or_else(|| self.before(), |first| self.after_first(first))
    }

    fn first_by_hash(&self) -> bool {
        self.router.sticky() == Sticky::Hash && self.pin.is_none() && self.before() == Known::Open
    }

    /// Whether the bucket decides anything.
    pub(super) fn by_buckets(&self) -> bool {
        self.before() == Known::Open
            && (self.first_by_bucket() || self.router.policy() == FailoverPolicy::Rendezvous)
    }

    fn first_by_bucket(&self) -> bool {
        self.router.sticky() == Sticky::Rendezvous && self.pin.is_none()
    }

    pub(super) fn by_bucket(&self, bucket: u16) -> Known {
        if let known @ Known::Place(_) = self.before() {
            return known;
        }
        let among = |eligible: &dyn Fn(usize) -> bool| {
            let draws = self.router.rendezvous.draws();
            let first = draws.first_of(bucket, |place| eligible(usize::from(place)));
            first.map(usize::from)
        };
        let first = match self.first_by_bucket() {
            true => among(&|place| self.allowed.contains(place)),
            // Somebody who was displaced before.
            false => None,
        };
        match first.map(|first| self.after_first(first)) {
            Some(known @ Known::Place(_)) => known,
            Some(Known::Open) | None => match self.router.policy() {
                FailoverPolicy::Rendezvous => {
                    let place = among(&|place| self.serves(place));
                    Known::Place(place.unwrap_or_else(|| self.nowhere()))
                }
                FailoverPolicy::RoundRobin | FailoverPolicy::Ordered => Known::Open,
            },
        }
    }

    /// By how much the mixed remainder is taken, and 1 where it decides nothing.
    pub(super) fn survivors(&self) -> usize {
        let displaces = |place: usize| self.after_first(place) == Known::Open;
        let decides = self.router.policy() == FailoverPolicy::RoundRobin
            && self.before() == Known::Open
            && (self.pin.is_some() || self.allowed.iter().any(displaces));
        if decides { self.serving.len() } else { 1 }
    }

    pub(super) fn by_survivor(&self, remainder: usize) -> Known {
        match self.before() {
            Known::Open => {
                let place = self.serving.get(remainder).copied();
                Known::Place(place.unwrap_or_else(|| self.nowhere()))
            }
            known => known,
        }
    }
}
