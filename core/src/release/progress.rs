//! What must become true next, read from the state alone: a crash between record and effect heals by
//! asking again.

use super::{Action, Phase, RegionTarget, Release, Weight};
use crate::time::Timestamp;

/// A change some regions have yet to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apply<'a> {
    /// The change.
    pub action: Action,
    /// The weight it brings.
    pub weight: Weight,
    /// The image it is about: green's, or blue's in a rollback.
    pub image: &'a str,
    /// The command that makes it.
    pub on_step: &'a str,
    /// The directory it runs in, where one is on record.
    pub on_step_dir: Option<&'a str>,
    /// The regions.
    pub regions: alloc::vec::Vec<&'a RegionTarget>,
}

/// What a driver has to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing: no release is under way, or it has no plan and a person gives every command.
    Rest,
    /// Wait for a person.
    Hold,
    /// Make a change in these regions and confirm each.
    Apply(Apply<'a>),
    /// Smoke-test every region, then enter this step.
    Enter {
        /// The step.
        weight: Weight,
    },
    /// Probe every region until the step has baked, then give a verdict.
    Bake {
        /// The step.
        weight: Weight,
        /// When it has baked, by the journal's clock.
        until: Timestamp,
    },
    /// Every step is through: promote.
    Finish,
    /// Every region is back on blue: say so.
    CompleteRollback,
}

impl Release {
    /// What must become true next, read from the state alone; the crate's documentation has the loop.
    ///
    /// ```
    /// use halcyon_core::release::{Release, Step};
    /// assert_eq!(Release::default().next_step(), Step::Rest);
    /// ```
    pub fn next_step(&self) -> Step<'_> {
        if self.phase == Phase::RollbackInProgress {
            return self.apply().map_or(Step::CompleteRollback, Step::Apply);
        }
        let Some(plan) = self.plan.as_ref().filter(|_| self.phase != Phase::Idle) else {
            return Step::Rest;
        };
        if self.phase == Phase::GreenLive {
            return self.apply().map_or(Step::Rest, Step::Apply);
        }
        // A change on record is made in every region even while the plan holds: a pause holds what comes next.
        if let Some(apply) = self.apply() {
            return Step::Apply(apply);
        }
        if self.paused.is_some() {
            return Step::Hold;
        }
        if self.phase == Phase::Canary && self.verdict.is_none() {
            return Step::Bake {
                weight: self.weight,
                until: self.bake_from.plus(plan.bake_ms),
            };
        }
        plan.after(self.step())
            .map_or(Step::Finish, |weight| Step::Enter { weight })
    }

    /// When to look again: the end of the current bake, or the release's deadline if that is earlier.
    /// None where nothing happens by itself.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let bake = match self.next_step() {
            Step::Bake { until, .. } => Some(until),
            Step::Rest
            | Step::Hold
            | Step::Apply(_)
            | Step::Enter { .. }
            | Step::Finish
            | Step::CompleteRollback => None,
        };
        let deadline = self
            .plan
            .as_ref()
            .filter(|_| self.under_way())
            .and_then(|plan| plan.deadline);
        [bake, deadline].into_iter().flatten().min()
    }

    /// The plan's step in force; none before the first.
    pub fn step(&self) -> Option<Weight> {
        (self.phase == Phase::Canary).then_some(self.weight)
    }

    /// Regions that have yet to make the change in force. Without a hook there is nothing to make.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &RegionTarget> {
        let plan = self
            .plan
            .iter()
            .filter(|plan| plan.on_step.is_some() && self.target.is_some());
        plan.flat_map(|plan| &plan.regions)
            .filter(|region| !self.confirmed.contains(&region.name))
    }

    pub(super) fn has_hook(&self) -> bool {
        self.plan
            .as_ref()
            .is_some_and(|plan| plan.on_step.is_some())
    }

    fn apply(&self) -> Option<Apply<'_>> {
        let on_step = self.plan.as_ref()?.on_step.as_deref()?;
        let regions: alloc::vec::Vec<_> = self.unconfirmed().collect();
        let action = self.target.filter(|_| !regions.is_empty())?;
        let image = match action {
            Action::RollbackToBlue => self.blue_image.as_deref(),
            Action::ProvisionGreen
            | Action::StartCanary
            | Action::IncreaseWeight
            | Action::PromoteGreen => self.green_image.as_deref(),
        };
        Some(Apply {
            action,
            weight: self.weight,
            image: image.unwrap_or(""),
            on_step,
            on_step_dir: self.plan.as_ref()?.on_step_dir.as_deref(),
            regions,
        })
    }
}
