//! The wall clock, read in one place, and times that are spread.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use halcyon_core::time::Timestamp;

/// This moment; 1970 if the clock says it is earlier.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A time, more or less by up to this share of it, so that many who began at once do not go on at once.
pub(crate) fn spread(time: Duration, share: f64) -> Duration {
    let mut dice = [0; 2];
    // Without randomness it is no more than not spread.
    let _ = getrandom::fill(&mut dice);
    let drawn = f64::from(u16::from_le_bytes(dice)) / f64::from(u16::MAX);
    time.mul_f64(1.0 - share + 2.0 * share * drawn)
}
