//! What must be so before a plan goes on.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Action, Phase, Rejection, Release, Weight};
use crate::text::Seen;

impl Release {
    /// The next share must be the plan's next step, after everything before it is done.
    pub(super) fn gate_next_step(
        &self,
        words: &'static str,
        weight: Weight,
    ) -> Result<(), Rejection> {
        let Some(plan) = &self.plan else {
            return Ok(());
        };
        let expected = plan.after(self.step());
        if expected != Some(weight) {
            let expected = expected.map_or("promotion".to_string(), |next| format!("{next}%"));
            return Err(Rejection::NotInPlan {
                words,
                found: weight,
                expected,
            });
        }
        self.gate_done(words)
    }

    pub(super) fn gate_promotion(&self, words: &'static str) -> Result<(), Rejection> {
        let not_yet = |why: &str| Rejection::NotYet {
            words,
            why: why.to_string(),
        };
        let plan = self
            .plan
            .as_ref()
            .ok_or_else(|| not_yet("the release has no plan to finish"))?;
        if let Some(next) = plan.after(self.step()) {
            return Err(Rejection::NotYet {
                words,
                why: format!("step {next}% is still to come"),
            });
        }
        self.gate_done(words)
    }

    /// Nothing of the current step is open, and nobody paused.
    pub(super) fn gate_done(&self, words: &'static str) -> Result<(), Rejection> {
        let not_yet = |why: String| Err(Rejection::NotYet { words, why });
        if self.paused.is_some() {
            return not_yet("the release is paused".to_string());
        }
        if let Some(open) = self.unconfirmed().next() {
            return not_yet(format!(
                "region {} has not confirmed {}",
                Seen(&open.name),
                self.target_name()
            ));
        }
        if self.phase == Phase::Canary && self.verdict.is_none() {
            return not_yet(format!("step {}% has not passed", self.weight));
        }
        Ok(())
    }

    /// A verdict is about the step in force, once, with every region on it and nobody pausing.
    pub(super) fn gate_verdict(
        &self,
        words: &'static str,
        weight: Weight,
    ) -> Result<(), Rejection> {
        let not_yet = |why: String| Err(Rejection::NotYet { words, why });
        if self.phase != Phase::Canary || weight != self.weight {
            return not_yet(format!(
                "step {weight}% is not in force; that is {}%",
                self.weight
            ));
        }
        if self.paused.is_some() {
            return not_yet("the release is paused".to_string());
        }
        if let Some(open) = self.unconfirmed().next() {
            return not_yet(format!(
                "region {} has not confirmed {}",
                Seen(&open.name),
                self.target_name()
            ));
        }
        if self.verdict.is_some() {
            return not_yet(format!("step {weight}% has its verdict"));
        }
        Ok(())
    }

    /// A hook fails while it makes the change in force; later, the failure is about another change.
    pub(super) fn gate_hook_failure(
        &self,
        words: &'static str,
        weight: Weight,
    ) -> Result<(), Rejection> {
        let not_yet = |why: String| Err(Rejection::NotYet { words, why });
        if weight != self.weight {
            return not_yet(format!(
                "step {weight}% is not in force; that is {}%",
                self.weight
            ));
        }
        if self.unconfirmed().next().is_none() {
            return not_yet("no region has a change to make".to_string());
        }
        Ok(())
    }

    pub(super) fn target_name(&self) -> &'static str {
        self.target.map_or("nothing", Action::name)
    }
}
