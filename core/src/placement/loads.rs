//! How much of all tenants each region has, and what the others get when one is lost.
//!
//! By the rule of the first choice and the policy alone: residency, pins and the slot of a tenant are
//! about single tenants, whose number nobody knows here.

use alloc::vec;
use alloc::vec::Vec;

use super::{BUCKETS, Router};
use crate::config::{FailoverPolicy, Sticky};

/// At most this many draws are made to find out; beyond it, every so-many-th bucket stands for its
/// neighbours.
const DRAWS_MAX: usize = 1 << 22;

/// What a survivor of a lost region has to carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The first two regions of the buckets looked at.
    firsts: Vec<(usize, usize)>,
}

impl Loads {
    /// What each region has while all are up, in hundredths of a percent of all tenants, rounded down.
    pub fn shares(&self) -> impl Iterator<Item = u64> {
        let all: u64 = self
            .shares
            .iter()
            .fold(0, |sum, share| sum.saturating_add(*share));
        let share = move |share: &u64| share.saturating_mul(10_000).checked_div(all).unwrap_or(0);
        self.shares.iter().map(share)
    }

    /// The survivor that is worst off after the loss of a single region under `policy`; of equal ones
    /// the last region of the list. `None` with fewer than two regions, and where nobody who loses
    /// tenants has a survivor that has tenants of its own.
    pub fn worst(&self, policy: FailoverPolicy) -> Option<Load> {
        (0..self.shares.len())
            .filter_map(|lost| self.worst_after(policy, lost))
            .max()
    }

    fn worst_after(&self, policy: FailoverPolicy, lost: usize) -> Option<Load> {
        let taken = self.taken(policy, lost);
        let survivors = self.shares.iter().zip(&taken).enumerate();
        survivors
            .filter(|(region, (share, _))| *region != lost && **share > 0)
            .map(|(region, (share, taken))| Load {
                percent: share
                    .saturating_add(*taken)
                    .saturating_mul(100)
                    .checked_div(*share)
                    .unwrap_or(0),
                region,
                lost,
            })
            .max()
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
    /// regions.
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
        let step = count.saturating_mul(1 << 16).div_ceil(DRAWS_MAX).max(1);
        let buckets = (0..=u16::MAX).step_by(step);
        let firsts: Vec<(usize, usize)> = buckets.map(|bucket| self.first_two(bucket)).collect();
        let mut shares = vec![0_u64; count];
        match self.sticky {
            // Divisible by every number of survivors that a person has, so that little is rounded.
            Sticky::Hash => shares.fill(u64::from(BUCKETS).saturating_mul(55_440)),
            Sticky::Primary => {
                if let Some(share) = shares.get_mut(self.primary) {
                    *share = u64::from(BUCKETS).saturating_mul(55_440);
                }
            }
            Sticky::Rendezvous => {
                for (first, _) in &firsts {
                    if let Some(share) = shares.get_mut(*first) {
                        *share = share.saturating_add(55_440);
                    }
                }
            }
        }
        Loads {
            sticky: self.sticky,
            shares,
            firsts,
        }
    }

    /// The bucket's first region, and the first of the others (the same where there is no other).
    fn first_two(&self, bucket: u16) -> (usize, usize) {
        let first = self.rendezvous.first(bucket);
        let second = self.rendezvous.first_of(bucket, |place| place != first);
        (usize::from(first), usize::from(second.unwrap_or(first)))
    }
}
