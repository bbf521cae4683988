//! Folding what happened into the state. No policy here: whatever is recorded did happen.

use super::{Action, Check, Event, Fact, Outcome, Phase, Release, Verdict, Weight};
use crate::time::Timestamp;

impl Release {
    /// Folds one recorded fact into the state.
    pub fn evolve(&mut self, fact: &Fact) {
        let at = fact.at;
        match &fact.event {
            Event::ProvisionGreen {
                image_tag,
                initial_blue,
                plan,
            } => {
                if self.phase == Phase::GreenLive {
                    self.blue_pool = self.blue_pool.other();
                }
                self.phase = Phase::GreenProvisioned;
                self.blue_image = self.blue_image.take().or_else(|| initial_blue.clone());
                self.green_image = Some(image_tag.clone());
                self.former_blue = None;
                self.id.clone_from(&fact.release_id);
                self.plan.clone_from(plan);
                self.started_at = at;
                self.paused = None;
                self.judged.clear();
                self.outcome = None;
                self.former_green = None;
                self.ended_at = None;
                self.enter(Action::ProvisionGreen, Weight::ZERO, at);
            }
            Event::StartCanary { weight } => {
                self.phase = Phase::Canary;
                self.enter(Action::StartCanary, *weight, at);
            }
            Event::IncreaseWeight { new_weight, .. } => {
                self.enter(Action::IncreaseWeight, *new_weight, at)
            }
            Event::PromoteGreen { new_blue, .. } => {
                self.phase = Phase::GreenLive;
                self.former_blue = self.blue_image.replace(new_blue.clone());
                self.paused = None;
                self.outcome = Some(Outcome::Promoted);
                self.ended_at = Some(at);
                self.enter(Action::PromoteGreen, Weight::FULL, at);
            }
            Event::RollbackToBlue { reason, .. } => self.roll_back_to_blue(reason, at),
            Event::RollbackComplete {} => {
                self.phase = Phase::Idle;
                self.ended_at = Some(at);
                self.green_image = None;
                self.former_blue = None;
                self.weight = Weight::ZERO;
                self.target = None;
            }
            Event::RegionConfirmed { region, change } => {
                if self.target == Some(*change) {
                    self.confirmed.insert(region.clone(), ());
                    self.bake_from = at;
                }
            }
            Event::StepPassed { weight, .. } => {
                self.verdict = Some(Verdict::Passed);
                self.judged.insert(*weight, true);
            }
            Event::StepFailed {
                weight,
                check: Check::Bake,
                ..
            } => {
                self.verdict = Some(Verdict::Tolerated);
                self.judged.insert(*weight, false);
            }
            Event::StepFailed {
                check: Check::Hook,
                failures,
                ..
            } => {
                for failure in failures {
                    self.confirmed.insert(failure.region.clone(), ());
                }
                self.bake_from = at;
            }
            Event::StepFailed {
                check: Check::Smoke,
                ..
            } => {}
            Event::Pause { reason } => self.paused = Some(reason.clone()),
            Event::Resume {} => {
                self.paused = None;
                self.take_up(at);
            }
            Event::AttachDriver {} => self.take_up(at),
            Event::DetachDriver { .. } => {}
            Event::PermissionDenied { .. } => {}
        }
    }

    /// Remembers who was refused, so that the next refusal within a second is not recorded again.
    pub fn note_denial(&mut self, user: &str, at: Timestamp) {
        self.denials.retain(|before| is_recent(*before, at));
        self.denials.insert(user.into(), at);
    }

    /// From `green_live`, blue is the former blue again; from `idle` and during a rollback nothing changes.
    fn roll_back_to_blue(&mut self, reason: &str, at: Timestamp) {
        match self.phase {
            Phase::Idle | Phase::RollbackInProgress => return,
            Phase::GreenLive => self.blue_image = self.former_blue.take(),
            Phase::GreenProvisioned | Phase::Canary => {}
        }
        self.phase = Phase::RollbackInProgress;
        self.paused = None;
        self.outcome = Some(Outcome::RolledBack(reason.into()));
        self.former_green.clone_from(&self.green_image);
        self.ended_at = None;
        self.enter(Action::RollbackToBlue, Weight::ZERO, at);
    }

    /// Somebody goes on with it, and the step bakes anew.
    fn take_up(&mut self, at: Timestamp) {
        self.bake_from = at;
        self.taken_up = at;
    }

    /// A new change is in force: every region has it to make, and its step has no verdict.
    fn enter(&mut self, action: Action, weight: Weight, at: Timestamp) {
        self.weight = weight;
        self.target = Some(action);
        self.confirmed.clear();
        self.verdict = None;
        self.bake_from = at;
    }
}

/// Whether a refusal at `before` keeps one at `now` from being recorded. A clock that went back
/// keeps none.
pub(super) fn is_recent(before: Timestamp, now: Timestamp) -> bool {
    now >= before && now.since(before) < 1000
}
