//! Judging a step by the traffic that green has had: what edges have counted while it was in force.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::RegionFailure;
use super::sequential::{float, is_above};
use crate::telemetry::Tally;
use crate::text::Seen;

/// With fewer requests there is no verdict: of twenty, one is the slowest twentieth.
pub const LEAST_REQUESTS: u64 = 20;

/// How often a healthy step is failed at most, all tests of it together.
const ALPHA: f64 = 0.01;

/// The longest 95th percentile that can be asked for, in milliseconds: ten minutes.
pub const P95_MAX_MS: u64 = 600_000;

/// What green's traffic must keep to in every step; one of them at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Errors of a million requests at most, 1 to 999,999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_errors_ppm: Option<u64>,
    /// The greatest 95th percentile of latency, in milliseconds, 1 to 600,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p95_ms: Option<u64>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests to green while the step was in force.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// How many took longer than the limit for sure; 0 without one.
    pub slow: u64,
}

impl Traffic {
    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Traffic) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.slow = self.slow.saturating_add(other.slow);
    }
}

/// What is known of a region's green.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionTraffic<'a> {
    /// The region.
    pub region: &'a str,
    /// Requests that were answered, or never will be.
    pub seen: Traffic,
    /// Requests that still wait. What fails is soon over: without those the first moments of a step would look
    /// worse than they are.
    pub open: u64,
    /// Requests whose clients left so soon that nobody knows.
    pub left: u64,
}

/// What a step's traffic says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It keeps to the limits.
    Good(Traffic),
    /// There is too little of it, or it is too near: nothing is proved. It never passes a step.
    Inconclusive(String),
    /// It does not: where, and what was seen.
    Bad(Vec<RegionFailure>),
}

impl Limits {
    /// Neither is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What they count of a tally.
    pub fn count(&self, tally: &Tally) -> Traffic {
        let limit = self.max_p95_ms.map(|limit| limit.saturating_mul(1_000));
        Traffic {
            requests: tally.requests,
            errors: tally.errors,
            slow: limit.map_or(0, |limit| tally.latency.longer_than(limit)),
        }
    }

    /// Whether so much traffic is within them: enough of it, no greater share of errors, and no more than a
    /// twentieth that took longer.
    pub fn hold(&self, seen: &Traffic) -> bool {
        seen.requests >= LEAST_REQUESTS && self.kept_by(seen)
    }

    fn kept_by(&self, seen: &Traffic) -> bool {
        let errors = self.max_errors_ppm.is_none_or(|limit| {
            // limit × requests, divided by a million and rounded down, without an overflow.
            let (millions, rest) = (
                seen.requests.checked_div(1_000_000).unwrap_or(0),
                seen.requests.checked_rem(1_000_000).unwrap_or(0),
            );
            let of_rest = rest.saturating_mul(limit).checked_div(1_000_000);
            let allowed = millions.saturating_mul(limit);
            seen.errors <= allowed.saturating_add(of_rest.unwrap_or(0))
        });
        let slow = seen.requests.checked_div(20).unwrap_or(0);
        errors && (self.max_p95_ms.is_none() || seen.slow <= slow)
    }

    /// What the traffic of a step says of it, region by region, where `all` regions could have some.
    ///
    /// Each region is tested by itself and all of them together, as one that is sick is hidden by those that
    /// are well. The tests may be looked at as often as one likes (`sequential.rs`).
    ///
    /// ```
    /// use halcyon_core::release::{Judgement, Limits, RegionTraffic, Traffic};
    ///
    /// let limits = Limits { max_errors_ppm: Some(10_000), max_p95_ms: None };
    /// let seen = |region, requests, errors| RegionTraffic {
    ///     region,
    ///     seen: Traffic { requests, errors, slow: 0 },
    ///     open: 0,
    ///     left: 0,
    /// };
    /// assert!(matches!(limits.judge(&[], 2), Judgement::Inconclusive(_)));
    /// assert!(matches!(limits.judge(&[seen("us-east", 200, 1)], 2), Judgement::Good(_)));
    /// let sick = [seen("us-east", 200, 0), seen("us-west", 5, 5)];
    /// assert!(matches!(limits.judge(&sick, 2), Judgement::Bad(found) if found[0].region == "us-west"));
    /// ```
    pub fn judge(&self, regions: &[RegionTraffic<'_>], all: usize) -> Judgement {
        let mut total = RegionTraffic {
            region: "all regions",
            seen: Traffic::default(),
            open: 0,
            left: 0,
        };
        for region in regions {
            total.seen.merge(&region.seen);
            total.open = total.open.saturating_add(region.open);
            total.left = total.left.saturating_add(region.left);
        }
        let alpha = self.alpha(all.max(regions.len()));
        let proved = |region: &RegionTraffic<'_>| self.proved(region, alpha);
        let mut bad: Vec<RegionFailure> = regions.iter().filter_map(proved).collect();
        if bad.is_empty() {
            bad.extend(self.proved(&total, alpha));
        }
        if !bad.is_empty() {
            return Judgement::Bad(bad);
        }
        // What hangs has no answers to be judged by where nobody waits for one.
        // A few may leave anywhere.
        let unheard =
            |region: &&RegionTraffic<'_>| region.left > region.seen.requests.max(LEAST_REQUESTS);
        if let Some(RegionTraffic {
            region, seen, left, ..
        }) = regions.iter().find(unheard)
        {
            let answered = seen.requests;
            return Judgement::Inconclusive(format!(
                "clients left before an answer to {left} requests on green in {region}, and waited for that to {answered}"
            ));
        }
        if total.seen.requests < LEAST_REQUESTS {
            let seen = match total.seen.requests {
                0 => "no requests".to_string(),
                1 => "1 request".to_string(),
                some => format!("{some} requests"),
            };
            return Judgement::Inconclusive(format!(
                "{seen} on green so far; at least {LEAST_REQUESTS} are needed"
            ));
        }
        let together = [total];
        let mut open = regions.iter().chain(&together);
        match open.find(|region| !self.kept_by(&region.seen)) {
            None => Judgement::Good(total.seen),
            Some(RegionTraffic { region, seen, .. }) => Judgement::Inconclusive(format!(
                "{} in {region}: above the limit, and not yet for sure",
                self.words(seen)
            )),
        }
    }

    /// The error of one test, so that all of a step have [`ALPHA`] together, whatever regions get traffic.
    fn alpha(&self, regions: usize) -> f64 {
        let set = [self.max_errors_ppm.is_some(), self.max_p95_ms.is_some()];
        let limits = set.iter().filter(|set| **set).count();
        let tests = regions.saturating_add(1).saturating_mul(limits.max(1));
        share(ALPHA, u64::try_from(tests).unwrap_or(u64::MAX))
    }

    /// What is proved against a region.
    fn proved(&self, region: &RegionTraffic<'_>, alpha: f64) -> Option<RegionFailure> {
        let seen = &region.seen;
        let requests = seen.requests.saturating_add(region.open);
        let errors = self.max_errors_ppm.is_some_and(|limit| {
            is_above(share(float(limit), 1_000_000), seen.errors, requests, alpha)
        });
        let slow =
            self.max_p95_ms.is_some() && is_above(share(1.0, 20), seen.slow, requests, alpha);
        (errors || slow).then(|| RegionFailure {
            region: region.region.to_string(),
            why: self.words(seen),
        })
    }

    /// What was seen beside what is allowed.
    fn words(&self, seen: &Traffic) -> String {
        let of = |count: u64| {
            let ppm = count.saturating_mul(1_000_000).checked_div(seen.requests);
            percent(ppm.unwrap_or(0))
        };
        let requests = seen.requests;
        let mut words = Vec::new();
        if let Some(limit) = self.max_errors_ppm {
            let (errors, share) = (seen.errors, of(seen.errors));
            let allowed = percent(limit);
            words.push(format!(
                "{errors} of {requests} requests failed, {share} (allowed: {allowed})"
            ));
        }
        if let Some(limit) = self.max_p95_ms {
            let (slow, share) = (seen.slow, of(seen.slow));
            words.push(format!(
                "{slow} of {requests} requests took longer than {limit} ms, {share} (allowed: 5 %)"
            ));
        }
        words.join(", ")
    }
}

#[expect(
    clippy::float_arithmetic,
    reason = "the error of a test is no whole number"
)]
fn share(of: f64, parts: u64) -> f64 {
    of / float(parts.max(1))
}

/// Parts of a million as a percentage, without zeros at its end.
fn percent(ppm: u64) -> String {
    let (whole, rest) = (ppm.checked_div(10_000), ppm.checked_rem(10_000));
    let text = format!("{}.{:04}", whole.unwrap_or(0), rest.unwrap_or(0));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} %")
}

/// Reads a share of requests: a percentage such as `0.5%`, or a fraction such as `0.005`. In parts of a million.
///
/// ```
/// use halcyon_core::release::parse_rate;
/// assert_eq!(parse_rate("0.5%"), Ok(5_000));
/// assert_eq!(parse_rate("0.005"), Ok(5_000));
/// assert!(parse_rate("1").unwrap_err().contains("allowed: "));
/// ```
///
/// # Errors
/// The text seen and what is allowed. `1` is refused: nobody knows which of both it is.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{} is no share of requests; allowed: more than 0 and less than 100 %, such as 0.5% or 0.005",
            Seen(text)
        )
    };
    let (digits, places) = match text.strip_suffix('%') {
        Some(digits) => (digits.trim_end_matches(' '), 4_usize),
        None => (text, 6),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !decimal(whole) || !decimal(rest) {
        return Err(wrong());
    }
    let (kept, dropped) = rest.split_at_checked(places).unwrap_or((rest, ""));
    if dropped.bytes().any(|byte| byte != b'0') {
        return Err(format!("{}; finer than 0.0001 % is not counted", wrong()));
    }
    let scaled = format!("{whole}{kept:0<places$}");
    let ppm: Option<u64> = scaled.parse().ok();
    ppm.filter(|ppm| (1..1_000_000).contains(ppm))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
