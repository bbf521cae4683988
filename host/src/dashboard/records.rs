//! The journal as every handler sees it: one view for all of them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Instant;

use halcyon_core::ledger::{KEYS_REMEMBERED, Key, Keyed};
use halcyon_core::release::{Command, Context, Event, Rejection};
use halcyon_core::role::Actor;

use crate::clock;
use crate::journal::{Entry, Epochs, Journal, JournalError, LOOK_AGAIN, PATIENCE};

/// The records of one store. A failed write ends writing until the process is started again; reading goes on.
///
/// Whoever waits for another process's append waits without the view, so that nobody who reads waits with it.
pub(crate) struct Records {
    dir: PathBuf,
    state: Mutex<Option<View>>,
    /// Commands under a key that were so already, with who gave them, oldest first.
    idle: Mutex<VecDeque<(String, Keyed)>>,
}

/// What has been read.
pub(crate) struct View {
    journal: Journal,
    /// Who began the release under way, else the last one.
    author: Option<Actor>,
    /// The last record began a release.
    fresh: bool,
}

impl Records {
    pub(crate) fn of(dir: PathBuf) -> Self {
        let (state, idle) = (Mutex::default(), Mutex::default());
        Self { dir, state, idle }
    }

    /// Where they are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks at them as they are now. Blocks on the disk.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&View) -> T) -> Result<T, JournalError> {
        let mut state = self.state();
        let view = View::refreshed(&mut state, &self.dir)?;
        Ok(look(view))
    }

    /// Looks at them while nobody can append, to issue an epoch. Blocks on the disk.
    ///
    /// # Errors
    /// When they cannot be read or locked, or `issue` fails.
    pub(super) fn under_lock<T>(
        &self,
        issue: impl FnOnce(&View, &mut Epochs) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut epochs = Epochs::lock(&self.dir).map_err(|why| why.to_string())?;
        let mut state = self.state();
        let view = View::refreshed(&mut state, &self.dir).map_err(|why| why.to_string())?;
        issue(view, &mut epochs)
    }

    /// Appends what a command brings about, durably. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Journal::append_keyed`].
    pub(crate) fn append(
        &self,
        command: &Command,
        context: &Context<'_>,
        key: Option<&Key>,
        expected: impl Fn(&View) -> Result<(), JournalError>,
    ) -> Result<Vec<Entry>, JournalError> {
        let begin = Instant::now();
        loop {
            let mut unrecorded = None;
            let outcome = self.append_at_once(command, context, key, &expected, &mut unrecorded);
            let why = unrecorded.as_ref().or(outcome.as_ref().err());
            if matches!(why, Some(JournalError::Locked { .. })) && begin.elapsed() < PATIENCE {
                sleep(LOOK_AGAIN);
                continue;
            }
            if let Some(lost) = unrecorded {
                tracing::warn!("a refusal is not on record: {lost}");
            }
            return outcome;
        }
    }

    /// The same, where it is [`JournalError::Locked`] at once if another process appends; and why a refusal is
    /// not on record, where it should be.
    fn append_at_once(
        &self,
        command: &Command,
        context: &Context<'_>,
        key: Option<&Key>,
        expected: impl Fn(&View) -> Result<(), JournalError>,
        unrecorded: &mut Option<JournalError>,
    ) -> Result<Vec<Entry>, JournalError> {
        let mut state = self.state();
        if let Some(known) = key.and_then(|key| self.recall(key, command, context)) {
            return known;
        }
        loop {
            let view = View::refreshed(&mut state, &self.dir)?;
            // A command that is on record under its key has moved the head itself.
            let known = key.map(|key| view.journal.ledger().recall(key, command, context));
            let repeated = matches!(known, Some(Ok(Some(_))));
            let seq = view.journal.head().seq;
            if !repeated && context.actor.authorise().is_ok() {
                expected(view)?;
            }
            let now = clock::now();
            let appended = view
                .journal
                .append_keyed(command, context, key, Some(seq), now);
            let missed = view.journal.take_missed();
            view.note(&missed);
            if let Some(denial) = view.journal.take_denial() {
                view.note(&[denial]);
            }
            *unrecorded = view.journal.take_unrecorded();
            match appended {
                // Another process was quicker: what was expected is looked at again.
                Err(JournalError::Moved) => {}
                Ok(entries) => {
                    if !repeated {
                        view.note(&entries);
                    }
                    if let Some(key) = key.filter(|_| entries.is_empty()) {
                        self.remember(key, command, context);
                    }
                    return Ok(entries);
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// The answer to a command that has been given under this key before and was so already: it has left no record
    /// to know it by.
    fn recall(
        &self,
        key: &Key,
        command: &Command,
        context: &Context<'_>,
    ) -> Option<Result<Vec<Entry>, JournalError>> {
        let idle = self.idle();
        let mut known = idle.iter();
        let user = &context.actor.user;
        let (_, known) = known.find(|(by, known)| by == user && known.key == *key)?;
        Some(match *known == Keyed::new(key, command) {
            true => Ok(Vec::new()),
            false => Err(Rejection::NotYet {
                words: command.words(),
                why: format!("idempotency key {key} stands for another command, which changed nothing; allowed: a key that is new"),
            }
            .into()),
        })
    }

    fn remember(&self, key: &Key, command: &Command, context: &Context<'_>) {
        let mut idle = self.idle();
        idle.push_back((context.actor.user.clone(), Keyed::new(key, command)));
        if idle.len() > KEYS_REMEMBERED {
            idle.pop_front();
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(String, Keyed)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At most so many records behind number `after`, each with its line. Blocks on the disk.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn lines(
        &self,
        after: u64,
        most: usize,
    ) -> Result<Vec<(u64, String)>, JournalError> {
        // Nobody waits while they are read.
        self.look(|view| view.journal.part(after, most))?.lines()
    }

    fn state(&self) -> MutexGuard<'_, Option<View>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Who began the release under way, else the last one.
    pub(crate) fn author(&self) -> Option<&Actor> {
        self.author.as_ref()
    }

    /// Whether nothing has happened since a release began.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    fn refreshed<'v>(
        state: &'v mut Option<View>,
        dir: &Path,
    ) -> Result<&'v mut View, JournalError> {
        match state {
            Some(view) => {
                let entries = view.journal.refresh()?;
                view.note(&entries);
            }
            None => {
                let (journal, entries) = Journal::open_with_entries(dir)?;
                let view = state.insert(View {
                    journal: journal.impatient(),
                    author: None,
                    fresh: false,
                });
                view.note(&entries);
            }
        }
        // It is there by now.
        state.as_mut().ok_or(JournalError::Moved)
    }

    fn note(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.fresh = matches!(entry.record.event, Event::ProvisionGreen { .. });
            if self.fresh {
                self.author = Some(Actor {
                    user: entry.record.user.clone(),
                    role: entry.record.deploy_role.clone(),
                });
            }
        }
    }
}
