//! Region names.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::text::{is_all, message};

/// The most regions a configuration may have.
pub const REGIONS_MAX: usize = 1024;

/// The name of a region: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`, so 1 to 63 ASCII characters.
///
/// Exact: `us-east` and `US-East` are different names, and never both in one configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionName(Box<str>);

/// The rule for the names of regions and of deployments, as messages state it.
pub const NAME_RULE: &str = "1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit";

/// Whether a name, of a region or of a deployment, follows [`NAME_RULE`].
pub(crate) fn is_name(name: &str) -> bool {
    let first = name.as_bytes().first();
    let all = is_all(name, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')
    });
    first.is_some_and(u8::is_ascii_alphanumeric) && all && name.len() <= 63
}

impl RegionName {
    /// Accepts a name that follows [`NAME_RULE`].
    ///
    /// ```
    /// use halcyon_core::region::RegionName;
    /// assert!(RegionName::new("us-east").is_ok());
    /// assert!(RegionName::new("us east").unwrap_err().starts_with("\"us east\" is not a region name"));
    /// ```
    ///
    /// # Errors
    /// The name seen and the rule.
    pub fn new(name: &str) -> Result<Self, String> {
        Self::of(name).ok_or_else(|| {
            message!("{?} is not a region name; allowed: {}", name, NAME_RULE).text()
        })
    }

    /// The same without a message.
    pub(crate) fn of(name: &str) -> Option<Self> {
        is_name(name).then(|| Self(Box::from(name)))
    }

    /// Whether two names differ by case at most.
    pub(crate) fn is_like(&self, other: &RegionName) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// The place of the region `name` among `regions`.
    ///
    /// ```
    /// use halcyon_core::region::RegionName;
    /// let regions = ["us-east", "us-west"].map(|name| RegionName::new(name).unwrap());
    /// assert_eq!(RegionName::place_of("us-west", &regions), Ok(1));
    /// let why = RegionName::place_of("eu-west", &regions).unwrap_err();
    /// assert_eq!(why, "eu-west is no region; allowed: us-east, us-west");
    /// ```
    ///
    /// # Errors
    /// The name seen, and those of the regions.
    pub fn place_of(name: &str, regions: &[RegionName]) -> Result<usize, String> {
        let place = regions.iter().position(|region| region.as_str() == name);
        if let Some(place) = place {
            return Ok(place);
        }
        Self::new(name)?;
        let known = crate::config::listed(regions);
        Err(message!("{} is no region; allowed: {}", name, &known).text())
    }

    /// The name's text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RegionName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        Self::new(&name)
    }
}

impl From<RegionName> for String {
    fn from(name: RegionName) -> String {
        name.0.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_name_is_1_to_63_of_the_allowed_characters() {
        for good in ["a", "us-east", "EU.west_1", "9", &"x".repeat(63)] {
            assert_eq!(RegionName::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "-a",
            ".a",
            "_a",
            "a b",
            "a\u{a0}",
            "\u{feff}a",
            "us-e\u{430}st",
            "a\0",
            "a\r",
            "a/b",
            &"x".repeat(64),
        ] {
            let error = RegionName::new(bad).unwrap_err();
            assert!(error.contains("allowed: 1 to 63"), "{error}");
        }
    }
}
