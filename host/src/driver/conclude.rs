//! What was done in the world, turned into commands.

use halcyon_core::release::{Check, Command, Phase, RegionFailure, Rejection, Weight};

use super::task::{Report, Task};
use super::{Driver, GOING_ON};
use crate::journal::JournalError;

impl Driver {
    /// Turns what was done into commands. Answers with the failures of a rollback that has to be tried
    /// again.
    pub(super) fn conclude(
        &mut self,
        task: &Task,
        report: Report,
    ) -> Result<Option<Vec<RegionFailure>>, JournalError> {
        match report {
            Report::Cancelled => {}
            Report::Applied {
                change,
                weight,
                confirmed,
                failures,
            } => {
                for region in confirmed {
                    self.confirm(&Command::ConfirmRegion { region, change })?;
                }
                if failures.is_empty() {
                    return Ok(None);
                }
                if task.is_rollback() {
                    self.observer
                        .warn(&format!("rolling back failed in {}", joined(&failures)));
                    return Ok(Some(failures));
                }
                self.fail(
                    task,
                    Check::Hook,
                    weight,
                    failures,
                    &format!("{change} failed in"),
                )?;
            }
            Report::Smoked { weight, failures } => {
                if !failures.is_empty() {
                    let went_on = self.fail(
                        task,
                        Check::Smoke,
                        weight,
                        failures,
                        &format!("smoke test before {weight}% failed in"),
                    )?;
                    if !went_on {
                        return Ok(None);
                    }
                }
                let weight = i64::from(weight.percent());
                self.append_while(
                    task,
                    &match self.journal.release().phase() {
                        Phase::GreenProvisioned => Command::StartCanary { weight },
                        Phase::Idle
                        | Phase::Canary
                        | Phase::GreenLive
                        | Phase::RollbackInProgress => Command::IncreaseWeight { weight },
                    },
                )?;
            }
            Report::Baked {
                weight,
                baked_ms,
                rounds,
                failures,
                traffic,
            } if failures.is_empty() => {
                self.append_while(
                    task,
                    &Command::PassStep {
                        weight,
                        baked_ms,
                        rounds,
                        traffic,
                    },
                )?;
            }
            Report::Baked {
                weight, failures, ..
            } => {
                self.fail(
                    task,
                    Check::Bake,
                    weight,
                    failures,
                    &format!("step {weight}% failed in"),
                )?;
            }
            Report::Finish => {
                self.append_while(task, &Command::FinishPlan)?;
            }
            Report::CompleteRollback => {
                self.append_while(task, &Command::CompleteRollback)?;
            }
        }
        Ok(None)
    }

    /// A step was found wanting: rolls back, or records it and goes on. Says whether it goes on.
    fn fail(
        &mut self,
        task: &Task,
        check: Check,
        weight: Weight,
        failures: Vec<RegionFailure>,
        what: &str,
    ) -> Result<bool, JournalError> {
        let why = format!("{what} {}", joined(&failures));
        let abort = self
            .journal
            .release()
            .plan()
            .is_some_and(|plan| plan.abort_on_err);
        if abort {
            self.append_while(task, &Command::RollbackToBlue { reason: why })?;
            return Ok(false);
        }
        self.observer.warn(&format!("{why}; {GOING_ON}"));
        self.append_while(
            task,
            &Command::FailStep {
                weight,
                check,
                failures,
            },
        )
    }

    /// Appends unless somebody else's append has made the task pointless. Says whether it did.
    fn append_while(&mut self, task: &Task, command: &Command) -> Result<bool, JournalError> {
        loop {
            self.refresh()?;
            if Task::of(self.journal.release()) != *task {
                return Ok(false);
            }
            match self.append(command, Some(self.journal.head().seq)) {
                Ok(()) => return Ok(true),
                Err(JournalError::Moved) => {}
                Err(other) => return Err(other),
            }
        }
    }

    /// A confirmation comes too late when another change is in force by now; that is no failure.
    fn confirm(&mut self, command: &Command) -> Result<(), JournalError> {
        match self.append(command, None) {
            Err(JournalError::Refused(
                why @ (Rejection::NotYet { .. } | Rejection::State { .. }),
            )) => {
                self.observer.warn(&why.to_string());
                Ok(())
            }
            other => other,
        }
    }
}

pub(super) fn joined(failures: &[RegionFailure]) -> String {
    failures
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
