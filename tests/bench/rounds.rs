//! Two sides measured in turn.

use std::fmt;

use rustix::time::{ClockId, clock_gettime};

/// Something to measure, done once.
pub(crate) type Side = Box<dyn Fn()>;

/// The first side's cost in units of the second's.
pub(crate) struct Ratio {
    pub(crate) median: f64,
    lowest: f64,
    highest: f64,
    /// What a single call of the first side took, in nanoseconds; the median.
    nanoseconds: f64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            lowest,
            highest,
            nanoseconds,
        } = self;
        let each = nanoseconds / super::TENANTS as f64;
        write!(
            f,
            "{median:>7.3}  ({lowest:.3} to {highest:.3}, {each:.1} ns)"
        )
    }
}

/// Measures both sides in turn for so many rounds of about 5 ms each.
pub(crate) fn compare(first: &Side, second: &Side, rounds: usize) -> Ratio {
    let target = if rounds > 1 { 5_000_000 } else { 1 };
    // Warm up, and find out how often each has to run to be measured well.
    let (repeat_first, repeat_second) = (repeats(first, target), repeats(second, target));
    let mut ratios = Vec::with_capacity(rounds);
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // Whoever comes second has the other's heat and dust, so they swap.
        let (one, two) = if round % 2 == 0 {
            let one = cost(first, repeat_first);
            (one, cost(second, repeat_second))
        } else {
            let two = cost(second, repeat_second);
            (cost(first, repeat_first), two)
        };
        ratios.push(one / two);
        times.push(one);
    }
    ratios.sort_by(f64::total_cmp);
    times.sort_by(f64::total_cmp);
    Ratio {
        median: ratios[rounds / 2],
        lowest: ratios[0],
        highest: ratios[rounds - 1],
        nanoseconds: times[rounds / 2],
    }
}

fn repeats(side: &Side, target: u64) -> u64 {
    let mut times = 1;
    loop {
        let begin = cpu();
        (0..times).for_each(|_| side());
        let spent = cpu() - begin;
        if spent >= target {
            return times;
        }
        times = (times * 2)
            .max(times * target / spent.max(1))
            .min(times * 16);
    }
}

/// Nanoseconds of CPU time a call.
fn cost(side: &Side, repeat: u64) -> f64 {
    let begin = cpu();
    (0..repeat).for_each(|_| side());
    (cpu() - begin) as f64 / repeat as f64
}

/// CPU time of this thread in nanoseconds.
fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
