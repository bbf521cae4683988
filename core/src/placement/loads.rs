//! How much of all tenants each region has, and what the others get when one is lost.
//!
//! By the rule of the first choice and the policy alone: residency, pins and the slot of a tenant are
//! about single tenants, whose number nobody knows here.

use alloc::vec;
use alloc::vec::Vec;

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
        let all = sum(&self.shares);
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
        self.greatest(policy, &|lost, region, taken| {
            let had = self.shares.get(region).copied()?;
            let load = had.saturating_add(taken).saturating_mul(100);
            (region != lost).then(|| load.checked_div(had).unwrap_or(0))
        })
    }

    /// The most that the loss of a single region under `policy` puts on a region of weight 0;
    /// [`Load::percent`] is then of all tenants. Of equal ones, as in [`worst`](Self::worst). `None` where
    /// no region has weight 0, or all have, which counts as 1.
    pub fn onto_weight_0(&self, policy: FailoverPolicy) -> Option<Load> {
        let of_weight_0 = |region| self.weights.get(region) == Some(&0);
        let mut most = self.greatest(policy, &|_, region, taken| {
            of_weight_0(region).then_some(taken)
        })?;
        let hundredfold = most.percent.saturating_mul(100);
        most.percent = hundredfold.checked_div(sum(&self.shares)).unwrap_or(0);
        Some(most)
    }

    /// The greatest that `measure` finds, asked with the place of the region that is lost, that of another,
    /// and what the other gets; of equal ones the first.
    fn greatest(
        &self,
        policy: FailoverPolicy,
        measure: &dyn Fn(usize, usize, u64) -> Option<u64>,
    ) -> Option<Load> {
        let mut greatest: Option<Load> = None;
        for lost in 0..self.shares.len() {
            for (region, taken) in self.taken(policy, lost).into_iter().enumerate() {
                if let Some(percent) = measure(lost, region, taken)
                    && greatest.is_none_or(|greatest| percent > greatest.percent)
                {
                    greatest = Some(Load {
                        percent,
                        region,
                        lost,
                    });
                }
            }
        }
        greatest
    }

    /// What each region gets of what the lost one had.
    fn taken(&self, policy: FailoverPolicy, lost: usize) -> Vec<u64> {
        let count = self.shares.len();
        let had = self.shares.get(lost).copied().unwrap_or(0);
        let mut taken = vec![0_u64; count];
        match policy {
            FailoverPolicy::Ordered => {
                let next = lost.saturating_add(1);
                give(&mut taken, if next < count { next } else { 0 }, had);
            }
            FailoverPolicy::RoundRobin => {
                let each = u64::try_from(count.saturating_sub(1)).unwrap_or(u64::MAX);
                let each = had.checked_div(each).unwrap_or(0);
                for region in (0..count).filter(|region| *region != lost) {
                    give(&mut taken, region, each);
                }
            }
            FailoverPolicy::Rendezvous if self.firsts.is_empty() => {
                let of_lost = self.weights.get(lost).copied().unwrap_or(0);
                let all = sum(&self.weights).saturating_sub(of_lost);
                for (region, weight) in self.weights.iter().enumerate() {
                    if region != lost {
                        let part = had.saturating_mul(*weight).checked_div(all).unwrap_or(0);
                        give(&mut taken, region, part);
                    }
                }
            }
            FailoverPolicy::Rendezvous => {
                // Whoever was there by rendezvous goes to the bucket's second region; whoever was there by
                // another rule, to the first that is left of any bucket.
                let displaced = |first: usize| self.sticky != Sticky::Rendezvous || first == lost;
                let mut number = 0_u64;
                for (first, _) in &self.firsts {
                    number = number.saturating_add(u64::from(displaced(*first)));
                }
                let each = had.checked_div(number).unwrap_or(0);
                for (first, second) in &self.firsts {
                    if displaced(*first) {
                        let region = if *first == lost { *second } else { *first };
                        give(&mut taken, region, each);
                    }
                }
            }
        }
        taken
    }
}

fn sum(numbers: &[u64]) -> u64 {
    let mut sum = 0_u64;
    for number in numbers {
        sum = sum.saturating_add(*number);
    }
    sum
}

fn give(loads: &mut [u64], region: usize, more: u64) {
    if let Some(load) = loads.get_mut(region) {
        *load = load.saturating_add(more);
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
        let mut firsts = Vec::new();
        if counted {
            firsts.extend((0..=u16::MAX).map(|bucket| self.first_two(bucket)));
        }
        let weightless = self.weights.iter().all(|weight| *weight == 0);
        let weight = |weight: &u16| if weightless { 1 } else { u64::from(*weight) };
        let weights: Vec<u64> = self.weights.iter().map(weight).collect();
        let everybody = u64::from(BUCKETS).saturating_mul(UNIT);
        let mut shares = vec![0_u64; count];
        match self.sticky {
            Sticky::Hash => shares.fill(everybody),
            Sticky::Primary => give(&mut shares, self.primary, everybody),
            Sticky::Rendezvous if counted => {
                for (first, _) in &firsts {
                    give(&mut shares, *first, UNIT);
                }
            }
            Sticky::Rendezvous => {
                for (share, weight) in shares.iter_mut().zip(&weights) {
                    *share = weight.saturating_mul(UNIT);
                }
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
