//! What can be asked of the machine.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::{Action, Check, Plan, RegionFailure, Traffic, Weight};
use crate::role::Actor;

/// A wish. People give the first seven; whoever drives a plan gives the others as what they say
/// becomes true in the world. Its serialised form is what a key stands for: an object without blanks, the
/// name as `command` first, then its fields in the order below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Begin a release.
    ProvisionGreen {
        /// The image of green.
        image: String,
        /// The image of blue, used only while the journal knows none.
        blue_image: Option<String>,
        /// How it is to go; without one, a person gives every command.
        plan: Option<Plan>,
    },
    /// Give green its first share, in percent.
    StartCanary {
        /// 0 to 100.
        weight: i64,
    },
    /// Give green a greater share, in percent.
    IncreaseWeight {
        /// Greater than the current one, at most 100.
        weight: i64,
    },
    /// Make green live now, whatever steps are left.
    PromoteGreen,
    /// Give blue everything.
    RollbackToBlue {
        /// Why; it is recorded.
        reason: String,
    },
    /// Hold the plan where it is.
    Pause {
        /// Why; it is recorded.
        reason: String,
    },
    /// Let the plan go on.
    Resume,

    /// Make green live because the plan is through.
    FinishPlan,
    /// A region has made the change in force.
    ConfirmRegion {
        /// The region.
        region: String,
        /// The change.
        change: Action,
    },
    /// The current step is good.
    PassStep {
        /// The step.
        weight: Weight,
        /// How long it baked, in milliseconds, by a clock that never jumps.
        baked_ms: u64,
        /// Probe rounds made.
        rounds: u64,
        /// The traffic that green has had in it; needed where the plan has limits for that.
        #[serde(skip_serializing_if = "Option::is_none")]
        traffic: Option<Traffic>,
    },
    /// A step was found wanting, and the plan is to go on.
    FailStep {
        /// The step.
        weight: Weight,
        /// What found it.
        check: Check,
        /// Where and why.
        failures: Vec<RegionFailure>,
    },
    /// Every region is back on blue.
    CompleteRollback,
    /// This process drives the release from now on.
    AttachDriver,
    /// This process stops driving it.
    DetachDriver {
        /// Why; it is recorded.
        reason: String,
    },
}

impl Command {
    /// Its name in messages and in the record of a refusal.
    pub fn name(&self) -> &'static str {
        match self {
            Command::ProvisionGreen { .. } => "provision_green",
            Command::StartCanary { .. } => "start_canary",
            Command::IncreaseWeight { .. } => "increase_weight",
            Command::PromoteGreen => "promote_green",
            Command::RollbackToBlue { .. } => "rollback_to_blue",
            Command::Pause { .. } => "pause",
            Command::Resume => "resume",
            Command::FinishPlan => "finish_plan",
            Command::ConfirmRegion { .. } => "confirm_region",
            Command::PassStep { .. } => "pass_step",
            Command::FailStep { .. } => "fail_step",
            Command::CompleteRollback => "complete_rollback",
            Command::AttachDriver => "attach_driver",
            Command::DetachDriver { .. } => "detach_driver",
        }
    }

    /// As a person would say it after "Cannot".
    pub fn words(&self) -> &'static str {
        match self {
            Command::ProvisionGreen { .. } => "provision green",
            Command::StartCanary { .. } => "start canary",
            Command::IncreaseWeight { .. } => "increase weight",
            Command::PromoteGreen | Command::FinishPlan => "promote green",
            Command::RollbackToBlue { .. } => "roll back",
            Command::Pause { .. } => "pause",
            Command::Resume => "resume",
            Command::ConfirmRegion { .. } => "confirm a region",
            Command::PassStep { .. } => "pass the step",
            Command::FailStep { .. } => "fail the step",
            Command::CompleteRollback => "complete the rollback",
            Command::AttachDriver => "drive the release",
            Command::DetachDriver { .. } => "leave the release",
        }
    }

    /// Whether it gives green more: what the kill switch refuses.
    pub fn raises(&self) -> bool {
        match self {
            Command::ProvisionGreen { .. }
            | Command::StartCanary { .. }
            | Command::IncreaseWeight { .. }
            | Command::PromoteGreen
            | Command::FinishPlan
            | Command::Resume => true,
            Command::RollbackToBlue { .. }
            | Command::Pause { .. }
            | Command::ConfirmRegion { .. }
            | Command::PassStep { .. }
            | Command::FailStep { .. }
            | Command::CompleteRollback
            | Command::AttachDriver
            | Command::DetachDriver { .. } => false,
        }
    }
}

/// Who asks, and what the world says.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Who asks.
    pub actor: &'a Actor,
    /// `FEATURE_BLUE_GREEN=false`.
    pub kill_switch: bool,
    /// The id a release gets if this command begins one; never used before.
    pub new_release_id: &'a str,
}
