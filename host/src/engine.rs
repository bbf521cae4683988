//! Drives the releases that were begun over the API, for as long as this process serves, and brings to every
//! region what people have said over it: the same driver as the command line's.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use halcyon_core::config::Settings;
use halcyon_core::release::{Command, Context, Event, Phase, Rejection, Release, Step};
use halcyon_core::role::Actor;
use halcyon_core::text::printable;
use halcyon_core::time::Timestamp;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::dashboard::Records;
use crate::driver::{Doing, Driver, End, HOOK_TIMEOUT, Hold, Hooks, Observer, World, is_command};
use crate::journal::{DriverLock, Entry, Journal, JournalError};
use crate::net::Client;
use crate::traffic::Traffic;

/// How long nothing is looked at where nothing is told.
const LOOK: Duration = Duration::from_secs(1);

/// How long to rest after a drive that failed, at least and at most.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Why a rollback does not come to an end.
#[derive(Debug, Default)]
pub(crate) struct Stuck(Mutex<Option<String>>);

impl Stuck {
    pub(crate) fn why(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn say(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// What drives releases here.
pub(crate) struct Engine {
    pub(crate) records: Arc<Records>,
    pub(crate) settings: Settings,
    pub(crate) client: Client,
    /// Tells of every change of the journal.
    pub(crate) changes: watch::Receiver<u64>,
    /// Says why a rollback does not come to an end.
    pub(crate) stuck: Arc<Stuck>,
    /// What edges have counted.
    pub(crate) traffic: Arc<Traffic>,
    /// Whether to leave things as they are.
    pub(crate) hold: watch::Receiver<Hold>,
}

/// An id no release had before: when, and 32 random bits.
pub(crate) fn new_release_id(now: Timestamp) -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    let when: String = now
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == 'T')
        .take(15)
        .collect();
    format!("{}-{:08x}", when.replace('T', "-"), random >> 32)
}

/// Whether a release may begin that the machine itself would let begin: somebody knows what blue is, and the
/// promotion of the one before has reached every region, as a new one would drop it.
pub(crate) fn may_begin(release: &Release, command: &Command) -> Result<(), JournalError> {
    let words = command.words();
    if let Command::ProvisionGreen {
        blue_image: None, ..
    } = command
        && release.blue_image().is_none()
        && release.phase() == Phase::Idle
    {
        let why = "image_blue is missing; the journal knows no blue image yet, so name the one that serves now";
        let why = why.to_owned();
        return Err(Rejection::Invalid { words, why }.into());
    }
    let open: Vec<_> = release
        .unconfirmed()
        .map(|region| region.name.as_str())
        .collect();
    match release.phase() == Phase::GreenLive && !open.is_empty() {
        false => Ok(()),
        true => {
            let open = open.join(", ");
            let why = format!("the promotion of the last release has not reached {open}");
            Err(Rejection::NotYet { words, why }.into())
        }
    }
}

/// How a drive went.
enum Drove {
    /// There was nothing to drive, or it was somebody else's.
    Nothing,
    /// To its end.
    On,
    /// Not to its end; the last record that was known then.
    Badly(u64),
}

/// Who drives, and whether the one who began is still at it.
struct Wanted {
    actor: Actor,
    fresh: bool,
}

impl Engine {
    /// Drives until it is told that the process ends.
    pub(crate) async fn run(mut self) {
        let mut rest = REST;
        while *self.hold.borrow() != Hold::Ending {
            self.changes.mark_unchanged();
            let drove = match self.wanted().await {
                Some(wanted) => self.drive(wanted).await,
                None => {
                    self.stuck.say(None);
                    Drove::Nothing
                }
            };
            match drove {
                Drove::Nothing => self.wait(LOOK).await,
                Drove::On => rest = REST,
                Drove::Badly(known) => {
                    self.rest(rest, known).await;
                    rest = (rest * 2).min(LONGEST_REST);
                }
            }
        }
    }

    /// Rests, until somebody else has put something on record behind `known` or the process ends.
    async fn rest(&mut self, rest: Duration, known: u64) {
        let ends = Instant::now() + rest;
        loop {
            self.wait(ends.saturating_duration_since(Instant::now()))
                .await;
            let ending = *self.hold.borrow() == Hold::Ending;
            if ending || Instant::now() >= ends || self.head().await > known {
                return;
            }
        }
    }

    /// The number of the last record; 0 where it cannot be read.
    async fn head(&self) -> u64 {
        let records = self.records.clone();
        let look = move || records.look(|view| view.journal().head().seq);
        let head = tokio::task::spawn_blocking(look).await;
        head.ok().and_then(Result::ok).unwrap_or_default()
    }

    async fn wait(&mut self, at_most: Duration) {
        let (changes, hold) = (&mut self.changes, &mut self.hold);
        // Whoever tells may be gone before this; then it is over soon.
        let told = async {
            tokio::select! {
                told = changes.changed() => told.is_ok(),
                told = hold.changed() => told.is_ok(),
            }
        };
        if timeout(at_most, told).await == Ok(false) {
            sleep(at_most).await;
        }
    }

    /// Who is to drive, where there is something to.
    async fn wanted(&self) -> Option<Wanted> {
        let (records, hold) = (self.records.clone(), *self.hold.borrow());
        let raises = self.settings.features.blue_green == Some(true);
        let looked = tokio::task::spawn_blocking(move || {
            records.look(|view| {
                let release = view.journal().release();
                let planned = release.plan().is_some_and(|plan| plan.by_server);
                // A command that runs here without what was set for it there fails, and would take back what is live.
                let elsewhere = !planned
                    && release
                        .plan()
                        .and_then(|plan| plan.on_step.as_deref())
                        .is_some_and(is_command);
                let wanted = match (release.phase(), release.next_step()) {
                    (_, Step::Rest) => false,
                    // Back to blue, whoever began it and however.
                    (Phase::RollbackInProgress, _) => true,
                    // A person has paused it: there is nothing to do until somebody says more.
                    (_, Step::Hold) => false,
                    // What is live is to be so in every region.
                    (Phase::GreenLive, _) => raises && !elsewhere && hold == Hold::Never,
                    _ => raises && planned && hold == Hold::Never,
                };
                wanted.then(|| Wanted {
                    actor: view.author().cloned().unwrap_or(Actor {
                        user: "halcyon".into(),
                        role: "Deployer".into(),
                    }),
                    fresh: view.is_fresh(),
                })
            })
        });
        match looked.await {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(_)) | Err(_) => None,
        }
    }

    async fn drive(&mut self, wanted: Wanted) -> Drove {
        let mut known = None;
        match self.drive_once(wanted, &mut known).await {
            Ok(Some(End::RollbackIncomplete(why))) => {
                tracing::error!(
                    "rollback incomplete: {}; it is tried again",
                    printable(&why)
                );
                self.stuck.say(Some(why));
                Drove::Badly(known.unwrap_or_default())
            }
            Ok(Some(End::Held)) | Ok(None) => Drove::Nothing,
            Ok(Some(end)) => {
                self.stuck.say(None);
                tracing::info!("the release ended: {end:?}");
                Drove::On
            }
            Err(why) => {
                tracing::error!("the release stands still: {why}");
                // Where not even that is known, what is there is not news.
                let known = match known {
                    Some(known) => known,
                    None => self.head().await,
                };
                Drove::Badly(known)
            }
        }
    }

    /// Drives, unless somebody else does.
    async fn drive_once(
        &mut self,
        wanted: Wanted,
        known: &mut Option<u64>,
    ) -> Result<Option<End>, JournalError> {
        let dir = PathBuf::from(self.records.dir());
        let Some(_lock) = DriverLock::try_acquire(&dir)? else {
            return Ok(None);
        };
        let mut journal = Journal::open(&dir)?;
        let context = Context {
            actor: &wanted.actor,
            kill_switch: self.settings.features.kill_switch(),
            new_release_id: "",
        };
        let rollback = journal.release().phase() == Phase::RollbackInProgress;
        if !rollback {
            self.stuck.say(None);
        }
        if !wanted.fresh && !rollback {
            // What baked while nobody looked has not baked.
            let seq = journal.head().seq;
            match journal.append(&Command::AttachDriver, &context, Some(seq), clock::now()) {
                Ok(_) => {}
                Err(JournalError::Moved) => return Ok(None),
                // Somebody else has brought it to its end since it was looked at.
                Err(JournalError::Refused(Rejection::State { .. })) => return Ok(None),
                Err(why) => return Err(why),
            }
        }
        let settings = &self.settings;
        let mut driver = Driver {
            actor: wanted.actor.clone(),
            kill_switch: settings.features.kill_switch(),
            world: World {
                client: self.client.clone(),
                probe_interval: Duration::from_millis(settings.probe_interval_ms),
                probe_timeout: Duration::from_millis(settings.probe_timeout_ms),
                hook_timeout: HOOK_TIMEOUT,
                hooks: Hooks::new(dir),
                on_step: None,
                judge: Some(self.traffic.clone()),
            },
            journal,
            observer: Arc::new(Logged),
            deadline: None,
            rolling_back: false,
            signals: watch::channel(None).1,
            hold: self.hold.clone(),
        };
        let ended = driver.run().await;
        *known = Some(driver.journal.head().seq);
        Ok(Some(ended?.0))
    }
}

/// Says in the log what is going on.
struct Logged;

impl Observer for Logged {
    fn entry(&self, entry: &Entry) {
        let record = &entry.record;
        let (seq, state, weight) = (
            record.seq,
            record.state.name(),
            record.canary_weight.percent(),
        );
        match &record.event {
            Event::RegionConfirmed { .. } => tracing::debug!(seq, state, weight, "release"),
            event => {
                let event = serde_json::to_value(event).unwrap_or_default();
                let action = event["action"].as_str().unwrap_or_default();
                tracing::info!(seq, state, weight, "release: {action}");
            }
        }
    }
    fn state(&self, _: &Release, _: Option<Instant>) {}
    fn region(&self, region: &str, doing: Doing) {
        if let Doing::Probe {
            failures,
            result: Err(why),
            ..
        } = doing
        {
            tracing::warn!(
                "region {region} fails its probe while the step bakes ({failures}): {why}"
            );
        }
    }
    fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }
    fn close(&self) {}
}

#[cfg(test)]
mod tests;
