//! Weighted rendezvous over region names, on 65,536 buckets.
//!
//! Every region draws a number for every bucket; the lowest `-log2(number) / weight` wins. A region's
//! draw depends on nothing but its own name, its own weight and the key, so reordering regions moves
//! nobody, a region that goes moves only its own buckets, and a weight that changes moves buckets only
//! to or from its region. `docs/placement.md` has the definition to the bit.
//!
//! Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996); weights by
//! logarithms: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables" (2005).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::select_unpredictable;

use super::everybody::LookUp;
use super::log2::minus_log2;
use crate::hash::{FMIX_1, FMIX_2, HashKey, fmix64};
use crate::region::RegionName;
use crate::sorted::insert_at;

/// How many buckets there are: the top 16 bits of a tenant's hash.
pub const BUCKETS: u32 = 65_536;

/// The bucket of a tenant's hash.
#[inline]
pub(super) fn bucket(h: u64) -> u16 {
    u16::try_from(h >> 48).unwrap_or(0)
}

/// What a region draws with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// `s XOR (s >> 33)`, with `s = fmix64(SipHash-1-3(key, "region" 0x00 name))`: the first step of
    /// mixing `s XOR bucket`, done once, since a bucket has no bit above the 16th.
    seed: u64,
    /// `floor((2^32 - 1) / weight)`: multiplying by it divides by the weight.
    inverse: u64,
    /// Its place in `REGIONS`.
    place: u16,
}

impl Candidate {
    /// Nobody's.
    pub(crate) const NONE: Self = Self {
        seed: 0,
        inverse: 0,
        place: 0,
    };

    /// Of a region by its name, its weight (0 counts as 1 here) and its place.
    pub(crate) fn new(key: &HashKey, name: &[u8], weight: u16, place: u16) -> Self {
        let seed = fmix64(key.sip13_behind(b"region\0", name));
        Self {
            seed: seed ^ (seed >> 33),
            inverse: u64::from(u32::MAX)
                .checked_div(u64::from(weight.max(1)))
                .unwrap_or_default(),
            place,
        }
    }

    /// The top 32 bits of `fmix64(s XOR bucket)`. The finaliser's last step changes only bits below.
    #[inline]
    fn draw(&self, bucket: u64) -> u32 {
        let mut h = (self.seed ^ bucket).wrapping_mul(FMIX_1);
        h ^= h >> 33;
        u32::try_from(h.wrapping_mul(FMIX_2) >> 32).unwrap_or(0)
    }

    /// The lower, the better. Less than 2^32 times at most 2^32 - 1, so it never overflows.
    #[inline]
    fn score(&self, bucket: u64) -> u64 {
        minus_log2(self.draw(bucket)).wrapping_mul(self.inverse)
    }
}

/// The regions of one configuration as they draw, wherever they are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws<'c> {
    /// Regions with a weight, by name: of equal scores the first wins. If none has one, all of them.
    pub(crate) weighted: &'c [Candidate],
    /// The other regions, as if all had weight 1. They serve when nothing else that is allowed is up.
    pub(crate) spare: &'c [Candidate],
}

impl Draws<'_> {
    /// The first of all regions in the bucket's order. 0 where there is no region.
    ///
    /// Without a branch on who wins: no processor foresees that, and every wrong guess costs as much as
    /// three more regions.
    #[inline]
    pub(super) fn first(self, bucket: u16) -> u16 {
        let mut best = u64::MAX;
        let mut place = 0;
        // No score is u64::MAX, and of equal ones the first name stays.
        for candidate in self.weighted {
            let score = candidate.score(u64::from(bucket));
            let wins = score < best;
            best = select_unpredictable(wins, score, best);
            place = select_unpredictable(wins, candidate.place, place);
        }
        place
    }

    /// The first of the eligible regions in the bucket's order.
    pub(crate) fn first_of(self, bucket: u16, eligible: impl Fn(u16) -> bool) -> Option<u16> {
        for candidates in [self.weighted, self.spare] {
            let (mut best, mut first) = (u64::MAX, None);
            for candidate in candidates {
                let score = candidate.score(u64::from(bucket));
                if score < best && eligible(candidate.place) {
                    (best, first) = (score, Some(candidate.place));
                }
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }

    /// All regions in the bucket's order, with their scores.
    pub(super) fn order(self, bucket: u16) -> Vec<(u16, u64)> {
        let mut order = Vec::new();
        for candidates in [self.weighted, self.spare] {
            let mut scores: Vec<(u16, u64)> = Vec::with_capacity(candidates.len());
            for one in candidates {
                let score = one.score(u64::from(bucket));
                // Behind equal scores: these stay in the order of names.
                let place = scores.partition_point(|(_, before)| *before <= score);
                insert_at(&mut scores, place, (one.place, score));
            }
            order.append(&mut scores);
        }
        order
    }
}

/// The regions of a router as they draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendezvous {
    /// As [`Draws`] has them.
    weighted: Vec<Candidate>,
    spare: Vec<Candidate>,
}

impl Rendezvous {
    pub(super) fn new<'r>(
        key: &HashKey,
        regions: impl Iterator<Item = (&'r RegionName, u16)>,
    ) -> Self {
        let mut named: Vec<(&RegionName, u16, u16)> = Vec::new();
        for ((name, weight), place) in regions.zip(0_u16..) {
            // Sorted as they come: there are a thousand at most, and a sort is as much code as all of this.
            let at = named.partition_point(|(before, ..)| *before < name);
            insert_at(&mut named, at, (name, weight, place));
        }
        let candidates = |of_weight: fn(u16) -> bool| {
            let chosen = named.iter().filter(|(_, weight, _)| of_weight(*weight));
            chosen
                .map(|(name, weight, place)| {
                    Candidate::new(key, name.as_str().as_bytes(), *weight, *place)
                })
                .collect()
        };
        let weighted: Vec<Candidate> = candidates(|weight| weight > 0);
        let spare = candidates(|weight| weight == 0);
        if weighted.is_empty() {
            return Self {
                weighted: spare,
                spare: weighted,
            };
        }
        Self { weighted, spare }
    }

    #[inline]
    pub(super) fn draws(&self) -> Draws<'_> {
        Draws {
            weighted: &self.weighted,
            spare: &self.spare,
        }
    }
}

/// A byte for every bucket.
type Bytes = Box<[u8; 1 << 16]>;

/// The first region of every bucket, computed once: a decision is then a look-up.
///
/// In bytes, since half the size is half as far out of a processor's caches.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    low: Bytes,
    /// With more than 256 regions, the rest of the places.
    high: Option<Bytes>,
}

impl Prepared {
    /// `None` only if memory for 65,536 bytes were no multiple of it.
    pub(super) fn new(draws: Draws<'_>) -> Option<Self> {
        let places: Vec<[u8; 2]> = (0..=u16::MAX)
            .map(|bucket| draws.first(bucket).to_le_bytes())
            .collect();
        let bytes = |of: fn(&[u8; 2]) -> u8| -> Option<Bytes> {
            let bytes: Vec<u8> = places.iter().map(of).collect();
            bytes.into_boxed_slice().try_into().ok()
        };
        let many = places.iter().any(|[_, high]| *high > 0);
        Some(Self {
            low: bytes(|[low, _]| *low)?,
            high: if many {
                Some(bytes(|[_, high]| *high)?)
            } else {
                None
            },
        })
    }
}

impl LookUp for Prepared {
    #[inline]
    fn first(&self, bucket: u16) -> u16 {
        let of = |bytes: &Bytes| {
            let byte = bytes.get(usize::from(bucket));
            byte.copied().unwrap_or_default()
        };
        match &self.high {
            None => of(&self.low).into(),
            Some(high) => u16::from_le_bytes([of(&self.low), of(high)]),
        }
    }
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Prepared(65536 buckets)")
    }
}

#[cfg(test)]
impl Rendezvous {
    /// Makes every region draw the same numbers.
    pub(super) fn draw_alike(&mut self) {
        self.weighted
            .iter_mut()
            .for_each(|candidate| candidate.seed = 7);
    }
}
