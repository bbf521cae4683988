//! When an edge passes over a pool because of what it has seen itself, and for how long.
//!
//! A [`Circuit`] is one pool's. It trips on failures in a row, or on their share of what was asked lately;
//! the pool is then out for a time that doubles with every time in a row, up to a bound, give or take a fifth,
//! so that a fleet of edges does not come back at once. When the time is over the pool is on trial: one request
//! goes there, whose answer brings it back, or whose failure takes it out again.
//!
//! Whether a pool may be taken out is for whoever knows the others to say: never the last one.

use crate::time::Timestamp;

/// The bounds of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures in a row take a pool out: 5.
    pub in_a_row: u32,
    /// So many percent of the requests of the last ten seconds: 50.
    pub percent: u32,
    /// If there were so many at least: 20.
    pub least: u32,
    /// How long a pool is out the first time, in milliseconds: 2 s.
    pub first_ms: u64,
    /// And how long at most: 60 s.
    pub most_ms: u64,
    /// How long the trial has until another request may be one: 15 s.
    pub trial_ms: u64,
    /// How long it has to serve until the next time counts as the first again: 60 s.
    pub forget_ms: u64,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            percent: 50,
            least: 20,
            first_ms: 2_000,
            most_ms: 60_000,
            trial_ms: 15_000,
            forget_ms: 60_000,
        }
    }
}

/// How a request to a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer of the pool, whatever it says.
    Answered,
    /// Not reached, too late, cut off, or 502, 503, 504: the pool is not there. What an application answers to
    /// everybody, 500 among it, is no reason: it would be the same elsewhere.
    Failed,
}

/// Why a circuit trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tripped {
    /// So many failures in a row.
    InARow(u32),
    /// So many failures of so many requests.
    Share {
        /// Failures.
        failed: u32,
        /// Requests.
        of: u32,
    },
    /// The first request after its time failed again.
    OnTrial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Serving,
    Out {
        until: Timestamp,
        /// When the request went out that is its trial.
        tried: Option<Timestamp>,
    },
}

/// Seconds that the share is made of.
const SECONDS: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Second {
    number: u64,
    requests: u32,
    failures: u32,
}

/// What is known of one pool. Time comes from a clock that never goes back.
///
/// ```
/// use halcyon_core::breaker::{BreakerRules, Circuit, Outcome, Tripped};
/// use halcyon_core::time::Timestamp;
///
/// let rules = BreakerRules::default();
/// let mut circuit = Circuit::default();
/// let mut tripped = None;
/// for at in 0..5 {
///     tripped = circuit.record(&rules, Outcome::Failed, Timestamp(at), Timestamp(at));
/// }
/// assert_eq!(tripped, Some(Tripped::InARow(5)));
/// assert_eq!(circuit.take_out(&rules, Timestamp(4), 0), 1_600, "2 s, less a fifth");
/// // On trial: one request decides, and all others go elsewhere until it has.
/// assert!(!circuit.admit(&rules, Timestamp(1_603)) && circuit.admit(&rules, Timestamp(1_604)));
/// assert!(!circuit.admit(&rules, Timestamp(1_605)));
/// let (begun, now) = (Timestamp(1_604), Timestamp(1_700));
/// assert_eq!(circuit.record(&rules, Outcome::Failed, begun, now), Some(Tripped::OnTrial));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circuit {
    state: State,
    in_a_row: u32,
    seconds: [Second; SECONDS],
    /// How often in a row it was out.
    times: u32,
    /// Since when it serves again.
    since: Timestamp,
}

impl Circuit {
    /// Notes how a request that was sent at `begun` ended. Answers why the pool should be taken out, if it
    /// should; whoever may not take it out [keeps](Self::keep) it.
    pub fn record(
        &mut self,
        rules: &BreakerRules,
        outcome: Outcome,
        begun: Timestamp,
        now: Timestamp,
    ) -> Option<Tripped> {
        let failed = outcome == Outcome::Failed;
        if let State::Out { until, .. } = self.state {
            // What was under way when it was taken out says nothing new.
            if begun < until {
                return None;
            }
            if failed {
                return Some(Tripped::OnTrial);
            }
            self.state = State::Serving;
            self.since = now;
        }
        if self.times > 0 && now.0.saturating_sub(self.since.0) >= rules.forget_ms {
            self.times = 0;
        }
        self.count(failed, now);
        if !failed {
            self.in_a_row = 0;
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= rules.in_a_row {
            return Some(Tripped::InARow(self.in_a_row));
        }
        let (failures, of) = self.lately(now);
        let much = u64::from(failures).saturating_mul(100)
            >= u64::from(of).saturating_mul(u64::from(rules.percent));
        (of >= rules.least && much).then_some(Tripped::Share {
            failed: failures,
            of,
        })
    }

    /// Notes that a request that was sent at `begun` ended in a way that says nothing about the pool, as its
    /// client left soon: if it was the trial, the next request is.
    pub fn void(&mut self, begun: Timestamp) {
        if let State::Out { tried, .. } = &mut self.state
            && tried.is_some_and(|at| begun >= at)
        {
            *tried = None;
        }
    }

    fn count(&mut self, failed: bool, now: Timestamp) {
        let number = now.0.div_euclid(1000);
        let place = usize::try_from(number.rem_euclid(10)).unwrap_or(0);
        let Some(second) = self.seconds.get_mut(place) else {
            return;
        };
        if second.number != number {
            *second = Second {
                number,
                ..Second::default()
            };
        }
        second.requests = second.requests.saturating_add(1);
        second.failures = second.failures.saturating_add(failed.into());
    }

    /// Failures and requests of the last ten seconds, this one not whole.
    fn lately(&self, now: Timestamp) -> (u32, u32) {
        let number = now.0.div_euclid(1000);
        let (mut failures, mut requests) = (0_u32, 0_u32);
        for second in &self.seconds {
            if number.saturating_sub(second.number) < 10 {
                failures = failures.saturating_add(second.failures);
                requests = requests.saturating_add(second.requests);
            }
        }
        (failures, requests)
    }

    /// Takes the pool out, and answers for how many milliseconds. `dice` spreads that: 0 is a fifth less,
    /// 65,535 a fifth more.
    pub fn take_out(&mut self, rules: &BreakerRules, now: Timestamp, dice: u16) -> u64 {
        let doubled = 1_u64.checked_shl(self.times.min(32)).unwrap_or(1);
        let whole = rules.first_ms.saturating_mul(doubled).min(rules.most_ms);
        let share = u64::from(dice).saturating_mul(400).div_euclid(65_535);
        let spread = whole
            .saturating_mul(share.saturating_add(800))
            .div_euclid(1000);
        self.times = self.times.saturating_add(1);
        self.forget_what_was();
        self.state = State::Out {
            until: now.plus(spread),
            tried: None,
        };
        spread
    }

    /// Keeps the pool in service although its circuit has tripped, and begins to count anew.
    pub fn keep(&mut self) {
        self.forget_what_was();
        self.state = State::Serving;
    }

    fn forget_what_was(&mut self) {
        self.in_a_row = 0;
        self.seconds = [Second::default(); SECONDS];
    }

    /// Ends the pool's rest: the next request is its trial. For whoever hears from elsewhere that it is there again.
    ///
    /// ```
    /// use halcyon_core::breaker::{BreakerRules, Circuit};
    /// use halcyon_core::time::Timestamp;
    /// let (rules, mut circuit) = (BreakerRules::default(), Circuit::default());
    /// circuit.take_out(&rules, Timestamp(0), 0);
    /// assert!(!circuit.admit(&rules, Timestamp(10)));
    /// circuit.try_now(Timestamp(10));
    /// assert!(circuit.admit(&rules, Timestamp(10)) && !circuit.admit(&rules, Timestamp(11)), "one, and alone");
    /// ```
    pub fn try_now(&mut self, now: Timestamp) {
        if let State::Out { until, .. } = &mut self.state {
            *until = (*until).min(now);
        }
    }

    /// Whether the pool is passed over at `now`: its time is not over, or another request is its trial.
    pub fn is_out(&self, rules: &BreakerRules, now: Timestamp) -> bool {
        match self.state {
            State::Serving => false,
            State::Out { until, tried } => {
                // Nobody may ever say how it ended.
                let on_trial = |at: Timestamp| now.0.saturating_sub(at.0) < rules.trial_ms;
                now < until || tried.is_some_and(on_trial)
            }
        }
    }

    /// Whether it is neither out nor on trial.
    pub fn serves(&self) -> bool {
        self.state == State::Serving
    }

    /// Whether the time for which it was taken out is not over.
    pub fn is_resting(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Out { until, .. } if now < until)
    }

    /// Whether a request may go to the pool at `now`; the first one behind its time is its trial, and alone.
    pub fn admit(&mut self, rules: &BreakerRules, now: Timestamp) -> bool {
        if self.is_out(rules, now) {
            return false;
        }
        if let State::Out { tried, .. } = &mut self.state {
            *tried = Some(now);
        }
        true
    }

    /// How often in a row it was taken out.
    pub fn times(&self) -> u32 {
        self.times
    }
}

#[cfg(test)]
mod tests;
