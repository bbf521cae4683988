//! What happened: the events a journal is made of.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

use super::{Phase, Plan, Traffic, Weight};
use crate::time::Timestamp;

/// A change that every region has to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Bring green up, without traffic.
    ProvisionGreen,
    /// Give green its first share.
    StartCanary,
    /// Give green a greater share.
    IncreaseWeight,
    /// Make green what blue was.
    PromoteGreen,
    /// Give blue everything.
    RollbackToBlue,
}

impl Action {
    /// Every change.
    pub(crate) const ALL: [Action; 5] = [
        Action::ProvisionGreen,
        Action::StartCanary,
        Action::IncreaseWeight,
        Action::PromoteGreen,
        Action::RollbackToBlue,
    ];

    /// Its name in records and in `HALCYON_ACTION`.
    pub fn name(self) -> &'static str {
        match self {
            Action::ProvisionGreen => "provision_green",
            Action::StartCanary => "start_canary",
            Action::IncreaseWeight => "increase_weight",
            Action::PromoteGreen => "promote_green",
            Action::RollbackToBlue => "rollback_to_blue",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What found a step wanting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The smoke test before it.
    Smoke,
    /// The step hook.
    Hook,
    /// The probes while it baked.
    Bake,
}

impl Check {
    pub(crate) const ALL: [Check; 3] = [Check::Smoke, Check::Hook, Check::Bake];

    /// Its name in records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Check::Smoke => "smoke",
            Check::Hook => "hook",
            Check::Bake => "bake",
        }
    }
}

/// One region's part in a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionFailure {
    /// The region.
    pub region: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for RegionFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.region, self.why)
    }
}

/// One thing that happened. Its serialised form is the `action` of a record and that action's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Event {
    /// A release began.
    ProvisionGreen {
        /// The image of green.
        image_tag: String,
        /// The image of blue, where the journal knew none.
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_blue: Option<String>,
        /// How it is to go.
        #[serde(skip_serializing_if = "Option::is_none")]
        plan: Option<Plan>,
    },
    /// The canary began.
    StartCanary {
        /// Its share.
        weight: Weight,
    },
    /// The canary grew.
    IncreaseWeight {
        /// Its share before.
        old_weight: Weight,
        /// Its share now.
        new_weight: Weight,
    },
    /// Green is live.
    PromoteGreen {
        /// The image that is blue now.
        new_blue: String,
        /// Steps of the plan that had no verdict when a person promoted early.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<Weight>,
    },
    /// Everybody goes back to blue.
    RollbackToBlue {
        /// Why.
        reason: String,
        /// The state before.
        old_state: Phase,
        /// The weight before.
        old_weight: Weight,
    },
    /// Every region has confirmed the rollback.
    RollbackComplete {},
    /// A region has made the change in force.
    RegionConfirmed {
        /// The region.
        region: String,
        /// The change.
        change: Action,
    },
    /// The current step baked its time and every probe at its end was good.
    StepPassed {
        /// The step.
        weight: Weight,
        /// How long it baked, in milliseconds.
        baked_ms: u64,
        /// Probe rounds.
        rounds: u64,
        /// The traffic that green has had in it, where the plan has limits for that.
        #[serde(skip_serializing_if = "Option::is_none")]
        traffic: Option<Traffic>,
    },
    /// A step was found wanting, and the plan goes on.
    StepFailed {
        /// The step.
        weight: Weight,
        /// What found it.
        check: Check,
        /// Where and why.
        failures: Vec<RegionFailure>,
    },
    /// A person paused the release.
    Pause {
        /// Why.
        reason: String,
    },
    /// A person let it go on.
    Resume {},
    /// A process took over driving a release that had none.
    AttachDriver {},
    /// The driving process left, and the release holds.
    DetachDriver {
        /// Why.
        reason: String,
    },
    /// Somebody was refused for their role.
    PermissionDenied {
        /// The command they gave.
        attempted: String,
        /// Why it was refused.
        reason: String,
    },
}

/// An event with when it happened and which release it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: Timestamp,
    /// The release; none before the first.
    pub release_id: Option<String>,
    /// What.
    pub event: Event,
}
