//! A test that may be looked at after every request: whether a share is above a limit.
//!
//! A mixture of likelihood ratios of a few greater shares against the limit itself is a nonnegative
//! supermartingale as long as no request fails with a greater probability than the limit, whatever came before
//! it. By Ville's inequality it comes to `1 / alpha` with a probability of at most `alpha`, however often one
//! looks (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021). A test of fixed size that is looked at every
//! minute has no such bound.
#![expect(
    clippy::float_arithmetic,
    reason = "evidence is a logarithm; no placement rests on it, and what was found is on record in whole numbers"
)]

/// Fewer than so many say nothing, however small the limit is: one error kills no canary.
const LEAST_HITS: u64 = 3;

/// How many shares above the limit are weighed, evenly on the scale of log odds.
const SHARES: u16 = 24;

/// The smallest of them has 1.2 times the limit's odds, the greatest 99.9 %.
const NEAREST: f64 = 1.2;
const GREATEST: f64 = 0.999;

/// Whether `hits` of `all` prove, with an error of `alpha`, that the share of hits is above `limit`, which is
/// between 0 and 1. The answer may be asked for as often as one likes.
pub(super) fn is_above(limit: f64, hits: u64, all: u64, alpha: f64) -> bool {
    if hits < LEAST_HITS || limit <= 0.0 || limit >= 1.0 {
        return false;
    }
    let (hits, misses) = (float(hits), float(all.saturating_sub(hits)));
    let odds = |share: f64| libm::log(share / (1.0 - share));
    let nearest = odds(limit) + libm::log(NEAREST);
    let greatest = odds(GREATEST).max(nearest);
    let step = (greatest - nearest) / f64::from(SHARES.saturating_sub(1));
    let evidence = (0..SHARES).map(|place| {
        let share = 1.0 / (1.0 + libm::exp(-(nearest + step * f64::from(place))));
        let of_hits = hits * libm::log(share / limit);
        let of_misses = misses * libm::log((1.0 - share) / (1.0 - limit));
        of_hits + of_misses
    });
    // The logarithm of their mean, without overflow.
    let most = evidence.clone().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = evidence.map(|one| libm::exp(one - most)).sum();
    most + libm::log(sum / f64::from(SHARES)) >= -libm::log(alpha)
}

/// A count as a float; beyond 2^53 it is rounded.
pub(super) fn float(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers below 1 that look drawn: SplitMix64.
    fn draws(mut seed: u64) -> impl FnMut() -> f64 {
        move || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            float((mixed ^ (mixed >> 31)) >> 11) / 9_007_199_254_740_992.0
        }
    }

    /// After how many requests of this share it is found to be above the limit, looked at after each.
    fn found_after(limit: f64, share: f64, most: u64, seed: u64) -> Option<u64> {
        let mut draw = draws(seed);
        let mut hits = 0;
        (1..=most).find(|all| {
            hits = u64::from(draw() < share).saturating_add(hits);
            is_above(limit, hits, *all, 0.01)
        })
    }

    #[test]
    fn a_healthy_canary_is_seldom_killed_though_it_is_looked_at_after_every_request() {
        for limit in [0.01, 0.05] {
            let killed = (0..400).filter(|seed| found_after(limit, limit, 1_000, *seed).is_some());
            // 4 are expected at most; 12 and more are seen once in a thousand times.
            assert!(killed.count() < 12, "{limit}");
        }
    }

    #[test]
    fn a_dead_canary_is_found_by_a_handful_of_requests() {
        for limit in [0.0001, 0.01, 0.05] {
            let after = (1..100).find(|all| is_above(limit, *all, *all, 0.001));
            assert!(after.is_some_and(|after| after <= 6), "{limit}: {after:?}");
        }
    }

    #[test]
    fn neither_one_error_nor_two_say_anything() {
        for limit in [0.000_001, 0.01, 0.5] {
            for hits in 0..3 {
                assert!(!is_above(limit, hits, hits, 0.01));
                assert!(!is_above(limit, hits, 1_000, 0.01));
            }
        }
    }

    #[test]
    fn three_times_the_limit_is_found_within_some_hundred_requests() {
        let mut after: alloc::vec::Vec<u64> = (0..101)
            .map(|seed| found_after(0.01, 0.03, 20_000, seed).unwrap())
            .collect();
        after.sort_unstable();
        assert!(after[50] < 1_500, "{}", after[50]);
    }

    #[test]
    fn counts_of_any_size_have_an_answer() {
        assert!(is_above(0.01, u64::MAX, u64::MAX, 0.01));
        assert!(!is_above(0.01, u64::MAX / 200, u64::MAX, 0.01));
        assert!(is_above(0.01, u64::MAX / 50, u64::MAX, 0.01));
        for limit in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(!is_above(limit, 3, 2, 0.01) || limit.is_nan());
        }
    }
}
