//! The state as every surface shows it.

use alloc::string::String;
use serde::Serialize;

use super::{Outcome, Phase, Plan, Pool, Release, Weight};
use crate::time::Timestamp;

/// How traffic is divided, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrafficSplit {
    /// The share of blue.
    pub blue: u8,
    /// The share of green.
    pub green: u8,
}

/// The state of releases, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The state.
    pub state: Phase,
    /// The image whose role is blue.
    pub blue_image: Option<String>,
    /// The image whose role is green.
    pub green_image: Option<String>,
    /// In `green_live`, the image that a rollback gives everything to.
    pub former_blue: Option<String>,
    /// The canary weight in percent.
    pub canary_weight: Weight,
    /// How traffic is divided.
    pub traffic_split: TrafficSplit,
    /// The release under way, else the last one.
    pub release_id: Option<String>,
    /// Whether one is under way.
    pub under_way: bool,
    /// How it ended: `under_way`, `promoted`, `rolled_back`, or `none` before the first one.
    pub outcome: &'static str,
    /// Why it was rolled back, or is being rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The image that was rolled back, or is being rolled back.
    pub former_green: Option<String>,
    /// When it ended: when green had everything, or blue had it again.
    pub ended_at: Option<Timestamp>,
    /// Why a person paused it.
    pub paused: Option<String>,
    /// The place of the step in force in the plan, from 1.
    pub step: Option<usize>,
    /// The plan's steps in percent.
    pub steps: alloc::vec::Vec<Weight>,
    /// The plan's regions.
    pub regions: alloc::vec::Vec<String>,
    /// When something happens by itself next.
    pub next_deadline: Option<Timestamp>,
    /// The pool whose role is blue.
    pub blue_pool: Pool,
}

impl Release {
    /// The state as every surface shows it.
    pub fn status(&self) -> Status {
        let green = match self.phase {
            Phase::Canary => self.weight,
            Phase::GreenLive => Weight::FULL,
            Phase::Idle | Phase::GreenProvisioned | Phase::RollbackInProgress => Weight::ZERO,
        }
        .percent();
        let plan = self.plan.as_ref().filter(|_| self.under_way());
        Status {
            state: self.phase,
            blue_image: self.blue_image.clone(),
            green_image: self.green_image.clone(),
            former_blue: self.former_blue.clone(),
            canary_weight: self.weight,
            traffic_split: TrafficSplit {
                blue: 100_u8.saturating_sub(green),
                green,
            },
            release_id: self.id.clone(),
            under_way: self.under_way(),
            outcome: match (self.under_way(), &self.outcome) {
                (true, _) => "under_way",
                (false, Some(Outcome::Promoted)) => "promoted",
                (false, Some(Outcome::RolledBack(_))) => "rolled_back",
                (false, None) => "none",
            },
            reason: match &self.outcome {
                Some(Outcome::RolledBack(reason)) => Some(reason.clone()),
                Some(Outcome::Promoted) | None => None,
            },
            former_green: self.former_green.clone(),
            ended_at: self.ended_at,
            paused: self.paused.clone(),
            step: plan
                .zip(self.step())
                .and_then(|(plan, weight)| plan.place(weight)),
            steps: plan.map(|plan| plan.weights.clone()).unwrap_or_default(),
            regions: plan.map(Plan::region_names).unwrap_or_default(),
            next_deadline: self.next_deadline(),
            blue_pool: self.blue_pool,
        }
    }
}
