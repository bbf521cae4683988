//! Appending: under the lock, on the newest state, durable before it returns.

use halcyon_core::ledger::{Key, Keyed};
use halcyon_core::release::{Command, Context, Event, Rejection};
use halcyon_core::time::Timestamp;

use super::before_last;
use super::file::{is_full, write_all};
use super::{Entry, Journal, JournalError, LogFile, Storage};

impl<S: Storage> Journal<S> {
    /// Decides `command` on the newest state and appends what it brings about, durably, before it
    /// returns. With `expected_seq` it does so only if nobody else has appended since.
    ///
    /// A refusal for the role is itself recorded, at most once a second for a user.
    ///
    /// # Errors
    /// [`JournalError::Refused`] when the machine refuses, [`JournalError::Moved`] when the head is not
    /// the expected one, [`JournalError::Full`] when the disk is full (nothing was written),
    /// [`JournalError::Io`] for anything else; after a failed write or fsync this journal writes no more.
    pub fn append(
        &mut self,
        command: &Command,
        context: &Context<'_>,
        expected_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        self.append_keyed(command, context, None, expected_seq, now)
    }

    /// The same for a command that may have been given before: under a key, it takes effect at most
    /// once. If this command of this user is on record under this key, its records are answered and
    /// nothing is appended, wherever the head is by now.
    ///
    /// # Errors
    /// As [`Journal::append`]; refused when the key stands for another command of this user.
    pub fn append_keyed(
        &mut self,
        command: &Command,
        context: &Context<'_>,
        key: Option<&Key>,
        expected_seq: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        if let Some(why) = &self.poisoned {
            return Err(JournalError::ReadOnly { why: why.clone() });
        }
        if !self.storage.is_there() {
            // A refusal that is not recorded leaves no trace on disk.
            let refused = self.ledger.release().decide(command, context).err();
            if let Some(refused) = refused.filter(|_| context.actor.authorise().is_ok()) {
                return Err(JournalError::Refused(refused));
            }
        }
        self.missed.clear();
        let _lock = self.storage.lock()?;
        self.missed = self.refresh()?;
        if let Some(key) = key {
            match self.ledger.recall(key, command, context) {
                Ok(Some(records)) => {
                    // Its writer may have died before its fsync, and an answer is for good.
                    self.make_durable()?;
                    return self.records(*records.start(), *records.end());
                }
                Ok(None) => {}
                Err(refused) => return self.refuse(refused, command, context, now),
            }
        }
        if expected_seq.is_some_and(|seq| seq != self.ledger.head().seq) {
            return Err(JournalError::Moved);
        }
        match self.ledger.release().decide(command, context) {
            Ok(events) => {
                let release = self.ledger.release();
                let events = events
                    .into_iter()
                    .map(|event| (release.release_id_of(&event, context), event));
                let events: Vec<_> = events.map(|(id, event)| (event, id)).collect();
                let keyed = key.map(|key| Keyed::new(key, command));
                self.write(events, context, keyed.as_ref(), now)
            }
            Err(refused) => self.refuse(refused, command, context, now),
        }
    }

    /// What others appended before the last [`append`](Journal::append) of this process, and no
    /// [`refresh`](Journal::refresh) has returned.
    pub fn take_missed(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.missed)
    }

    /// A refusal, recorded where it is to be.
    fn refuse(
        &mut self,
        refused: Rejection,
        command: &Command,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        if let Some(event) = self.ledger.release().denial(command, context, now) {
            let id = self.ledger.release().id().map(str::to_owned);
            let written = self.write(vec![(event, id)], context, None, now)?;
            self.denial = written.into_iter().next_back();
        }
        Err(JournalError::Refused(refused))
    }

    /// Records that this process has verified before, read again.
    fn records(&mut self, first: u64, last: u64) -> Result<Vec<Entry>, JournalError> {
        let file = self.storage.open(false);
        let bytes = match file.map_err(|why| self.error("open", why))? {
            Some(mut file) => file.read_from(0).map_err(|why| self.error("read", why))?,
            None => return Err(self.corrupt("the file is gone")),
        };
        // Records are numbered from 1 without a gap, a line each.
        let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
        let mut entries = Vec::new();
        for (line, seq) in lines.filter(|(_, seq)| (first..=last).contains(seq)) {
            let record = halcyon_core::ledger::Record::read(line)
                .map_err(|why| self.corrupt(&format!("record {seq}: {why}")))?;
            entries.push(Entry {
                record,
                line: String::from_utf8_lossy(line).into_owned(),
            });
        }
        Ok(entries)
    }

    /// Writes events under the append lock.
    fn write(
        &mut self,
        events: Vec<(Event, Option<String>)>,
        context: &Context<'_>,
        keyed: Option<&Keyed>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        if events.is_empty() {
            // It is so already, and has to stay so.
            self.make_durable()?;
            return Ok(Vec::new());
        }
        let mut next = self.ledger.clone();
        let torn = (self.torn_tail() > 0).then_some(self.torn_tail());
        let text = next.write_keyed(events, context.actor, keyed, torn, now);
        let mut file = match self.storage.open(true) {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(
                    self.error("create", std::io::Error::from(std::io::ErrorKind::NotFound))
                );
            }
            Err(why) => return Err(self.full_or(why, "create")),
        };
        // It is opened by its name again: what was read may have been moved away since.
        let same = file
            .identity()
            .is_ok_and(|now| self.identity.is_none_or(|read| read == now))
            && file.len().is_ok_and(|length| length >= self.verified);
        if !same && self.verified > 0 {
            return Err(self.corrupt("the file was replaced or cut"));
        }
        if self.ledger.head().seq == 0 {
            // The first record: whoever made the file may have died before its name was durable.
            let named = self.storage.sync_names();
            named.map_err(|why| self.poison("fsync the directory of", why))?;
        }
        if torn.is_some() {
            file.truncate(self.verified)
                .map_err(|why| self.poison("cut the torn tail of", why))?;
        }
        // After a power loss any part of what was not synced may be there without the rest. A newline
        // makes a line count, so it is written when all before it is durable.
        let mut at = self.verified;
        for piece in pieces(&text) {
            if let Err(why) = write_all(&mut *file, piece.as_bytes(), at) {
                return Err(self.undo(&mut *file, why));
            }
            file.sync().map_err(|why| self.poison("fsync", why))?;
            at += piece.len() as u64;
        }
        let entries = text.lines().map(|line| Entry {
            record: serde_json::from_str(line)
                .expect("a line this process has just written reads back"),
            line: line.to_owned(),
        });
        let entries: Vec<Entry> = entries.collect();
        self.identity = file.identity().ok();
        self.torn_tail.clear();
        self.before = before_last(&self.before, self.ledger.head().clone(), &entries);
        self.ledger = next;
        (self.verified, self.durable) = (at, at);
        self.acknowledged = Some(self.ledger.head().clone());
        Ok(entries)
    }

    /// A write failed. A full disk leaves the file as it was before, a torn tail included, so that the
    /// append that succeeds records it; anything else ends writing.
    fn undo(&mut self, file: &mut dyn LogFile, why: std::io::Error) -> JournalError {
        if !is_full(&why) {
            return self.poison("write", why);
        }
        // Each durable before the next: a newline may be on disk beyond what is written here, and what was
        // refused must not come back after a power loss.
        let before = file
            .truncate(self.verified)
            .and_then(|()| file.sync())
            .and_then(|()| write_all(file, &self.torn_tail, self.verified));
        let before = match self.torn_tail.is_empty() {
            true => before,
            false => before.and_then(|()| file.sync()),
        };
        match before {
            Ok(()) => self.full_or(why, "write"),
            Err(again) => self.poison("cut back", again),
        }
    }

    fn full_or(&self, why: std::io::Error, doing: &'static str) -> JournalError {
        if is_full(&why) {
            JournalError::Full {
                path: self.storage.path(),
                why: why.to_string(),
            }
        } else {
            self.error(doing, why)
        }
    }
}

/// Lines cut before each newline: every piece but the first begins with one.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = usize::from(rest.starts_with('\n'));
        let end = rest[begin..]
            .find('\n')
            .map_or(rest.len(), |end| begin + end);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
