//! How much of all tenants each region has, and what the others get when one is lost.
//!
//! By the rule of the first choice and the policy alone: residency, pins and the slot of a tenant are
//! about single tenants, whose number nobody knows here.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::{BUCKETS, Router};
use crate::config::{FailoverPolicy, Sticky};

/// With at most this many regions every bucket is looked at. With more, what the weights make likely is
/// nearer to the truth than any sample of buckets that is drawn as fast.
const COUNTED_MAX: usize = 64;

/// What a bucket counts for: divisible by every number of survivors that a person has, so that little
/// is rounded.
const UNIT: u64 = 55_440;

/// What a survivor of a lost region has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Its load in percent of what it has while all are up; 100 is nothing more.
    pub percent: u64,
    /// The survivor's place in `REGIONS`.
    pub region: usize,
    /// The lost region's place.
    pub lost: usize,
}

/// The shares of the regions of one router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loads {
    sticky: Sticky,
    /// What each region has while all are up, in units of no meaning.
    shares: Vec<u64>,
    /// The first two regions of each bucket; none where the buckets are not looked at.
    firsts: Vec<(usize, usize)>,
    /// What the weights make likely: the regions' parts of what all of them draw.
    weights: Vec<u64>,
}

impl Loads {
    /// What each region has while all are up, in the order of [`Router::regions`], in hundredths of a
    /// percent of all tenants (10,000 is everybody), rounded to the nearest.
    pub fn shares(&self) -> impl Iterator<Item = u64> {
        let all: u64 = self
            .shares
            .iter()
            .fold(0, |sum, share| sum.saturating_add(*share));
        let half = all.checked_div(2).unwrap_or(0);
        let share = move |share: &u64| {
            let hundredths = share.saturating_mul(10_000).saturating_add(half);
            hundredths.checked_div(all).unwrap_or(0)
        };
        self.shares.iter().map(share)
    }

    /// The survivor that is worst off after the loss of a single region under `policy`; of equal ones
    /// the one whose loss is the first in the list, and of its survivors the first. One that has no tenants
    /// of its own has a load of 0. `None` with fewer than two regions.
    pub fn worst(&self, policy: FailoverPolicy) -> Option<Load> {
        (0..self.shares.len())
            .filter_map(|lost| self.worst_after(policy, lost))
            .max_by_key(|load| (load.percent, Reverse(load.lost)))
    }

    /// The most that the loss of a single region under `policy` puts on a region of weight 0;
    /// [`Load::percent`] is then of all tenants. Of equal ones, as in [`worst`](Self::worst). `None` where
    /// no region has weight 0, or all have, which counts as 1.
    pub fn onto_weight_0(&self, policy: FailoverPolicy) -> Option<Load> {
        let all: u64 = self
            .shares
            .iter()
            .fold(0, |sum, share| sum.saturating_add(*share));
        let after = |lost: usize| {
            let taken = self.taken(policy, lost).into_iter().zip(&self.weights);
            let kept_empty = taken.enumerate().filter(|(_, (_, weight))| **weight == 0);
            kept_empty.map(move |(region, (taken, _))| (taken, Reverse(lost), Reverse(region)))
        };
        let (taken, Reverse(lost), Reverse(region)) =
            (0..self.shares.len()).flat_map(after).max()?;
        Some(Load {
            percent: taken.saturating_mul(100).checked_div(all).unwrap_or(0),
            region,
            lost,
        })
    }

    fn worst_after(&self, policy: FailoverPolicy, lost: usize) -> Option<Load> {
        let taken = self.taken(policy, lost);
        let survivors = self.shares.iter().zip(&taken).enumerate();
        survivors
            .filter(|(region, _)| *region != lost)
            .map(|(region, (share, taken))| Load {
                percent: share
                    .saturating_add(*taken)
                    .saturating_mul(100)
                    .checked_div(*share)
                    .unwrap_or(0),
                region,
                lost,
            })
            .max_by_key(|load| (load.percent, Reverse(load.region)))
    }

    /// What each region gets of what the lost one had.
    fn taken(&self, policy: FailoverPolicy, lost: usize) -> Vec<u64> {
        let count = self.shares.len();
        let had = self.shares.get(lost).copied().unwrap_or(0);
        let mut taken = vec![0_u64; count];
        let mut give = |region: usize, load: u64| {
            if let Some(taken) = taken.get_mut(region) {
                *taken = taken.saturating_add(load);
            }
        };
        match policy {
            FailoverPolicy::Ordered => {
                let next = lost.saturating_add(1);
                give(if next < count { next } else { 0 }, had);
            }
            FailoverPolicy::RoundRobin => {
                let each = u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX);
                let each = had.checked_div(each).unwrap_or(0);
                (0..count)
                    .filter(|region| *region != lost)
                    .for_each(|region| give(region, each));
            }
            FailoverPolicy::Rendezvous if self.firsts.is_empty() => {
                let survivors = || {
                    self.weights
                        .iter()
                        .enumerate()
                        .filter(|(region, _)| *region != lost)
                };
                let all = survivors().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
                for (region, weight) in survivors() {
                    give(
                        region,
                        had.saturating_mul(*weight).checked_div(all).unwrap_or(0),
                    );
                }
            }
            FailoverPolicy::Rendezvous => {
                // Whoever was there by rendezvous goes to the bucket's second region; whoever was there by
                // another rule, to the first that is left of any bucket.
                let displaced = |first: usize| self.sticky != Sticky::Rendezvous || first == lost;
                let buckets = self.firsts.iter().filter(|(first, _)| displaced(*first));
                let number = u64::try_from(buckets.clone().count()).unwrap_or(u64::MAX);
                let each = had.checked_div(number).unwrap_or(0);
                for (first, second) in buckets {
                    give(if *first == lost { *second } else { *first }, each);
                }
            }
        }
        taken
    }
}

impl Router {
    /// The shares of the regions: exact for `primary` and `hash`, and for `rendezvous` with up to 64
    /// regions; with more, what their weights make likely.
    ///
    /// ```
    /// use halcyon_core::config::FailoverPolicy;
    /// use halcyon_core::placement::Router;
    ///
    /// let env = |name: &str| match name {
    ///     "REGIONS" => Some("us-east,us-west,eu-west".into()),
    ///     "TENANT_STICKY" => Some("hash".into()),
    ///     _ => None,
    /// };
    /// let loads = Router::from_lookup(&env)?.loads();
    /// assert_eq!(loads.worst(FailoverPolicy::Ordered).unwrap().percent, 200);
    /// assert_eq!(loads.worst(FailoverPolicy::RoundRobin).unwrap().percent, 150);
    /// # Ok::<(), halcyon_core::regions::ConfigError>(())
    /// ```
    pub fn loads(&self) -> Loads {
        let count = self.len();
        let counted = count <= COUNTED_MAX;
        let buckets = (0..=u16::MAX).filter(|_| counted);
        let firsts: Vec<(usize, usize)> = buckets.map(|bucket| self.first_two(bucket)).collect();
        let weightless = self.weights.iter().all(|weight| *weight == 0);
        let weight = |weight: &u16| if weightless { 1 } else { u64::from(*weight) };
        let weights: Vec<u64> = self.weights.iter().map(weight).collect();
        let everybody = u64::from(BUCKETS).saturating_mul(UNIT);
        let mut shares = vec![0_u64; count];
        let mut give = |region: usize, load: u64| {
            if let Some(share) = shares.get_mut(region) {
                *share = share.saturating_add(load);
            }
        };
        match self.sticky {
            Sticky::Hash => (0..count).for_each(|region| give(region, everybody)),
            Sticky::Primary => give(self.primary, everybody),
            Sticky::Rendezvous if counted => {
                firsts.iter().for_each(|(first, _)| give(*first, UNIT))
            }
            Sticky::Rendezvous => {
                let weights = weights.iter().enumerate();
                weights.for_each(|(region, weight)| give(region, weight.saturating_mul(UNIT)));
            }
        }
        Loads {
            sticky: self.sticky,
            shares,
            firsts,
            weights,
        }
    }

    /// The bucket's first region, and the first of the others (the same where there is no other).
    fn first_two(&self, bucket: u16) -> (usize, usize) {
        let draws = self.rendezvous.draws();
        let first = draws.first(bucket);
        let second = draws.first_of(bucket, |place| place != first);
        (usize::from(first), usize::from(second.unwrap_or(first)))
    }
}
