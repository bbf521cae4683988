//! What must be so before a plan goes on.

use alloc::string::String;

use super::{Action, Phase, Rejection, Release, Traffic, Weight};
use crate::text::{Message, message};

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
            let expected = match expected {
                Some(next) => message!("{}%", &next.text()).text(),
                None => String::from("promotion"),
            };
            return Err(Rejection::NotInPlan {
                words,
                found: weight,
                expected,
            });
        }
        self.gate_done(words)
    }

    pub(super) fn gate_promotion(&self, words: &'static str) -> Result<(), Rejection> {
        let Some(plan) = &self.plan else {
            return Err(not_yet(
                words,
                message!("the release has no plan to finish"),
            ));
        };
        if let Some(next) = plan.after(self.step()) {
            return Err(not_yet(
                words,
                message!("step {}% is still to come", &next.text()),
            ));
        }
        self.gate_done(words)
    }

    /// Nothing of the current step is open, and nobody paused.
    pub(super) fn gate_done(&self, words: &'static str) -> Result<(), Rejection> {
        self.gate_in_force(words)?;
        if self.phase == Phase::Canary && self.verdict.is_none() {
            let weight = self.weight.text();
            return Err(not_yet(words, message!("step {}% has not passed", &weight)));
        }
        Ok(())
    }

    /// A verdict is about the step in force, once, with every region on it and nobody pausing.
    pub(super) fn gate_verdict(
        &self,
        words: &'static str,
        weight: Weight,
    ) -> Result<(), Rejection> {
        if self.phase != Phase::Canary {
            return self.not_in_force(words, weight);
        }
        self.gate_step(words, weight)?;
        self.gate_in_force(words)?;
        if self.verdict.is_some() {
            return Err(not_yet(
                words,
                message!("step {}% has its verdict", &weight.text()),
            ));
        }
        Ok(())
    }

    /// Every region has made the change in force, and nobody paused.
    fn gate_in_force(&self, words: &'static str) -> Result<(), Rejection> {
        if self.paused.is_some() {
            return Err(not_yet(words, message!("the release is paused")));
        }
        self.gate_confirmed(words, self.target_name())
    }

    /// Every region has confirmed the change.
    pub(super) fn gate_confirmed(
        &self,
        words: &'static str,
        change: &str,
    ) -> Result<(), Rejection> {
        match self.unconfirmed().next() {
            Some(open) => Err(not_yet(
                words,
                message!("region {?} has not confirmed {}", &open.name, change),
            )),
            None => Ok(()),
        }
    }

    /// The step is the one in force.
    fn gate_step(&self, words: &'static str, weight: Weight) -> Result<(), Rejection> {
        match weight == self.weight {
            true => Ok(()),
            false => self.not_in_force(words, weight),
        }
    }

    fn not_in_force(&self, words: &'static str, weight: Weight) -> Result<(), Rejection> {
        let (weight, in_force) = (weight.text(), self.weight.text());
        Err(not_yet(
            words,
            message!("step {}% is not in force; that is {}%", &weight, &in_force),
        ))
    }

    /// A hook fails while it makes the change in force; later, the failure is about another change.
    pub(super) fn gate_hook_failure(
        &self,
        words: &'static str,
        weight: Weight,
    ) -> Result<(), Rejection> {
        self.gate_step(words, weight)?;
        if self.unconfirmed().next().is_none() {
            return Err(not_yet(words, message!("no region has a change to make")));
        }
        Ok(())
    }

    /// Where the plan has limits for green's traffic, there was enough of it, and it kept to them.
    pub(super) fn gate_traffic(
        &self,
        words: &'static str,
        traffic: Option<Traffic>,
    ) -> Result<(), Rejection> {
        // At 0 % nobody is on green.
        let plan = self.plan.as_ref().filter(|_| self.weight > Weight::ZERO);
        let limits = plan.and_then(|plan| plan.limits);
        // What is not known is as if there were none.
        match limits.is_none_or(|limits| limits.hold(&traffic.unwrap_or_default())) {
            true => Ok(()),
            false => Err(not_yet(
                words,
                message!("green's traffic is too little, or breaks a limit"),
            )),
        }
    }

    pub(super) fn target_name(&self) -> &'static str {
        self.target.map_or("nothing", Action::name)
    }
}

/// The refusal of what cannot be yet.
pub(super) fn not_yet(words: &'static str, why: Message<'_>) -> Rejection {
    let why = why.text();
    Rejection::NotYet { words, why }
}
