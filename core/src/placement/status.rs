//! What is known of a region, and why a tenant goes where it goes.

use alloc::string::String;
use core::fmt;
use serde::{Serialize, Serializer};

use crate::text::{list, message};

/// What is known of a region's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegionStatus {
    /// It serves.
    #[default]
    Up,
    /// It does not answer as it should.
    Down,
    /// It should get no new work, and can still serve if nothing else does.
    Draining,
    /// It must never serve, whatever happens.
    Forbidden,
}

impl RegionStatus {
    /// Every status.
    pub const ALL: [RegionStatus; 4] = [
        RegionStatus::Up,
        RegionStatus::Down,
        RegionStatus::Draining,
        RegionStatus::Forbidden,
    ];

    /// Its name in routing tables and explanations.
    pub fn name(self) -> &'static str {
        match self {
            RegionStatus::Up => "up",
            RegionStatus::Down => "down",
            RegionStatus::Draining => "draining",
            RegionStatus::Forbidden => "forbidden",
        }
    }

    /// Reads a status by its name.
    ///
    /// ```
    /// use halcyon_core::placement::RegionStatus;
    /// assert_eq!(RegionStatus::parse("draining"), Ok(RegionStatus::Draining));
    /// assert!(RegionStatus::parse("Up").is_err());
    /// ```
    ///
    /// # Errors
    /// The name seen and every status's.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut names = String::new();
        for status in Self::ALL {
            if status.name() == name {
                return Ok(status);
            }
            list(status.name(), &mut names);
        }
        Err(message!("{?} is no status; allowed: {}", name, &names).text())
    }
}

/// Why a tenant goes where it goes. What changed the decision last is named: health before a pin, a
/// pin before residency, residency before the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing but the primary rule decided.
    Primary,
    /// The tenant's hash decided.
    Hash,
    /// The tenant's own order of regions decided.
    Rendezvous,
    /// A residency rule applied.
    Residency,
    /// The tenant is pinned.
    Pinned,
    /// The first choice does not serve; another region does.
    Failover,
    /// No region is up or draining: the first choice is as good as any.
    AllDown,
}

impl Reason {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Primary => "primary",
            Reason::Hash => "hash",
            Reason::Rendezvous => "rendezvous",
            Reason::Residency => "residency",
            Reason::Pinned => "pinned",
            Reason::Failover => "failover",
            Reason::AllDown => "all_down",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Why no region may serve a tenant. The surfaces show it as `residency_unavailable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResidencyUnavailable {
    /// Its residency rule allows none of the regions.
    NoneAllowed,
    /// Every region allowed for it is forbidden.
    AllForbidden,
}

impl ResidencyUnavailable {
    /// What it displays.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoneAllowed => "residency_unavailable: the tenant's residency allows no region",
            Self::AllForbidden => {
                "residency_unavailable: every region allowed for this tenant is forbidden"
            }
        }
    }
}

impl fmt::Display for ResidencyUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for ResidencyUnavailable {}
