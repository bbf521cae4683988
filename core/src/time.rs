//! Wall-clock time as a value that comes in.

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC with milliseconds and `Z`.
///
/// The core never asks what time it is: every function that needs it takes a `Timestamp` as its last
/// argument. Order comes from sequence numbers, never from the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Timestamp(pub u64);

/// 9999-12-30T22:00:00Z: the last moment every RFC 3339 reader accepts.
const LAST: i64 = 253_402_207_200_000;

impl Timestamp {
    /// Milliseconds from `earlier` to this moment; 0 if the clock went back.
    pub fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment plus `ms` milliseconds, saturating.
    pub fn plus(self, ms: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }

    /// Reads RFC 3339.
    ///
    /// ```
    /// use halcyon_core::time::Timestamp;
    /// let noon = Timestamp::parse("2026-01-01T12:00:00+01:00").unwrap();
    /// assert_eq!(noon.to_string(), "2026-01-01T11:00:00.000Z");
    /// assert_eq!(noon.plus(1500).since(noon), 1500);
    /// assert_eq!(noon.since(noon.plus(1)), 0, "the clock went back");
    /// ```
    ///
    /// # Errors
    /// When the text is no RFC 3339 moment, or one before 1970.
    pub fn parse(text: &str) -> Result<Self, String> {
        let moment: jiff::Timestamp = text
            .parse()
            .map_err(|_| alloc::format!("{} is no RFC 3339 timestamp", crate::text::Seen(text)))?;
        u64::try_from(moment.as_millisecond())
            .map(Timestamp)
            .map_err(|_| alloc::format!("{} is before 1970", crate::text::Seen(text)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(LAST).min(LAST);
        let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        write!(f, "{moment:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_timestamp_is_written_in_utc_with_milliseconds() {
        assert_eq!(
            Timestamp(1_759_397_400_000).to_string(),
            "2025-10-02T09:30:00.000Z"
        );
        assert_eq!(Timestamp(7).to_string(), "1970-01-01T00:00:00.007Z");
        assert!(Timestamp(u64::MAX).to_string().starts_with("9999-12-30"));
    }

    #[test]
    fn what_was_written_reads_back() {
        for ms in [0, 1, 999, 1_759_397_400_123] {
            assert_eq!(
                Timestamp::parse(&Timestamp(ms).to_string()),
                Ok(Timestamp(ms))
            );
        }
        assert!(
            Timestamp::parse("yesterday")
                .unwrap_err()
                .contains("RFC 3339")
        );
        assert!(Timestamp::parse("1969-12-31T23:59:59Z").is_err());
    }

    #[test]
    fn a_clock_that_went_back_gives_a_duration_of_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), 0);
        assert_eq!(Timestamp(u64::MAX).plus(1), Timestamp(u64::MAX));
    }
}
