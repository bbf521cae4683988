//! Bringing what is on record to every region when the command that put it there is not the driver.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use halcyon_core::config::Settings;
use halcyon_core::release::{Phase, Step};
use halcyon_core::text::for_screen;
use tokio::sync::watch;

use super::release::show;
use super::{Exit, Failure, Invocation};
use crate::driver::{Cause, Driver, End, Hold, Hooks, Observer, Signal, World, end_of, signals};
use crate::journal::{DriverLock, Holder, Journal};
use crate::net::Client;

/// The first signal that asks to stop, once there is one.
pub(super) type Signals = watch::Receiver<Option<Signal>>;

/// What tells of signals, from now on.
pub(super) fn heard() -> Result<Signals, Failure> {
    signals().map_err(|why| Failure::new(Exit::Failed, format!("cannot listen to signals: {why}")))
}

/// A driver over a journal whose driver lock the caller holds.
pub(super) fn driver(
    journal: Journal,
    settings: &Settings,
    client: Client,
    hook_timeout: Duration,
    observer: Arc<dyn Observer>,
    signals: Signals,
) -> Driver {
    let hooks = Hooks::new(journal.dir().to_owned());
    Driver {
        journal,
        actor: settings.actor.clone(),
        kill_switch: settings.features.kill_switch(),
        world: World {
            client,
            probe_interval: Duration::from_millis(settings.probe_interval_ms),
            probe_timeout: Duration::from_millis(settings.probe_timeout_ms),
            hook_timeout,
            hooks,
            on_step: None,
            judge: None,
        },
        observer,
        deadline: None,
        rolling_back: false,
        hold: tokio::sync::watch::channel(Hold::Never).1,
        signals,
    }
}

/// Waits until every region has what is on record, driving if nobody else does: with this step hook in place of the
/// plan's, where there is one.
pub(super) async fn settle(
    mut journal: Journal,
    settings: &Settings,
    invocation: &Invocation,
    client: Client,
    on_step: Option<String>,
) -> Result<(End, Option<Cause>), Failure> {
    let observer = show::observer(invocation);
    let mut said = String::new();
    let mut says = Instant::now() + Duration::from_secs(2);
    loop {
        for entry in journal.refresh()? {
            observer.entry(&entry);
        }
        if is_settled(&journal) {
            if on_step.is_some() {
                observer.warn("--on-step: not run; another process has brought it to every region, or there was nothing to bring");
            }
            return Ok((end_of(journal.release()), None));
        }
        let dir = journal.dir().to_owned();
        if let Some(_lock) = DriverLock::try_acquire(&dir)? {
            let mut driver = driver(
                journal,
                settings,
                client,
                super::release::HOOK_TIMEOUT,
                observer,
                heard()?,
            );
            let plan = driver.journal.release().plan();
            if on_step.is_some() && plan.is_none_or(|plan| plan.on_step.is_none()) {
                let why = "--on-step: not run; the release has no step hook, so nothing is to be brought to a region";
                driver.observer.warn(why);
            }
            driver.world.on_step = on_step;
            return Ok(driver.run().await?);
        }
        if Instant::now() >= says {
            let waits = waits_for(&dir);
            if waits != said {
                observer.warn(&format!("it is on record; waiting for {waits}"));
                said = waits;
            }
            says += Duration::from_secs(2);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who has to act where another process drives, and what helps if it does not.
fn waits_for(dir: &Path) -> String {
    match DriverLock::holder(dir) {
        Some(Holder {
            process,
            stopped: true,
        }) => format!(
            "process {process}, which drives the release and is stopped: `kill -CONT {process}` lets it bring this to every region, and once it has ended this command does"
        ),
        Some(Holder { process, .. }) => {
            format!("process {process}, which drives the release, to bring it to every region")
        }
        None => {
            let lock = for_screen(&dir.join("driver.lock").display().to_string());
            format!(
                "the process that drives the release (it holds {lock}) to bring it to every region"
            )
        }
    }
}

/// Whether nothing is left to do but what a person asks for, or a plan's own next step.
fn is_settled(journal: &Journal) -> bool {
    let release = journal.release();
    match release.phase() {
        Phase::RollbackInProgress => false,
        Phase::GreenLive => release.next_step() == Step::Rest,
        Phase::Idle | Phase::GreenProvisioned | Phase::Canary => true,
    }
}
