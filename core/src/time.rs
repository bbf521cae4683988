//! Wall-clock time as a value that comes in.

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::text::{message, number};

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
        let ms = read(text);
        match ms.and_then(|ms| u64::try_from(ms).ok()) {
            Some(ms) => Ok(Timestamp(ms)),
            None if ms.is_some() => Err(message!("{?} is before 1970", text).text()),
            None => Err(message!("{?} is no RFC 3339 timestamp", text).text()),
        }
    }
}

const DAY: i64 = 86_400_000;

/// The milliseconds of an RFC 3339 moment since 1970, with what is finer cut off and a leap second taken for
/// the one before it.
///
/// By hand: a library that knows calendars and time zones is half of an edge's module (130 KB of 350), one
/// that knows this form alone still 12 KB.
fn read(text: &str) -> Option<i64> {
    // Numbers of four digits at most: nothing below overflows.
    let (moment, mut rest) = text.as_bytes().split_at_checked(19)?;
    let [year, month, day, hour, minute, second] = numbers(moment, b"0000-00-00T00:00:00")?;
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let mut place = 100;
        rest = fraction;
        while let Some((seen, behind)) = rest.split_first()
            && let Some(digit) = digit(*seen)
        {
            ms = digit.wrapping_mul(place).wrapping_add(ms);
            place = place.div_euclid(10);
            rest = behind;
        }
        if rest.len() == fraction.len() {
            return None;
        }
    }
    let (sign, zone) = rest.split_first()?;
    let offset = match (sign, zone) {
        (b'Z' | b'z', []) => 0,
        (b'+' | b'-', _) => {
            let [hours, minutes, ..] = numbers(zone, b"00:00")?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            hours.wrapping_mul(60).wrapping_add(minutes)
        }
        _ => return None,
    };
    let month_before = month.wrapping_sub(1);
    if month_before > 11 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let months = year.wrapping_mul(12).wrapping_add(month_before);
    let first = days_before(months);
    let day_before = day.wrapping_sub(1);
    if day_before >= days_before(months.wrapping_add(1)).wrapping_sub(first) {
        return None;
    }
    let days = first.wrapping_add(day_before);
    let seconds = hour
        .wrapping_mul(60)
        .wrapping_add(minute)
        .wrapping_mul(60)
        .wrapping_add(second.min(59));
    let ms = i64::from(seconds.wrapping_mul(1000).wrapping_add(ms));
    let offset = i64::from(offset.wrapping_mul(60_000));
    let here = i64::from(days)
        .wrapping_sub(DAYS_TO_1970)
        .wrapping_mul(DAY)
        .wrapping_add(ms);
    Some(match sign {
        b'+' => here.wrapping_sub(offset),
        _ => here.wrapping_add(offset),
    })
}

/// The numbers of a text of this form, in which `0` stands for a digit.
fn numbers(text: &[u8], form: &[u8]) -> Option<[u32; 6]> {
    let mut numbers = [0_u32; 6];
    let mut places = numbers.iter_mut();
    let mut number = places.next()?;
    if text.len() != form.len() {
        return None;
    }
    for (seen, form) in text.iter().zip(form) {
        match form {
            b'0' => *number = number.wrapping_mul(10).wrapping_add(digit(*seen)?),
            b'T' if !matches!(seen, b'T' | b't' | b' ') => return None,
            b'-' | b':' if seen != form => return None,
            _ => number = places.next()?,
        }
    }
    Some(numbers)
}

fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then_some(u32::from(byte & 0x0f))
}

/// Days from -0400-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 146_097 + 719_468;

/// Days from -0400-03-01 to the first day of a month of the Gregorian calendar, which is told by how many there
/// are between it and January of the year 0.
///
/// Source: `days_from_civil` of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin
/// with March, so that a leap day is the last one. Up to the year 10,000 nothing below overflows.
fn days_before(months: u32) -> u32 {
    // The 400 years before are as long as any.
    let months = months.wrapping_add(4800 - 2);
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    year.wrapping_mul(365)
        .wrapping_add(year.div_euclid(4))
        .wrapping_sub(year.div_euclid(100))
        .wrapping_add(year.div_euclid(400))
        .wrapping_add(month.wrapping_mul(153).wrapping_add(2).div_euclid(5))
}

/// The day that so many days after 1970-01-01 is. Source: `civil_from_days`, at the same place.
fn day_of(days: i64) -> (i64, i64, i64) {
    let days = days.wrapping_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = of_era
        .wrapping_sub(of_era.div_euclid(1460))
        .wrapping_add(of_era.div_euclid(36_524))
        .wrapping_sub(of_era.div_euclid(146_096))
        .div_euclid(365);
    let before = year
        .wrapping_mul(365)
        .wrapping_add(year.div_euclid(4))
        .wrapping_sub(year.div_euclid(100));
    let of_year = of_era.wrapping_sub(before);
    let since_march = of_year.wrapping_mul(5).wrapping_add(2).div_euclid(153);
    let first = since_march.wrapping_mul(153).wrapping_add(2).div_euclid(5);
    let day = of_year.wrapping_sub(first).wrapping_add(1);
    let month = since_march.wrapping_add(2).rem_euclid(12).wrapping_add(1);
    let year = year.wrapping_add(era.wrapping_mul(400));
    let year = if month <= 2 {
        year.wrapping_add(1)
    } else {
        year
    };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Timestamp {
    /// As it is displayed.
    fn text(self) -> String {
        let ms = i64::try_from(self.0).unwrap_or(LAST).min(LAST);
        let (days, ms) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
        let (year, month, day) = day_of(days);
        let (seconds, ms) = (ms.div_euclid(1000), ms.rem_euclid(1000));
        let (minutes, second) = (seconds.div_euclid(60), seconds.rem_euclid(60));
        let (hour, minute) = (minutes.div_euclid(60), minutes.rem_euclid(60));
        let mut text = String::new();
        for (part, least, behind) in [
            (year, 1000, "-"),
            (month, 10, "-"),
            (day, 10, "T"),
            (hour, 10, ":"),
            (minute, 10, ":"),
            (second, 10, "."),
            (ms, 100, "Z"),
        ] {
            let part = u64::try_from(part).unwrap_or(0);
            let mut place = least;
            while place > part.max(1) {
                text.push('0');
                place = place.div_euclid(10);
            }
            text.push_str(&number(part));
            text.push_str(behind);
        }
        text
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
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
    fn every_day_is_read_and_written_as_a_calendar_library_does() {
        // Every fifth day from 1970 to the end of 9999, at a time of day that goes round.
        for day in (0..2_932_895_u64).step_by(5) {
            let ms = day * 86_400_000 + day * 7_919 % 86_400_000;
            let ours = Timestamp(ms).to_string();
            let moment = jiff::Timestamp::from_millisecond(i64::try_from(ms).unwrap()).unwrap();
            assert_eq!(ours, std::format!("{moment:.3}"));
            assert_eq!(Timestamp::parse(&ours), Ok(Timestamp(ms)));
        }
    }

    #[test]
    fn every_form_of_rfc_3339_is_read_as_a_calendar_library_does() {
        for text in [
            "2026-01-01T12:00:00Z",
            "2026-01-01t12:00:00z",
            "2026-01-01 12:00:00Z",
            "2024-02-29T23:59:59.999999999+00:00",
            "2000-02-29T00:00:00.1-23:59",
            "2016-12-31T23:59:60Z",
            "1970-01-01T00:00:00.0009Z",
            "1970-01-01T05:30:00+05:30",
            "9999-12-30T21:59:59.999Z",
        ] {
            let moment: jiff::Timestamp = text.parse().unwrap();
            let ms = u64::try_from(moment.as_millisecond()).unwrap();
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_of_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T12:00Z",
            "2026-01-01T12:00:00",
            "2026-1-01T12:00:00Z",
            "2026-01-01T12:00:00.Z",
            "2026-01-01T12:00:00,5Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T12:60:00Z",
            "2026-01-01T12:00:61Z",
            "2026-01-01T12:00:00+24:00",
            "2026-01-01T12:00:00+01:60",
            "2026-01-01T12:00:00+0100",
            "2026-00-01T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-04-31T12:00:00Z",
            "2026-04-00T12:00:00Z",
            "2025-02-29T12:00:00Z",
            "2100-02-29T12:00:00Z",
            "2026-01-01T12:00:00Z ",
            "2026-01-01T12:00:00ZZ",
            "+2026-01-01T12:00:00Z",
            "2026-01-01T12:00:00Z[UTC]",
            "２026-01-01T12:00:00Z",
        ] {
            let error = Timestamp::parse(text).unwrap_err();
            assert!(error.ends_with("is no RFC 3339 timestamp"), "{error}");
        }
        for text in [
            "1969-12-31T23:59:59.999Z",
            "0000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
        ] {
            let error = Timestamp::parse(text).unwrap_err();
            assert!(error.ends_with("is before 1970"), "{error}");
        }
    }

    #[test]
    fn a_clock_that_went_back_gives_a_duration_of_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), 0);
        assert_eq!(Timestamp(u64::MAX).plus(1), Timestamp(u64::MAX));
    }
}
