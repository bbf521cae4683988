//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use halcyon_core::time::Timestamp;

/// This moment; 1970 if the clock says it is earlier.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
