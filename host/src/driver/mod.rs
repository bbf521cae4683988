//! Driving a release: making true what the state says must become true, and saying so.
//!
//! The driver holds no state of its own. It asks [`Release::next_step`], does that in the world,
//! confirms with a command that is appended only if nobody else appended in between, and asks again. So
//! a killed driver loses nothing, and a `pause`, `promote` or `rollback` from another terminal is obeyed
//! as soon as it is seen in the journal.

mod conclude;
mod hook;
mod interrupt;
mod observe;
mod orphans;
mod probe;
mod task;

use std::sync::Arc;
use std::time::{Duration, Instant};

use halcyon_core::release::{Check, Command, Context, Event, Outcome, Phase, Release};
use halcyon_core::role::Actor;
use tokio::sync::watch;

pub(crate) use hook::{check_hook, is_command};
pub(crate) use interrupt::ignores_hangup;
pub use interrupt::{Hold, Interrupt, Signal, signals};
pub use observe::{Doing, Observer};
pub use orphans::Hooks;
pub(crate) use probe::{green_pool_of, join_all};
pub use task::{Judge, StepOf, World};

use crate::clock;
use crate::journal::{Journal, JournalError};
use conclude::joined;
use task::{Report, Task};

/// How long one run of a step hook may take.
pub(crate) const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a failure ends no release.
const GOING_ON: &str = "going on, because --abort-on-err is not set";

/// How often a region's part of a rollback is tried before a person is needed.
const ROLLBACK_TRIES: u32 = 3;

/// How a drive ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Green is live everywhere.
    Promoted,
    /// Blue serves everywhere, and why.
    RolledBack(String),
    /// The release is under way and nobody drives it.
    Held,
    /// Blue has all the weight on record, but some region did not confirm it.
    RollbackIncomplete(String),
    /// No release has ever been.
    Nothing,
}

/// What ended a drive before the plan did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The deadline ran out.
    Deadline,
    /// A signal asked for it.
    Signal(Signal),
}

/// Drives the release of one journal to its end.
pub struct Driver {
    /// The journal; the driver lock of its directory is the caller's to hold.
    pub journal: Journal,
    /// Who drives.
    pub actor: Actor,
    /// `FEATURE_BLUE_GREEN=false`.
    pub kill_switch: bool,
    /// How the world is reached.
    pub world: World,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// When the release is to be over.
    pub deadline: Option<Instant>,
    /// Signals that ask to stop.
    pub signals: watch::Receiver<Option<Signal>>,
    /// Whether this drive has begun, or found, a rollback.
    pub rolling_back: bool,
    /// Whether to leave the release as it is, without a word on record: somebody drives it on later.
    pub hold: watch::Receiver<Hold>,
}

/// Whether a journal error means that nothing can be put on record.
fn unwritten(error: &JournalError) -> bool {
    match error {
        JournalError::Full { .. }
        | JournalError::Io { .. }
        | JournalError::ReadOnly { .. }
        | JournalError::Locked { .. } => true,
        JournalError::Refused(_) | JournalError::Moved | JournalError::Corrupt { .. } => false,
    }
}

impl Driver {
    /// Drives until there is nothing more to do, or to wait for.
    ///
    /// # Errors
    /// When the journal cannot be read or written. What is on record stays in force.
    pub async fn run(&mut self) -> Result<(End, Option<Cause>), JournalError> {
        let mut cause = None;
        match self.drive(&mut cause).await {
            // Blue may not have its weight back, and nothing here can see to it: that takes a person.
            Err(why) if self.rolling_back && unwritten(&why) => {
                Ok((End::RollbackIncomplete(why.to_string()), cause))
            }
            Err(why) => Err(why),
            Ok(end) => Ok((end, cause)),
        }
    }

    async fn drive(&mut self, cause: &mut Option<Cause>) -> Result<End, JournalError> {
        let mut failed_rollbacks = 0;
        self.refresh()?;
        let ours = self.journal.release().id().map(str::to_owned);
        loop {
            self.refresh()?;
            let now = self.journal.release().id();
            if ours.is_some() && now != ours.as_deref() {
                // Somebody has ended it and begun another one, which is somebody else's to drive.
                return self.end_on_record(ours.as_deref());
            }
            let task = Task::of(self.journal.release());
            self.observer
                .state(self.journal.release(), task.until(self.journal.release()));
            if task == Task::Rest {
                return Ok(end_of(self.journal.release()));
            }
            if self.hold.borrow().holds(task.is_rollback()) {
                return Ok(End::Held);
            }
            match self.perform(&task, cause).await? {
                Performed::Stale | Performed::Left => {}
                Performed::Interrupted(why) => {
                    *cause = Some(why);
                    if self.stop(why)? {
                        return Ok(End::Held);
                    }
                }
                Performed::Done(report) => {
                    if let Some(failures) = self.conclude(&task, report)? {
                        failed_rollbacks += 1;
                        if failed_rollbacks >= ROLLBACK_TRIES {
                            return Ok(End::RollbackIncomplete(joined(&failures)));
                        }
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }

    /// How a release that is over has ended.
    fn end_on_record(&self, release_id: Option<&str>) -> Result<End, JournalError> {
        let (_, entries) = Journal::open_with_entries(self.journal.dir())?;
        let records = entries.iter().rev().map(|entry| &entry.record);
        let mut of_it = records.filter(|record| record.release_id.as_deref() == release_id);
        let end = of_it.find_map(|record| how_it_ends(&record.event));
        Ok(end.unwrap_or(End::Held))
    }

    /// Does a task in the world, for as long as it is what the state asks for.
    async fn perform(
        &mut self,
        task: &Task,
        cause: &mut Option<Cause>,
    ) -> Result<Performed, JournalError> {
        let stopping = cause.is_some();
        let (cancel, cancelled) = watch::channel(false);
        let world = self.world.clone();
        let observer = Arc::clone(&self.observer);
        let mut work = std::pin::pin!(task.perform(&world, &*observer, cancelled));
        // Somebody who presses Ctrl-C twice means it; the first one of a rollback only notes the wish.
        let mut deadline = self
            .deadline
            .filter(|_| !stopping && *task != Task::CompleteRollback);
        let mut heed_signals = !stopping;
        loop {
            let interrupt = interrupt::next(
                &self.journal,
                deadline,
                heed_signals.then(|| self.signals.clone()),
                (self.hold.clone(), task.is_rollback()),
            );
            tokio::select! {
                report = &mut work => return Ok(Performed::Done(report)),
                why = interrupt => match why {
                    Interrupt::Changed => {
                        if let Err(why) = self.refresh() {
                            let _ = cancel.send(true);
                            work.await;
                            return Err(why);
                        }
                        if Task::of(self.journal.release()) == *task {
                            continue;
                        }
                        let _ = cancel.send(true);
                        work.await;
                        return Ok(Performed::Stale);
                    }
                    Interrupt::Hold => {
                        let _ = cancel.send(true);
                        work.await;
                        return Ok(Performed::Left);
                    }
                    Interrupt::Deadline if task.is_rollback() => deadline = None,
                    Interrupt::Signal(signal) if task.is_rollback() => {
                        *cause = Some(Cause::Signal(signal));
                        heed_signals = false;
                        observer.warn("finishing the rollback; a second signal leaves it as it is");
                    }
                    Interrupt::Deadline => {
                        let _ = cancel.send(true);
                        work.await;
                        return Ok(Performed::Interrupted(Cause::Deadline));
                    }
                    Interrupt::Signal(signal) => {
                        if matches!(task, Task::Apply { .. }) {
                            // It may take its time, and whoever sees nothing presses again.
                            observer.warn("stopping the step hook; a second signal leaves the release as it is");
                        }
                        let _ = cancel.send(true);
                        work.await;
                        return Ok(Performed::Interrupted(Cause::Signal(signal)));
                    }
                }
            }
        }
    }

    /// Rolls back, or leaves the release where it is. Says whether it is left.
    fn stop(&mut self, cause: Cause) -> Result<bool, JournalError> {
        let reason = match cause {
            Cause::Deadline => "the deadline ran out".to_owned(),
            Cause::Signal(signal) => format!("interrupted by {}", signal.name()),
        };
        // Somebody else may end the release in this very moment; what is over is left alone.
        loop {
            self.refresh()?;
            let release = self.journal.release();
            if Task::of(release) == Task::Rest {
                return Ok(false);
            }
            let abort = release.plan().is_some_and(|plan| plan.abort_on_err);
            let reason = reason.clone();
            let command = if abort {
                Command::RollbackToBlue { reason }
            } else {
                Command::DetachDriver { reason }
            };
            match self.append(&command, Some(self.journal.head().seq)) {
                Ok(()) => return Ok(!abort),
                Err(JournalError::Moved) => {}
                Err(other) => return Err(other),
            }
        }
    }

    fn append(&mut self, command: &Command, expected_seq: Option<u64>) -> Result<(), JournalError> {
        // What others appended is shown before what this appends.
        if expected_seq.is_none() {
            self.refresh()?;
        }
        let rollback = matches!(
            command,
            Command::RollbackToBlue { .. } | Command::CompleteRollback
        );
        self.rolling_back |=
            rollback || self.journal.release().phase() == Phase::RollbackInProgress;
        let context = Context {
            actor: &self.actor,
            kill_switch: self.kill_switch,
            new_release_id: "",
        };
        let appended = self
            .journal
            .append(command, &context, expected_seq, clock::now());
        for entry in self.journal.take_missed() {
            self.observer.entry(&entry);
        }
        for entry in &appended? {
            self.observer.entry(entry);
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), JournalError> {
        for entry in self.journal.refresh_durably()? {
            self.observer.entry(&entry);
        }
        Ok(())
    }
}

enum Performed {
    Done(Report),
    /// The state asks for something else by now.
    Stale,
    /// It is to be left as it is.
    Left,
    Interrupted(Cause),
}

/// How a release ends by an event, if it does.
pub(crate) fn how_it_ends(event: &Event) -> Option<End> {
    match event {
        Event::PromoteGreen { .. } => Some(End::Promoted),
        Event::RollbackToBlue { reason, .. } => Some(End::RolledBack(reason.clone())),
        _ => None,
    }
}

/// What is said of a failure that a plan tolerates, where an event is one.
pub(crate) fn tolerated(event: &Event) -> Option<String> {
    let Event::StepFailed {
        weight,
        check,
        failures,
    } = event
    else {
        return None;
    };
    let what = match check {
        Check::Smoke => format!("smoke test before {weight}% failed in"),
        Check::Hook => format!("the step hook of {weight}% failed in"),
        Check::Bake => format!("step {weight}% failed in"),
    };
    let why = joined(failures);
    Some(format!("{what} {why}; {GOING_ON}"))
}

/// How a journal's last release ended, as its state says.
pub fn end_of(release: &Release) -> End {
    match (release.under_way(), release.outcome()) {
        (true, _) => End::Held,
        (false, Some(Outcome::Promoted)) => End::Promoted,
        (false, Some(Outcome::RolledBack(reason))) => End::RolledBack(reason.clone()),
        (false, None) => End::Nothing,
    }
}
