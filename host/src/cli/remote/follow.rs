//! Releases that a control plane drives: begun, steered and watched from here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use halcyon_core::release::{Phase, Step, Weight};
use halcyon_core::text::printable;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use super::history::Missing;
use super::{Begin, History, give, reason};
use crate::cli::release::{Ended, compare_blue, conclude, show, warn_of_others};
use crate::cli::{Exit, Failure, Invocation};
use crate::clock;
use crate::driver::{Cause, End, Observer, Signal, end_of, how_it_ends, signals, tolerated};
use crate::net::api::Api;

/// How often it is asked what is new.
const LOOK: Duration = Duration::from_millis(300);

/// How long nobody may drive what is under way before it is said: a server takes it up in less.
const ALONE: Duration = Duration::from_secs(5);

/// Begins a release there, and stays until it is over.
pub(in crate::cli) async fn begin(
    api: Api,
    wish: &Begin<'_>,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let deadline = wish.deadline.map(|patience| Instant::now() + patience);
    let mut attached = Attached::to(api, invocation).await?;
    if let Some(known) = attached.history.ledger().release().blue_image() {
        compare_blue(known, wish.image_blue, invocation);
    }
    let known = attached.history.regions().iter();
    warn_of_others(
        wish.plan,
        known.map(|region| region.name.as_str()),
        invocation,
    );
    let there = attached.history.ledger().release().under_way();
    let begun = give(
        attached.history.api(),
        "/api/v1/releases",
        Some(wish.body()),
    )
    .await;
    let begun = begun.map_err(|failure| match failure.exit {
        // Of one that does not let anybody begin there is nothing to steer.
        Exit::Refused if there => failure.hint(
            "`halcyon status` shows it, `halcyon release --resume` attaches to it, `halcyon rollback --reason …` ends it.",
        ),
        _ => failure,
    })?;
    let id = begun["release_id"].as_str().unwrap_or_default().to_owned();
    let ended = attached.until_over(Some(&id), deadline).await;
    let ended = ended.map_err(|failure| {
        let at = attached.history.api().at();
        failure.hint(format!("The release goes on at {at}, unwatched."))
    })?;
    attached.conclude(ended, invocation)
}

/// Attaches to the release under way, or says how the last one ended.
pub(in crate::cli) async fn resumed(
    api: Api,
    deadline: Option<Duration>,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let deadline = deadline.map(|patience| Instant::now() + patience);
    let mut attached = Attached::to(api, invocation).await?;
    let release = attached.history.ledger().release();
    if end_of(release) == End::Nothing {
        let at = attached.history.api().at();
        let what = format!("--resume: there has never been a release at {at}");
        return Err(Failure::new(Exit::Usage, what));
    }
    if !release.under_way() && release.next_step() == Step::Rest {
        invocation.say("nothing is under way; this is how the last release ended:");
    }
    let id = release.id().map(str::to_owned);
    let ended = attached.until_over(id.as_deref(), deadline).await?;
    attached.conclude(ended, invocation)
}

/// Makes green live there, and waits until it is so in every region.
pub(in crate::cli) async fn promote(api: Api, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut attached = Attached::to(api, invocation).await?;
    let said = give(attached.history.api(), "/api/v1/release/promote", None).await?;
    let (end, cause) = attached.until_over(id_of(&said), None).await?;
    show::outcome(attached.history.ledger(), invocation)?;
    match (end, cause) {
        (_, Some(Cause::Signal(signal))) => Ok(attached.detached(signal, invocation)),
        (End::RollbackIncomplete(why), _) => Err(incomplete(&why)),
        (End::RolledBack(why), _) => Err(Failure::new(
            Exit::RolledBack,
            format!("rolled back: {why}"),
        )),
        _ => Ok(Exit::Done),
    }
}

/// Gives blue everything there, and waits until every region has confirmed.
pub(in crate::cli) async fn rollback(
    api: Api,
    why: &str,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let mut attached = Attached::to(api, invocation).await?;
    let idle = attached.history.ledger().release().phase() == Phase::Idle;
    let said = give(
        attached.history.api(),
        "/api/v1/release/rollback",
        Some(reason(why)),
    )
    .await?;
    if idle {
        invocation.say(
            "nothing to roll back there: blue already serves everybody; recorded all the same",
        );
    }
    let (end, cause) = attached.until_over(id_of(&said), None).await?;
    show::outcome(attached.history.ledger(), invocation)?;
    match (end, cause) {
        (_, Some(Cause::Signal(signal))) => Ok(attached.detached(signal, invocation)),
        (End::RollbackIncomplete(why), _) => Err(incomplete(&why)),
        _ => Ok(Exit::Done),
    }
}

/// The release that an answer is about: somebody may begin another one before this one is seen to be over.
fn id_of(said: &Value) -> Option<&str> {
    said["release_id"].as_str()
}

fn incomplete(why: &str) -> Failure {
    let what = format!("rollback incomplete: {why}");
    Failure::new(Exit::RollbackIncomplete, what).hint(
        "Blue has all the weight on record, and the server goes on trying. Mend what its hook needs; with another hook, beside its journal: halcyon rollback --reason … --on-step CMD",
    )
}

/// Holds the release there.
pub(in crate::cli) async fn pause(
    api: Api,
    why: &str,
    invocation: &Invocation,
) -> Result<Exit, Failure> {
    let attached = Attached::to(api, invocation).await?;
    let release = attached.history.ledger().release();
    let paused = release.id().filter(|_| release.paused().is_some());
    let paused = paused.map(str::to_owned);
    let said = said(
        attached,
        "/api/v1/release/pause",
        Some(reason(why)),
        invocation,
    )
    .await?;
    // Whoever paused it has given a reason, which stays.
    if paused.is_some() && id_of(&said) == paused.as_deref() {
        invocation.say("it is paused already");
    }
    Ok(Exit::Done)
}

/// Lets it go on.
pub(in crate::cli) async fn resume(api: Api, invocation: &Invocation) -> Result<Exit, Failure> {
    let attached = Attached::to(api, invocation).await?;
    said(attached, "/api/v1/release/resume", None, invocation).await?;
    Ok(Exit::Done)
}

async fn said(
    mut attached: Attached,
    path: &str,
    body: Option<Value>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let said = give(attached.history.api(), path, body).await?;
    attached.look().await?;
    attached.observer.close();
    show::outcome(attached.history.ledger(), invocation)?;
    Ok(said)
}

/// Somebody who watches a release there.
struct Attached {
    history: History,
    observer: Arc<dyn Observer>,
    signals: watch::Receiver<Option<Signal>>,
    /// The step of which it has been said that it waits.
    waits: Option<Weight>,
    /// It has been said that nobody drives the release.
    alone: bool,
    /// The release that is watched, where it is one, and how it ends by what is on record.
    id: Option<String>,
    ended: Option<End>,
}

impl Attached {
    async fn to(api: Api, invocation: &Invocation) -> Result<Self, Failure> {
        let signals = signals();
        let signals = signals.map_err(|why| {
            Failure::new(Exit::Failed, format!("cannot listen to signals: {why}"))
        })?;
        Ok(Self {
            history: History::read(api).await?,
            observer: show::observer_there(invocation),
            signals,
            waits: None,
            alone: false,
            id: None,
            ended: None,
        })
    }

    /// Shows what is new.
    async fn look(&mut self) -> Result<(), Missing> {
        for entry in self.history.refresh().await? {
            self.observer.entry(&entry);
            if let Some(why) = tolerated(&entry.record.event) {
                self.observer.warn(&why);
            }
            if self.id.is_some() && entry.record.release_id == self.id {
                self.ended = how_it_ends(&entry.record.event).or(self.ended.take());
            }
        }
        let release = self.history.ledger().release();
        let until = match release.next_step() {
            Step::Bake { until, .. } => Some(until),
            _ => None,
        };
        let until =
            until.map(|until| Instant::now() + Duration::from_millis(until.since(clock::now())));
        self.observer.state(release, until);
        let due = match release.next_step() {
            Step::Bake { weight, until } if clock::now() >= until => Some(weight),
            _ => None,
        };
        if let (Some(weight), Some(why)) = (due, self.history.traffic())
            && self.waits != Some(weight)
        {
            let why = printable(why);
            let text = format!("step {weight} % has baked and waits for traffic: {why}");
            self.observer.warn(&text);
            self.waits = Some(weight);
        }
        let plan = release.plan().filter(|_| release.under_way());
        let ours = plan.map(|plan| plan.regions.as_slice()).unwrap_or_default();
        for seen in self.history.regions() {
            if ours.iter().any(|region| region.name == seen.name) {
                self.observer.seen(&seen.name, &seen.state);
            }
        }
        Ok(())
    }

    /// Watches until the release is over, or somebody has had enough. A control plane that is away for a while
    /// is waited for: the release goes on there.
    async fn until_over(
        &mut self,
        id: Option<&str>,
        deadline: Option<Instant>,
    ) -> Result<Ended, Failure> {
        self.id = id.map(str::to_owned);
        let mut away = false;
        let mut asked = false;
        // Since when it has been under way with nobody who drives it.
        let mut alone: Option<Instant> = None;
        loop {
            match self.look().await {
                Ok(()) => away = false,
                Err(Missing::Lost(failure)) => return Err(failure),
                Err(Missing::Unreachable(failure)) if !away => {
                    away = true;
                    let why = failure.problems.join("; ");
                    self.observer.warn(&format!(
                        "{why}; trying again, while the release goes on there"
                    ));
                }
                Err(Missing::Unreachable(_)) => {}
            }
            let release = self.history.ledger().release();
            let paused = release.paused().is_some();
            let ours = id.is_none_or(|id| release.id() == Some(id));
            let over =
                release.phase() != Phase::RollbackInProgress && release.next_step() == Step::Rest;
            if !away && (over || !ours) {
                self.observer.close();
                // Somebody may have begun another one since.
                let end = match ours {
                    true => end_of(release),
                    false => self.ended.take().unwrap_or_else(|| end_of(release)),
                };
                return Ok((end, asked.then_some(Cause::Deadline)));
            }
            if !away
                && release.phase() == Phase::RollbackInProgress
                && let Some(why) = self.history.stuck()
            {
                self.observer.close();
                return Ok((End::RollbackIncomplete(why.to_owned()), None));
            }
            if away || paused || self.history.report().driver {
                (alone, self.alone) = (None, false);
            } else if alone.get_or_insert_with(Instant::now).elapsed() > ALONE && !self.alone {
                self.alone = true;
                self.observer.warn("nobody drives the release there now: the server is frozen or has FEATURE_BLUE_GREEN off, or it is a command line's and goes on with `halcyon release --resume` beside its journal");
            }
            let late = deadline.is_some_and(|at| Instant::now() >= at) && !asked;
            if late && away {
                self.observer.warn("the deadline ran out, and there is nobody to tell: the release may go on there");
                self.observer.close();
                return Ok((End::Held, Some(Cause::Deadline)));
            }
            if late {
                asked = true;
                if self.give_up().await? {
                    self.observer.close();
                    return Ok((End::Held, Some(Cause::Deadline)));
                }
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                signal = signalled(self.signals.clone()) => {
                    self.observer.close();
                    return Ok((End::Held, Some(Cause::Signal(signal))));
                }
            }
        }
    }

    /// The deadline has run out: goes back to blue or holds, as the plan has it. Says whether it holds.
    async fn give_up(&mut self) -> Result<bool, Failure> {
        let plan = self.history.ledger().release().plan();
        let abort = plan.is_some_and(|plan| plan.abort_on_err);
        let (path, holds) = match abort {
            true => ("/api/v1/release/rollback", false),
            false => ("/api/v1/release/pause", true),
        };
        let why = reason("the deadline ran out");
        match give(self.history.api(), path, Some(why)).await {
            Ok(_) => {
                if holds {
                    // What was just put on record is part of what is shown; if it can be had.
                    let _ = self.look().await;
                }
                Ok(holds)
            }
            // It has ended in this very moment.
            Err(failure) if failure.exit == Exit::Refused => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    fn conclude(&self, (end, cause): Ended, invocation: &Invocation) -> Result<Exit, Failure> {
        show::outcome(self.history.ledger(), invocation)?;
        match cause {
            Some(Cause::Signal(signal)) => Ok(self.detached(signal, invocation)),
            Some(Cause::Deadline) => {
                let failure = Failure::new(Exit::DeadlineRanOut, "--deadline ran out");
                let release = self.history.ledger().release();
                Err(match release.under_way() && release.paused().is_some() {
                    true => {
                        failure.hint("The release is paused there; `halcyon resume` lets it go on.")
                    }
                    false => failure,
                })
            }
            None => match end {
                // The hook is the server's, and so is trying again.
                End::RollbackIncomplete(why) => Err(incomplete(&why)),
                end => conclude((end, None), invocation),
            },
        }
    }

    /// Says that the release goes on.
    fn detached(&self, signal: Signal, invocation: &Invocation) -> Exit {
        let at = self.history.api().at();
        let goes_on = match self.alone {
            false => "the release goes on",
            true => "nobody drives the release now",
        };
        self.observer.warn(&format!("detached: {goes_on} at {at}"));
        invocation.say(
            "`halcyon status --watch` shows it, `halcyon release --resume` attaches to it again",
        );
        Exit::Signalled(signal.exit_code())
    }
}

async fn signalled(mut signals: watch::Receiver<Option<Signal>>) -> Signal {
    let seen = signals.wait_for(Option::is_some).await;
    match seen.ok().and_then(|seen| *seen) {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}
