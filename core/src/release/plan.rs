//! The parts a release is made of: states, weights, pools, plans.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::document::Document;
use crate::endpoint::Endpoint;
use crate::sorted::Sorted;
use crate::text::{Seen, message, number};

/// The state of the release machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Blue serves everybody; nothing is under way.
    #[default]
    Idle,
    /// Green exists and serves nobody.
    GreenProvisioned,
    /// Green serves a share.
    Canary,
    /// Green serves everybody.
    GreenLive,
    /// Everybody is going back to blue.
    RollbackInProgress,
}

impl Phase {
    /// Every state.
    pub const ALL: [Phase; 5] = [
        Phase::Idle,
        Phase::GreenProvisioned,
        Phase::Canary,
        Phase::GreenLive,
        Phase::RollbackInProgress,
    ];

    /// Its name in records and messages.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::GreenProvisioned => "green_provisioned",
            Phase::Canary => "canary",
            Phase::GreenLive => "green_live",
            Phase::RollbackInProgress => "rollback_in_progress",
        }
    }

    /// Reads a state's name.
    ///
    /// ```
    /// use halcyon_core::release::Phase;
    /// assert_eq!(Phase::parse("green_live"), Ok(Phase::GreenLive));
    /// assert!(Phase::parse("live").unwrap_err().starts_with("\"live\" is no state; allowed: idle, "));
    /// ```
    ///
    /// # Errors
    /// The name seen and every state's.
    pub fn parse(name: &str) -> Result<Self, String> {
        Phase::ALL
            .into_iter()
            .find(|phase| phase.name() == name)
            .ok_or_else(|| {
                format!(
                    "{} is no state; allowed: {}",
                    Seen(name),
                    Phase::ALL.map(Phase::name).join(", ")
                )
            })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A canary weight: 0 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u8")]
pub struct Weight(u8);

impl Weight {
    /// Nobody.
    pub const ZERO: Weight = Weight(0);
    /// Everybody.
    pub const FULL: Weight = Weight(100);

    /// Accepts 0 to 100; anything else is `None`.
    ///
    /// ```
    /// use halcyon_core::release::Weight;
    /// assert_eq!(Weight::new(100), Some(Weight::FULL));
    /// assert_eq!(Weight::new(101), None);
    /// ```
    pub fn new(percent: i64) -> Option<Self> {
        u8::try_from(percent)
            .ok()
            .filter(|percent| *percent <= 100)
            .map(Self)
    }

    /// The percentage.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// Its digits.
    pub(crate) fn text(self) -> String {
        number(self.0.into())
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl TryFrom<i64> for Weight {
    type Error = String;
    fn try_from(percent: i64) -> Result<Self, String> {
        Self::new(percent).ok_or_else(|| {
            let seen = Document::Integer(percent).seen();
            message!("weight {} (must be 0-100)", &seen).text()
        })
    }
}

impl From<Weight> for u8 {
    fn from(weight: Weight) -> u8 {
        weight.0
    }
}

/// Reads a canary sequence such as `2,10,25,50,100`: digits only, strictly rising, 0 to 100, at
/// least one item.
///
/// ```
/// use halcyon_core::release::parse_canary_seq;
/// assert_eq!(parse_canary_seq("2, 10, 100").unwrap().len(), 3);
/// assert!(parse_canary_seq("10,10").unwrap_err().contains("does not rise above 10"));
/// ```
///
/// # Errors
/// The item seen and the rule.
pub fn parse_canary_seq(text: &str) -> Result<Vec<Weight>, String> {
    const RULE: &str =
        "allowed: whole numbers from 0 to 100, strictly rising, comma-separated, at least one";
    let mut weights: Vec<Weight> = Vec::new();
    for (index, item) in crate::config::items(text).enumerate() {
        let place = index.saturating_add(1);
        let digits =
            !item.is_empty() && item.len() <= 3 && item.bytes().all(|b| b.is_ascii_digit());
        let weight = item.parse().ok().filter(|_| digits).and_then(Weight::new);
        let weight =
            weight.ok_or_else(|| format!("item {place}, {}, is no weight; {RULE}", Seen(item)))?;
        if let Some(before) = weights.last().filter(|before| **before >= weight) {
            return Err(format!(
                "item {place}, {}, does not rise above {before}; {RULE}",
                Seen(item)
            ));
        }
        weights.push(weight);
    }
    Ok(weights)
}

/// One of a region's two pools, named by its colour while the journal was empty. Blue and green are
/// roles that swap between pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The pool that was blue at first.
    #[default]
    Blue,
    /// The pool that was green at first.
    Green,
}

impl Pool {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Pool::Blue => Pool::Green,
            Pool::Green => Pool::Blue,
        }
    }
}

/// Where a region's two pools are, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pools {
    /// The pool that was blue while the journal was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue: Option<Endpoint>,
    /// The pool that was green then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<Endpoint>,
}

impl Pools {
    /// Where a pool is; `/ready` is asked below it.
    pub fn of(&self, pool: Pool) -> Option<&Endpoint> {
        match pool {
            Pool::Blue => self.blue.as_ref(),
            Pool::Green => self.green.as_ref(),
        }
    }

    /// Neither is known.
    pub fn is_empty(&self) -> bool {
        self.blue.is_none() && self.green.is_none()
    }
}

/// A region a release goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionTarget {
    /// Its name, as messages and hooks show it.
    pub name: String,
    /// Its health server; `/ready` is asked below it.
    pub url: Endpoint,
    /// Whether `name` is a configured region's: then a health server that says it is another region's
    /// fails the probe.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub named: bool,
    /// Its two pools, where a topology knows them.
    #[serde(default, skip_serializing_if = "Pools::is_empty")]
    pub pools: Pools,
}

/// Everything a driver needs to take a release to its end. Recorded with the release, so that
/// whoever resumes it needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps: strictly rising, at least one.
    pub weights: Vec<Weight>,
    /// The regions, at least one, names unique.
    pub regions: Vec<RegionTarget>,
    /// How long each step bakes, in milliseconds; 0 is one probe round.
    pub bake_ms: u64,
    /// Whether a failed step rolls back (else it is a warning).
    pub abort_on_err: bool,
    /// What green's traffic must keep to in every step; then no step passes without traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<super::Limits>,
    /// Command that makes a change in a region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_step: Option<String>,
    /// The directory it runs in: where the release was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_step_dir: Option<String>,
    /// Whether the control plane drives it: then it goes on there after a restart, by itself.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub by_server: bool,
    /// When the release is to be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<crate::time::Timestamp>,
}

impl Plan {
    /// The step after `current`; the first one where there is none yet.
    pub fn after(&self, current: Option<Weight>) -> Option<Weight> {
        match current {
            None => self.weights.first().copied(),
            Some(current) => self
                .weights
                .iter()
                .copied()
                .find(|weight| *weight > current),
        }
    }

    /// The names of its regions.
    pub(super) fn region_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for region in &self.regions {
            names.push(region.name.clone());
        }
        names
    }

    /// The place of a step, from 1.
    pub fn place(&self, weight: Weight) -> Option<usize> {
        self.weights
            .iter()
            .position(|step| *step == weight)
            .map(|index| index.saturating_add(1))
    }

    /// Checks what types alone do not.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.weights.is_empty() || !self.weights.is_sorted_by(|a, b| a < b) {
            return Err("the plan's weights must be strictly rising, at least one".to_string());
        }
        let mut names = Sorted::default();
        let mut wrong = self.regions.is_empty();
        for region in &self.regions {
            wrong |= names.insert(region.name.as_str(), ()).is_some();
        }
        if wrong {
            return Err("the plan's regions must be at least one, each once".to_string());
        }
        // After a breach nothing goes on by itself.
        if let Some(limits) = &self.limits
            && (limits.is_empty()
                || !self.abort_on_err
                || self.weights.last() == Some(&Weight::ZERO))
        {
            return Err("limits need abort_on_err and a step above 0".to_string());
        }
        Ok(())
    }
}
