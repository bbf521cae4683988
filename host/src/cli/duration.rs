//! How long something may take, as a flag says it.

use std::time::Duration;

const DAY_S: u64 = 86_400;

/// Reads `90s`, `30m`, `1h30m`, or whole days as `7d`; `None` for what is none of these, is 0 or is longer than
/// `longest`.
pub(super) fn parse(text: &str, longest: Duration) -> Option<Duration> {
    let days = || {
        let days = text.strip_suffix('d')?;
        let digits = days.bytes().all(|byte| byte.is_ascii_digit());
        let days: u64 = days.parse().ok().filter(|_| digits)?;
        Some(Duration::from_secs(days.checked_mul(DAY_S)?))
    };
    let shorter = || {
        let parsed: jiff::SignedDuration = text.parse().ok()?;
        Duration::try_from(parsed).ok()
    };
    let parsed = days().or_else(shorter);
    parsed.filter(|time| !time.is_zero() && *time <= longest)
}

/// So many days.
pub(super) const fn days(days: u64) -> Duration {
    Duration::from_secs(days * DAY_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_days_or_a_shorter_time() {
        let read = |text| parse(text, days(3650));
        assert_eq!(read("90d"), Some(days(90)));
        assert_eq!(read("3650d"), Some(days(3650)));
        assert_eq!(read("12h"), Some(days(1) / 2));
        assert_eq!(read("1h30m"), Some(days(1) / 16));
        assert_eq!(read("90s"), Some(Duration::from_secs(90)));
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "3651d",
            "soon",
            "1",
            "99999999999999999999d",
            "1.5d",
            "0s",
            "-1h",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
