//! Blue or green: which pool of its region a tenant gets while a release is under way.

use core::fmt;
use serde::{Serialize, Serializer};

use super::divisor::Divisor;
use crate::hash::{HashKey, fmix64};
use crate::release::{Phase, Weight};

/// A pool by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The version that served before the release.
    Blue,
    /// The version being released.
    Green,
}

impl Slot {
    /// Both.
    pub const ALL: [Slot; 2] = [Slot::Blue, Slot::Green];

    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Blue => "blue",
            Slot::Green => "green",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What placement needs to know of a release; [`Release::view`](crate::release::Release::view) gives it.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseView<'a> {
    /// Its id: each release draws other tenants first.
    pub id: &'a str,
    /// Its state.
    pub phase: Phase,
    /// Its canary weight.
    pub weight: Weight,
}

/// The slot rule of one release, prepared: green exactly when
/// `fmix64(h XOR SipHash-1-3(key, "slot" 0x00 release_id)) mod 10000 < weight * 100`.
///
/// Raising the weight only adds tenants; a rollback moves all of them at once; region and slot are
/// independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRule {
    seed: u64,
    /// Buckets below this are green, 0 to 10,000.
    green_below: u64,
    /// The same for the part of 10,000 before it is a bucket.
    green_limit: u64,
    rules_apply: bool,
}

impl SlotRule {
    /// All blue: the rule of no release.
    pub(crate) const BLUE: Self = Self {
        seed: 0,
        green_below: 0,
        green_limit: 0,
        rules_apply: false,
    };

    /// The rule of `release`; with none, everything is blue.
    ///
    /// ```
    /// use halcyon_core::hash::HashKey;
    /// use halcyon_core::placement::{ReleaseView, Slot, SlotRule};
    /// use halcyon_core::release::{Phase, Weight};
    ///
    /// let key = HashKey::default();
    /// let rule = |percent| {
    ///     let weight = Weight::new(percent).unwrap();
    ///     SlotRule::new(&key, Some(ReleaseView { id: "r1", phase: Phase::Canary, weight }))
    /// };
    /// let acme = key.sip13(b"acme");
    /// assert_eq!((rule(10).slot(acme), rule(11).slot(acme), rule(100).slot(acme)), (Slot::Blue, Slot::Green, Slot::Green));
    /// ```
    pub fn new(key: &HashKey, release: Option<ReleaseView<'_>>) -> Self {
        let Some(release) = release else {
            return Self::BLUE;
        };
        let green_below = match release.phase {
            Phase::Idle | Phase::RollbackInProgress => 0,
            Phase::GreenProvisioned | Phase::Canary => {
                u64::from(release.weight.percent()).saturating_mul(100)
            }
            Phase::GreenLive => 10_000,
        };
        Self {
            seed: key.sip13_behind(b"slot\0", release.id.as_bytes()),
            green_below,
            green_limit: Divisor::TEN_THOUSAND.fraction_of(green_below),
            rules_apply: matches!(release.phase, Phase::GreenProvisioned | Phase::Canary),
        }
    }

    /// The tenant's bucket, 0 to 9,999.
    #[inline]
    pub fn bucket(&self, h: u64) -> u64 {
        Divisor::TEN_THOUSAND.remainder(fmix64(h ^ self.seed))
    }

    /// The slot of the tenant with hash `h`.
    #[inline]
    pub fn slot(&self, h: u64) -> Slot {
        if Divisor::TEN_THOUSAND.fraction(fmix64(h ^ self.seed)) < self.green_limit {
            Slot::Green
        } else {
            Slot::Blue
        }
    }

    /// Whether slot rules for single tenants apply: in `green_provisioned` and `canary` only.
    pub fn rules_apply(&self) -> bool {
        self.rules_apply
    }

    /// Buckets below this are green, 0 to 10,000.
    pub fn green_below(&self) -> u64 {
        self.green_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{FMIX_1, FMIX_2};
    use crate::release::Weight;

    /// The number that `fmix64` makes `mixed` of.
    fn unmixed(mixed: u64) -> u64 {
        // Of an odd number, five rounds of Newton's method double 3 right bits to 96.
        let inverse = |odd: u64| {
            (0..5).fold(odd, |found, _| {
                found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found)))
            })
        };
        let mut h = mixed;
        h = (h ^ (h >> 33)).wrapping_mul(inverse(FMIX_2));
        h = (h ^ (h >> 33)).wrapping_mul(inverse(FMIX_1));
        h ^ (h >> 33)
    }

    #[test]
    fn the_first_bucket_behind_the_share_is_blue_from_its_lowest_hash_on() {
        for percent in [0, 1, 11, 50, 99, 100] {
            let release = ReleaseView {
                id: "r1",
                phase: Phase::Canary,
                weight: Weight::new(percent).unwrap(),
            };
            let rule = SlotRule::new(&HashKey::default(), Some(release));
            for mixed in 0..10_000 {
                let h = unmixed(mixed) ^ rule.seed;
                assert_eq!(rule.bucket(h), mixed);
                let green = mixed < rule.green_below();
                assert_eq!(rule.slot(h) == Slot::Green, green, "{percent} {mixed}");
            }
        }
    }
}
