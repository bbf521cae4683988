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
            let allowed = seen.requests.saturating_mul(limit);
            seen.errors.saturating_mul(1_000_000) <= allowed
        });
        let slow = self.max_p95_ms.is_none() || seen.slow.saturating_mul(20) <= seen.requests;
        errors && slow
    }

    /// What the traffic of a step says of it, region by region.
    ///
    /// Each region is tested by itself and all of them together, as one that is sick is hidden by those that
    /// are well. The tests may be looked at as often as one likes ([`sequential`](super::sequential)).
    ///
    /// ```
    /// use halcyon_core::release::{Judgement, Limits};
    /// use halcyon_core::telemetry::Tally;
    ///
    /// let limits = Limits { max_errors_ppm: Some(10_000), max_p95_ms: None };
    /// let seen = |requests, errors| {
    ///     let mut tally = Tally::default();
    ///     (0..requests).for_each(|turn| tally.count(turn < errors, 1_000));
    ///     tally
    /// };
    /// assert!(matches!(limits.judge(&[]), Judgement::Inconclusive(_)));
    /// assert!(matches!(limits.judge(&[("us-east", &seen(200, 1))]), Judgement::Good(_)));
    /// let sick = [("us-east", &seen(200, 0)), ("us-west", &seen(5, 5))];
    /// assert!(matches!(limits.judge(&sick), Judgement::Bad(found) if found[0].region == "us-west"));
    /// ```
    pub fn judge(&self, regions: &[(&str, &Tally)]) -> Judgement {
        let mut all = Tally::default();
        for (_, tally) in regions {
            all.merge(tally);
        }
        let alpha = self.alpha(regions.len());
        let mut bad = Vec::new();
        for (region, tally) in regions {
            bad.extend(self.proved(region, tally, alpha));
        }
        if bad.is_empty() {
            bad.extend(self.proved("all regions", &all, alpha));
        }
        if !bad.is_empty() {
            return Judgement::Bad(bad);
        }
        let total = self.count(&all);
        if total.requests < LEAST_REQUESTS {
            let seen = match total.requests {
                0 => "no requests".to_string(),
                1 => "1 request".to_string(),
                some => format!("{some} requests"),
            };
            return Judgement::Inconclusive(format!(
                "{seen} on green so far; at least {LEAST_REQUESTS} are needed"
            ));
        }
        let together = [("all regions", &all)];
        let mut open = regions.iter().chain(&together);
        let open = open.find(|(_, tally)| !self.kept_by(&self.count(tally)));
        match open {
            None => Judgement::Good(total),
            Some((region, tally)) => Judgement::Inconclusive(format!(
                "{} in {region}: above the limit, and not yet for sure",
                self.words(tally)
            )),
        }
    }

    /// The error of one test, so that all of a step have [`ALPHA`] together.
    fn alpha(&self, regions: usize) -> f64 {
        let set = [self.max_errors_ppm.is_some(), self.max_p95_ms.is_some()];
        let limits = set.iter().filter(|set| **set).count();
        let tests = regions.saturating_add(1).saturating_mul(limits.max(1));
        share(ALPHA, u64::try_from(tests).unwrap_or(u64::MAX))
    }

    /// What is proved against a region.
    fn proved(&self, region: &str, tally: &Tally, alpha: f64) -> Option<RegionFailure> {
        let seen = self.count(tally);
        let errors = self.max_errors_ppm.is_some_and(|limit| {
            is_above(
                share(float(limit), 1_000_000),
                seen.errors,
                seen.requests,
                alpha,
            )
        });
        let slow =
            self.max_p95_ms.is_some() && is_above(share(1.0, 20), seen.slow, seen.requests, alpha);
        (errors || slow).then(|| RegionFailure {
            region: region.to_string(),
            why: self.words(tally),
        })
    }

    /// What was seen beside what is allowed.
    pub fn words(&self, tally: &Tally) -> String {
        let seen = self.count(tally);
        let mut words = Vec::new();
        if let Some(limit) = self.max_errors_ppm {
            let rate = seen
                .errors
                .saturating_mul(1_000_000)
                .checked_div(seen.requests);
            words.push(format!(
                "{} of {} requests failed, {} (allowed: {})",
                seen.errors,
                seen.requests,
                percent(rate.unwrap_or(0)),
                percent(limit)
            ));
        }
        if let Some(limit) = self.max_p95_ms {
            let p95 = tally.latency.quantile(950).unwrap_or(0).div_ceil(1_000);
            words.push(format!(
                "P95 {p95} ms over {} requests (allowed: {limit} ms)",
                seen.requests
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
mod tests {
    use super::*;

    fn tally(requests: u64, errors: u64, slow: u64) -> Tally {
        let mut tally = Tally::default();
        for turn in 0..requests {
            tally.count(turn < errors, if turn < slow { 900_000 } else { 20_000 });
        }
        tally
    }

    const BOTH: Limits = Limits {
        max_errors_ppm: Some(10_000),
        max_p95_ms: Some(250),
    };

    #[test]
    fn no_data_and_little_data_prove_nothing() {
        for requests in 0..LEAST_REQUESTS {
            let seen = tally(requests, 0, 0);
            let judged = BOTH.judge(&[("a", &seen)]);
            assert!(
                matches!(&judged, Judgement::Inconclusive(why) if why.contains("at least 20")),
                "{requests}: {judged:?}"
            );
        }
        assert!(matches!(
            BOTH.judge(&[("a", &tally(20, 0, 1))]),
            Judgement::Good(_)
        ));
    }

    #[test]
    fn a_step_is_stopped_by_errors_and_by_slowness() {
        let words = |judged| match judged {
            Judgement::Bad(found) => found[0].why.clone(),
            other => panic!("{other:?}"),
        };
        let why = words(BOTH.judge(&[("a", &tally(400, 40, 0))]));
        assert!(
            why.starts_with("40 of 400 requests failed, 10 % (allowed: 1 %)"),
            "{why}"
        );
        let why = words(BOTH.judge(&[("a", &tally(400, 0, 100))]));
        assert!(
            why.contains("P95 9") && why.contains("(allowed: 250 ms)"),
            "{why}"
        );
        // Many small shares prove together what none proves alone.
        let small = tally(40, 2, 0);
        let regions: Vec<(&str, &Tally)> = (0..20).map(|_| ("one", &small)).collect();
        assert!(
            matches!(BOTH.judge(&regions), Judgement::Bad(found) if found[0].region == "all regions")
        );
    }

    #[test]
    fn one_region_that_is_sick_is_not_hidden_by_those_that_are_well() {
        let (well, sick) = (tally(100_000, 100, 0), tally(60, 30, 0));
        match BOTH.judge(&[("well", &well), ("sick", &sick)]) {
            Judgement::Bad(found) => {
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].region, "sick");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn above_the_limit_and_not_for_sure_is_neither_good_nor_bad() {
        let judged = BOTH.judge(&[("a", &tally(60, 1, 0))]);
        assert!(
            matches!(&judged, Judgement::Inconclusive(why) if why.contains("not yet for sure")),
            "{judged:?}"
        );
        // One region of many is enough.
        let judged = BOTH.judge(&[("a", &tally(10_000, 0, 0)), ("b", &tally(10, 1, 0))]);
        assert!(matches!(judged, Judgement::Inconclusive(_)), "{judged:?}");
    }

    #[test]
    fn good_is_what_holds_by_the_whole_numbers_that_go_on_record() {
        for requests in [20, 99, 100, 101, 500] {
            for errors in 0..6 {
                for slow in [0, 1, 5, 6, 25] {
                    let seen = tally(requests, errors, slow);
                    if let Judgement::Good(traffic) = BOTH.judge(&[("a", &seen)]) {
                        assert!(BOTH.hold(&traffic));
                        assert!(errors * 100 <= requests && slow * 20 <= requests);
                    }
                }
            }
        }
        assert!(!BOTH.hold(&Traffic {
            requests: 19,
            ..Traffic::default()
        }));
    }

    #[test]
    fn a_share_is_read_as_a_percentage_or_a_fraction_and_never_as_either() {
        for (text, ppm) in [
            ("1%", 10_000),
            ("1 %", 10_000),
            ("0.0001%", 1),
            ("99.9999%", 999_999),
            ("0.01", 10_000),
            ("0.000001", 1),
            ("0.50", 500_000),
        ] {
            assert_eq!(parse_rate(text), Ok(ppm), "{text}");
        }
        for text in [
            "",
            "1",
            "0",
            "0%",
            "100%",
            "1.0",
            "-1%",
            "+1%",
            "1e-2",
            ".5%",
            "%",
            "0.00001%",
            "0.0000001",
            "nan",
            "5 % ",
            "٥%",
        ] {
            let why = parse_rate(text).unwrap_err();
            assert!(why.contains("allowed: "), "{text}: {why}");
        }
    }
}
