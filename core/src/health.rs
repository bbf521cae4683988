//! Which regions serve, by what probes say of them.
//!
//! A [`Fleet`] is told of one probe's result after the other and says what changes. Whoever probes, and when, is
//! not its business: a result carries the number of its probe, and one that comes after a newer one is dropped.
//!
//! | rule | against |
//! |---|---|
//! | `fall` failures in a row take a region out | a region that is gone |
//! | a leaky counter takes it out too: six for a failure, one less for a pass, eight times `fall` is full | one that loses a fifth of its requests: in 37 probes half of the time, in 119 nearly always; of 20 in 400, next to never |
//! | it comes back after `rise` passes in a row that span the hold-down | flapping |
//! | while more than half are down or have just failed, it takes three times as much | a prober that sees half of the world |
//! | while all are down or have failed `fall` times in a row, everything counts as up and nothing is counted | a prober that sees nothing |
//!
//! A region that a person has drained or forbidden counts for the last two while it passes its probes, which shows
//! that whoever probes sees something, and not while it fails: it may be off for work on it.

use alloc::vec::Vec;
use core::fmt;

use crate::placement::RegionStatus;
use crate::time::Timestamp;

/// What a failure adds to the leaky counter, from which a pass takes one. Six catches a loss of a fifth: four
/// would just hold the balance.
const FAILURE: u32 = 6;

/// The leaky counter is full at so many times `fall`.
const FULL: u32 = 8;

/// How much more it takes while more than half of the regions fail.
const MASS: u32 = 3;

/// The bounds of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRules {
    /// `PROBE_FALL`: failures in a row that take a region out, at least 1.
    pub fall: u32,
    /// `PROBE_RISE`: passes in a row that bring it back, at least 1.
    pub rise: u32,
    /// `FAILBACK_HOLD_MS`: how long these passes have to go on, in milliseconds.
    pub hold_ms: u64,
}

impl Default for HealthRules {
    /// 3, 2, and 10 s.
    fn default() -> Self {
        Self {
            fall: 3,
            rise: 2,
            hold_ms: 10_000,
        }
    }
}

/// What a person has said of a region; it outranks every probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// It gets no new tenants, and serves if nothing else does.
    Draining,
    /// It serves nobody.
    Forbidden,
}

/// How a region is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// No probe has ended yet. It counts as up.
    Unknown,
    /// The last probe passed.
    Healthy,
    /// It serves, and so many of the failures that take it out have come in a row.
    Failing {
        /// So many failures.
        failures: u32,
        /// Of so many.
        of: u32,
    },
    /// It is out.
    Down,
    /// It is out, and so many of the passes that bring it back have come.
    Recovering {
        /// So many passes.
        passes: u32,
        /// Of so many; more may have to come until the hold-down is over.
        of: u32,
    },
    /// A person has drained it.
    Draining,
    /// A person has forbidden it.
    Forbidden,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Unknown => f.write_str("unknown"),
            Condition::Healthy => f.write_str("healthy"),
            Condition::Failing { failures, of } => write!(f, "failing {failures} of {of}"),
            Condition::Down => f.write_str("down"),
            Condition::Recovering { passes, of } => write!(f, "recovering {passes} of {of}"),
            Condition::Draining => f.write_str("draining"),
            Condition::Forbidden => f.write_str("forbidden"),
        }
    }
}

/// What one result has changed of where tenants go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The region's place.
    pub region: usize,
    /// What it was.
    pub from: RegionStatus,
    /// What it is.
    pub to: RegionStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Region {
    /// Of the newest probe that has ended.
    probe: Option<u64>,
    failed_last: bool,
    /// In a row.
    failures: u32,
    /// In a row, and when the first of them came.
    passes: u32,
    since: Timestamp,
    leaky: u32,
    out: bool,
    forced: Option<Forced>,
}

/// Regions, and what is known of them.
///
/// ```
/// use halcyon_core::health::{Fleet, HealthRules};
/// use halcyon_core::placement::RegionStatus::{Down, Up};
/// use halcyon_core::time::Timestamp;
///
/// let mut fleet = Fleet::new(HealthRules::default(), 3);
/// for second in 0..3 {
///     for region in 0..3 {
///         fleet.record(region, second, region != 1, Timestamp(second * 1_000));
///     }
/// }
/// assert_eq!(fleet.statuses(), [Up, Down, Up]);
/// assert_eq!(fleet.condition(1).unwrap().to_string(), "down");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    rules: HealthRules,
    regions: Vec<Region>,
    /// None of them is seen any more: whoever probes sees nothing.
    blind: bool,
    /// Which were out when automatic change was stopped, while it is.
    frozen: Option<Vec<bool>>,
}

impl Fleet {
    /// So many regions of which nothing is known yet. A `fall` or `rise` of 0 counts as 1.
    pub fn new(rules: HealthRules, regions: usize) -> Self {
        let rules = HealthRules {
            fall: rules.fall.max(1),
            rise: rules.rise.max(1),
            ..rules
        };
        let mut all = Vec::new();
        all.resize(regions, Region::default());
        Self {
            rules,
            regions: all,
            blind: false,
            frozen: None,
        }
    }

    /// Takes the result of a region's probe, which came at `now`, by a clock that never goes back. Answers what
    /// that changes of any region; nothing, where a newer probe has ended before or there is no such region.
    pub fn record(
        &mut self,
        region: usize,
        probe: u64,
        passed: bool,
        now: Timestamp,
    ) -> Vec<Change> {
        let before = self.statuses();
        let Some(this) = self.regions.get_mut(region) else {
            return Vec::new();
        };
        if this.probe.is_some_and(|known| known >= probe) {
            return Vec::new();
        }
        this.probe = Some(probe);
        this.failed_last = !passed;
        if self.blind {
            self.blind = self.all_are_lost();
            if self.blind {
                // Failures say nothing then; a pass is one all the same.
                if passed && let Some(this) = self.regions.get_mut(region) {
                    this.count(&self.rules, true, false, now);
                }
                return self.changes(&before);
            }
            // What was counted before says nothing of the regions.
            self.regions.iter_mut().for_each(Region::forget);
        }
        let (rules, mass) = (self.rules, self.is_mass());
        if let Some(this) = self.regions.get_mut(region) {
            this.count(&rules, passed, mass, now);
        }
        self.blind = self.all_are_lost();
        self.changes(&before)
    }

    /// A person says what a region is, or takes that back. Answers what changes.
    pub fn force(&mut self, region: usize, forced: Option<Forced>) -> Vec<Change> {
        let before = self.statuses();
        if let Some(this) = self.regions.get_mut(region) {
            this.forced = forced;
        }
        let was_blind = self.blind;
        self.blind = self.all_are_lost();
        if was_blind && !self.blind {
            self.regions.iter_mut().for_each(Region::forget);
        }
        self.changes(&before)
    }

    /// Whether a region that is healthy would remain if this one were forced.
    ///
    /// ```
    /// use halcyon_core::health::{Fleet, Forced, HealthRules};
    /// let mut fleet = Fleet::new(HealthRules::default(), 2);
    /// assert!(fleet.one_remains_without(0));
    /// fleet.force(1, Some(Forced::Draining));
    /// assert!(!fleet.one_remains_without(0));
    /// ```
    pub fn one_remains_without(&self, region: usize) -> bool {
        let statuses = self.statuses();
        let mut others = statuses.iter().enumerate();
        others.any(|(other, status)| other != region && *status == RegionStatus::Up)
    }

    /// Stops all automatic change: whatever probes say from now on, regions stay as they are, until
    /// [`thaw`](Self::thaw). What a person forces still holds. `out` are those that are out meanwhile; without,
    /// those that are now.
    pub fn freeze(&mut self, out: Option<&[usize]>) {
        let mut held = Vec::new();
        for (place, region) in self.regions.iter().enumerate() {
            held.push(match out {
                Some(out) => out.contains(&place),
                None => self.is_out(place, region),
            });
        }
        self.frozen = Some(held);
    }

    /// Lets probes count again. Answers what changes.
    pub fn thaw(&mut self) -> Vec<Change> {
        let before = self.statuses();
        self.frozen = None;
        self.changes(&before)
    }

    /// The regions that are out, forced ones aside.
    pub fn out(&self) -> Vec<usize> {
        let places = self.regions.iter().enumerate();
        let out = places.filter(|(place, region)| self.is_out(*place, region));
        out.map(|(place, _)| place).collect()
    }

    fn is_out(&self, place: usize, region: &Region) -> bool {
        match &self.frozen {
            Some(held) => held.get(place).copied().unwrap_or_default(),
            None => region.out && !self.blind,
        }
    }

    /// What each region is to placement, in their order.
    pub fn statuses(&self) -> Vec<RegionStatus> {
        let status = |(place, region): (usize, &Region)| match region.forced {
            Some(Forced::Draining) => RegionStatus::Draining,
            Some(Forced::Forbidden) => RegionStatus::Forbidden,
            None if self.is_out(place, region) => RegionStatus::Down,
            None => RegionStatus::Up,
        };
        self.regions.iter().enumerate().map(status).collect()
    }

    /// How a region is, for people; `None` where there is none.
    pub fn condition(&self, region: usize) -> Option<Condition> {
        let this = self.regions.get(region)?;
        Some(match this.forced {
            Some(Forced::Draining) => Condition::Draining,
            Some(Forced::Forbidden) => Condition::Forbidden,
            None => self.probed(this),
        })
    }

    /// How a region is by its probes alone, whatever a person has said.
    pub fn real_condition(&self, region: usize) -> Option<Condition> {
        self.regions.get(region).map(|this| self.probed(this))
    }

    /// Whether all regions fail at once, so that whoever probes is taken to see nothing.
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    fn probed(&self, this: &Region) -> Condition {
        let HealthRules { fall, rise, .. } = self.rules;
        match this.probe {
            None => Condition::Unknown,
            Some(_) if this.out && this.passes > 0 => Condition::Recovering {
                passes: this.passes.min(rise),
                of: rise,
            },
            Some(_) if this.out => Condition::Down,
            Some(_) if this.failed_last => Condition::Failing {
                failures: this.failures,
                of: fall.saturating_mul(if self.is_mass() { MASS } else { 1 }),
            },
            Some(_) => Condition::Healthy,
        }
    }

    /// Whether more than half of the regions are down or have failed their last probe.
    fn is_mass(&self) -> bool {
        let failing = |region: &&Region| region.out || region.failed_last;
        let failing = self.counted().filter(failing).count();
        failing.saturating_mul(2) > self.counted().count()
    }

    /// Whether no region is seen any more.
    fn all_are_lost(&self) -> bool {
        let lost = |region: &Region| {
            region.out || (region.failed_last && region.failures >= self.rules.fall)
        };
        self.counted().next().is_some() && self.counted().all(lost)
    }

    /// The regions that say what whoever probes sees.
    fn counted(&self) -> impl Iterator<Item = &Region> {
        let passes = |region: &Region| region.probe.is_some() && !region.failed_last && !region.out;
        let regions = self.regions.iter();
        regions.filter(move |region| region.forced.is_none() || passes(region))
    }

    fn changes(&self, before: &[RegionStatus]) -> Vec<Change> {
        let pairs = before.iter().zip(self.statuses()).enumerate();
        let changed = pairs.filter(|(_, (from, to))| *from != to);
        let change = |(region, (from, to)): (usize, (&RegionStatus, RegionStatus))| Change {
            region,
            from: *from,
            to,
        };
        changed.map(change).collect()
    }
}

impl Region {
    fn count(&mut self, rules: &HealthRules, passed: bool, mass: bool, now: Timestamp) {
        if passed {
            if self.passes == 0 {
                self.since = now;
            }
            self.failures = 0;
            self.passes = self.passes.saturating_add(1);
            self.leaky = self.leaky.saturating_sub(1);
            let held = now.0.saturating_sub(self.since.0) >= rules.hold_ms;
            if self.out && self.passes >= rules.rise && held {
                self.out = false;
                self.leaky = 0;
            }
            return;
        }
        let times = if mass { MASS } else { 1 };
        let fall = rules.fall.saturating_mul(times);
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        let full = fall.saturating_mul(FULL);
        self.leaky = self.leaky.saturating_add(FAILURE).min(full);
        if self.failures >= fall || self.leaky >= full {
            self.out = true;
        }
    }

    /// Nothing of before counts any more, and the region serves.
    fn forget(&mut self) {
        self.failures = 0;
        self.passes = 0;
        self.leaky = 0;
        self.out = false;
    }
}

#[cfg(test)]
mod tests;
