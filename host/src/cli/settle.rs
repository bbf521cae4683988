//! Bringing what is on record to every region when the command that put it there is not the driver.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use halcyon_core::config::Settings;
use halcyon_core::release::{Phase, Step};

use super::release::show;
use super::{Exit, Failure, Invocation};
use crate::driver::{Cause, Driver, End, Observer, World, end_of, signals};
use crate::journal::{DriverLock, HookLock, Journal};
use crate::net::Client;

/// How long a hook that outlived a killed driver is waited for.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(10);

/// How long another driver is waited for without a word. It has to obey within a second.
const DRIVER_PATIENCE: Duration = Duration::from_secs(2);

/// A driver over a journal whose driver lock the caller holds.
pub(super) async fn driver(
    journal: Journal,
    settings: &Settings,
    client: Client,
    hook_timeout: Duration,
    observer: Arc<dyn Observer>,
) -> Result<Driver, Failure> {
    let hook_lock = hook_lock(journal.dir(), &*observer).await?;
    Ok(Driver {
        journal,
        actor: settings.actor.clone(),
        kill_switch: settings.features.kill_switch(),
        world: World {
            client,
            probe_interval: Duration::from_millis(settings.probe_interval_ms),
            probe_timeout: Duration::from_millis(settings.probe_timeout_ms),
            hook_timeout,
            hook_lock,
        },
        observer,
        deadline: None,
        rolling_back: false,
        signals: signals().map_err(|why| {
            Failure::new(Exit::Failed, format!("cannot listen to signals: {why}"))
        })?,
    })
}

/// A hook of a killed driver may still be at work on an older change; running the next one beside it
/// could end with the older one having the last word.
async fn hook_lock(dir: &Path, observer: &dyn Observer) -> Result<Option<Arc<HookLock>>, Failure> {
    let begin = std::time::Instant::now();
    let mut said = false;
    loop {
        if let Some(lock) = HookLock::try_acquire(dir)? {
            return Ok(Some(Arc::new(lock)));
        }
        if begin.elapsed() >= ORPHAN_PATIENCE {
            observer.warn(
                "a step hook of an earlier driver still runs; going on without waiting for it",
            );
            return Ok(None);
        }
        if !said {
            observer.warn("a step hook of an earlier driver still runs; waiting for it");
            said = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until every region has what is on record, driving if nobody else does.
pub(super) async fn settle(
    mut journal: Journal,
    settings: &Settings,
    invocation: &Invocation,
    client: Client,
) -> Result<(End, Option<Cause>), Failure> {
    let observer = show::observer(invocation);
    let begin = std::time::Instant::now();
    let mut said = false;
    loop {
        for entry in journal.refresh()? {
            observer.entry(&entry);
        }
        if is_settled(&journal) {
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
            )
            .await?;
            return Ok(driver.run().await?);
        }
        if !said && begin.elapsed() >= DRIVER_PATIENCE {
            observer.warn(
                "waiting for the process that drives the release; if it is stopped, end it, and this goes on",
            );
            said = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
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
