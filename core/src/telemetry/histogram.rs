//! Latencies as counts in fixed buckets: two histograms of any two edges add up exactly.

use alloc::vec::Vec;
use serde::Serialize;

/// How many buckets there are.
pub const BUCKETS: u16 = 496;

/// Each power of two is cut in so many buckets: none is wider than a sixteenth of where it begins.
const CUT: u64 = 16;
const CUT_BITS: u32 = 4;

/// Counts of latencies, in microseconds, in buckets that are the same everywhere.
///
/// Up to 16 µs each number has its own; above, each power of two is cut in sixteen (log-linear, as in
/// HdrHistogram), so what is read from it is at most 6.25 % off. Beyond 2^34 µs, some four hours and 46 minutes,
/// everything is in the last one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Histogram {
    /// Buckets with something in them, in their order.
    counts: Vec<(u16, u64)>,
}

impl Histogram {
    /// Adds latencies of so many microseconds.
    pub fn add(&mut self, micros: u64, times: u64) {
        self.add_to(bucket_of(micros), times);
    }

    /// Adds to a bucket by its number. Nothing where there is no such bucket.
    pub fn add_to(&mut self, bucket: u16, times: u64) {
        if bucket >= BUCKETS || times == 0 {
            return;
        }
        match self
            .counts
            .binary_search_by_key(&bucket, |(known, _)| *known)
        {
            Ok(place) => {
                if let Some((_, count)) = self.counts.get_mut(place) {
                    *count = count.saturating_add(times);
                }
            }
            Err(place) => self.counts.insert(place, (bucket, times)),
        }
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, times) in &other.counts {
            self.add_to(*bucket, *times);
        }
    }

    /// Buckets with something in them, and how much, in their order.
    pub fn counts(&self) -> &[(u16, u64)] {
        &self.counts
    }

    /// How many latencies there are.
    pub fn total(&self) -> u64 {
        let counts = self.counts.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// How many took longer than so many microseconds for sure: those in buckets that begin behind it.
    pub fn longer_than(&self, micros: u64) -> u64 {
        let behind = self
            .counts
            .iter()
            .filter(|(bucket, _)| begin(*bucket) > micros);
        behind.map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// The latency in microseconds that so many of a thousand are not above, by where in its bucket it would be
    /// if that were evenly filled. `None` where there is nothing.
    ///
    /// ```
    /// use halcyon_core::telemetry::Histogram;
    /// let mut latency = Histogram::default();
    /// latency.add(1_000, 90);
    /// latency.add(50_000, 10);
    /// let off = |found: u64, exact: u64| found.abs_diff(exact) * 1000 / exact;
    /// assert!(off(latency.quantile(500).unwrap(), 1_000) <= 63);
    /// assert!(off(latency.quantile(950).unwrap(), 50_000) <= 63);
    /// assert_eq!(Histogram::default().quantile(950), None);
    /// ```
    pub fn quantile(&self, of_thousand: u64) -> Option<u64> {
        let total = self.total();
        // The place of the one that is asked for, from 1.
        let place = total.saturating_mul(of_thousand.min(1000)).div_ceil(1000);
        let place = place.clamp(1, total.max(1));
        let mut before = 0_u64;
        for (bucket, count) in &self.counts {
            let within = place.saturating_sub(before);
            if within <= *count {
                let (begin, end) = (begin(*bucket), begin(bucket.saturating_add(1)));
                let wide = end.saturating_sub(begin);
                // The middle of its share of the bucket.
                let twice = within.saturating_mul(2).saturating_sub(1);
                let into = wide
                    .saturating_mul(twice)
                    .checked_div(count.saturating_mul(2));
                return Some(begin.saturating_add(into.unwrap_or(0)));
            }
            before = before.saturating_add(*count);
        }
        None
    }
}

/// The bucket of a latency.
fn bucket_of(micros: u64) -> u16 {
    let number = match micros.checked_ilog2() {
        Some(power) if power >= CUT_BITS => {
            let shift = power.saturating_sub(CUT_BITS);
            let within = (micros >> shift) & CUT.saturating_sub(1);
            u64::from(shift)
                .saturating_add(1)
                .saturating_mul(CUT)
                .saturating_add(within)
        }
        _ => micros,
    };
    u16::try_from(number)
        .unwrap_or(u16::MAX)
        .min(BUCKETS.saturating_sub(1))
}

/// Where a bucket begins, in microseconds.
fn begin(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let (row, within) = (bucket >> CUT_BITS, bucket & CUT.saturating_sub(1));
    match row.checked_sub(1) {
        None => within,
        Some(shift) => CUT.saturating_add(within) << shift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_the_bucket_that_begins_at_or_before_it_and_ends_behind_it() {
        let edges = (0..34).flat_map(|power| {
            let two = 1_u64 << power;
            [
                two.saturating_sub(1),
                two,
                two + 1,
                two + two / 3,
                two + two / 2,
            ]
        });
        for micros in edges.chain(0..5_000) {
            let bucket = bucket_of(micros);
            assert!(
                begin(bucket) <= micros && micros < begin(bucket + 1),
                "{micros}"
            );
        }
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(begin(bucket)), bucket);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(begin(BUCKETS), 1 << 34);
    }

    #[test]
    fn histograms_of_two_edges_add_up_to_that_of_one() {
        let (mut one, mut other, mut both) = <(Histogram, Histogram, Histogram)>::default();
        for turn in 0..2_000_u64 {
            let micros = turn * turn * 37 % 3_000_000;
            both.add(micros, 1);
            match turn % 3 {
                0 => one.add(micros, 1),
                _ => other.add(micros, 1),
            }
        }
        one.merge(&other);
        assert_eq!(one, both);
        assert_eq!(both.total(), 2_000);
    }

    #[test]
    fn a_quantile_is_off_by_a_sixteenth_at_most() {
        let mut all: Vec<u64> = (1..=5_000).map(|turn| turn * 7_919 % 1_000_003).collect();
        let mut histogram = Histogram::default();
        all.iter().for_each(|micros| histogram.add(*micros, 1));
        all.sort_unstable();
        for of_thousand in [1_u16, 10, 500, 900, 950, 990, 999, 1000] {
            let exact = all[(all.len() * usize::from(of_thousand)).div_ceil(1000) - 1];
            let found = histogram.quantile(of_thousand.into()).unwrap();
            assert!(
                found.abs_diff(exact) * 16 <= exact + 16,
                "{of_thousand}: {found} {exact}"
            );
        }
    }

    #[test]
    fn only_what_took_longer_for_sure_counts_as_longer() {
        let mut histogram = Histogram::default();
        histogram.add(250_000, 3);
        histogram.add(251_000, 3);
        histogram.add(400_000, 2);
        assert_eq!(histogram.longer_than(250_000), 2);
        assert_eq!(histogram.longer_than(399_999), 0);
        assert_eq!(histogram.longer_than(100_000), 8);
        assert_eq!(histogram.longer_than(500_000), 0);
    }
}
