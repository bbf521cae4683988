//! What edges count, and how they say it to a control plane.
//!
//! An edge counts requests, errors and latency per region, slot and cohort, and sends what it has counted since
//! in batches. A tenant's cohort is the smallest weight in percent at which it turns green: the honest control
//! for a canary is the same tenants before they were green, and no tenant is ever named.

mod histogram;
mod outbox;
mod report;

pub use histogram::{BUCKETS, Histogram};
pub use outbox::{Kept, Outbox, Taken};
pub use report::{BATCHES_MAX, Batch, CELLS_MAX, Cell, KEPT_MS, LASTED_MAX_MS, ReleaseOf, Report};

use serde::Serialize;

use crate::placement::SlotRule;

/// Requests, how many of them failed, and how long their answers took to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Requests sent to a pool, but for those that [`left`](Self::left) counts.
    pub requests: u64,
    /// Those without an answer, or with one of 500 to 599. Never more than `requests`.
    pub errors: u64,
    /// From sending a request until its answer began, or until it was clear that none would.
    pub latency: Histogram,
    /// Requests whose client left so soon that no answer could be expected: neither good nor bad.
    #[serde(skip_serializing_if = "is_zero")]
    pub left: u64,
}

pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// Counts one request, which took so many microseconds.
    pub fn count(&mut self, failed: bool, micros: u64) {
        self.requests = self.requests.saturating_add(1);
        self.errors = self.errors.saturating_add(u64::from(failed));
        self.latency.add(micros, 1);
    }

    /// Counts one whose client left soon.
    pub fn leave(&mut self) {
        self.left = self.left.saturating_add(1);
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Tally) {
        self.left = self.left.saturating_add(other.left);
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.latency.merge(&other.latency);
    }
}

/// The cohort of the tenant with hash `h` while slots apply that a release draws: 1 to 100, the smallest weight
/// in percent at which it is green.
///
/// ```
/// use halcyon_core::hash::HashKey;
/// use halcyon_core::placement::{ReleaseView, Slot, SlotRule};
/// use halcyon_core::release::{Phase, Weight};
/// use halcyon_core::telemetry::cohort;
///
/// let key = HashKey::default();
/// let rule = |percent| {
///     let weight = Weight::new(percent).unwrap();
///     SlotRule::new(&key, Some(ReleaseView { id: "r1", phase: Phase::Canary, weight }))
/// };
/// let acme = key.sip13(b"acme");
/// let turns = i64::from(cohort(&rule(0), acme));
/// assert_eq!((rule(turns - 1).slot(acme), rule(turns).slot(acme)), (Slot::Blue, Slot::Green));
/// ```
pub fn cohort(slots: &SlotRule, h: u64) -> u8 {
    let percent = slots.bucket(h).checked_div(100).unwrap_or(0);
    u8::try_from(percent).unwrap_or(99).saturating_add(1)
}

#[cfg(test)]
mod tests;
