//! The journal in `file:DIR`: append-only, chained, fsynced before a change takes effect.
//!
//! One file, `DIR/deploy_audit.log`, is the audit log, the state and the only thing several processes
//! agree through. An append holds the append lock for as long as it takes to read what is new, compare,
//! write and fsync; who drives a release is a second lock ([`DriverLock`]).

mod entry;
mod error;
mod file;
mod lock;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use entry::Entry;
pub use error::JournalError;
pub use file::{DirStorage, LogFile, Storage};
use file::{is_full, sync_dir, write_all};
pub use lock::{DriverLock, HookLock, driver_alive};

use halcyon_core::ledger::{Head, Ledger};
use halcyon_core::release::{Command, Context, Release};
use halcyon_core::time::Timestamp;

/// The file's name inside the store's directory.
pub const LOG_NAME: &str = "deploy_audit.log";

/// One process's view of a journal.
pub struct Journal<S = DirStorage> {
    storage: S,
    dir: PathBuf,
    ledger: Ledger,
    /// Bytes verified so far: up to the last newline seen.
    verified: u64,
    /// Bytes after the last newline, at the last look.
    torn_tail: Vec<u8>,
    /// The file looked at last, by device and inode.
    identity: Option<(u64, u64)>,
    /// The last record this process wrote: it must still be there at every later look.
    acknowledged: Option<Head>,
    /// What others had appended when this process last did.
    missed: Vec<Entry>,
    /// Why nothing may be written any more.
    poisoned: Option<String>,
    /// The record of the last refusal, if it was recorded.
    denial: Option<Entry>,
}

impl Journal {
    /// The journal in `dir`, read and verified. Creates nothing.
    ///
    /// # Errors
    /// When the file cannot be read, is no regular file, or does not verify.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, JournalError> {
        Ok(Self::open_with_entries(dir)?.0)
    }

    /// The same together with every record it holds.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with_entries(dir: impl Into<PathBuf>) -> Result<(Self, Vec<Entry>), JournalError> {
        let dir = dir.into();
        let mut journal = Self::unread(DirStorage::new(dir.join(LOG_NAME)), dir);
        let entries = journal.refresh()?;
        Ok((journal, entries))
    }
}

impl<S: Storage> Journal<S> {
    /// A journal over other storage than a directory's file; locks still live in `dir`.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_storage(storage: S, dir: PathBuf) -> Result<Self, JournalError> {
        let mut journal = Self::unread(storage, dir);
        journal.refresh()?;
        Ok(journal)
    }

    fn unread(storage: S, dir: PathBuf) -> Self {
        Self {
            storage,
            dir,
            ledger: Ledger::default(),
            verified: 0,
            torn_tail: Vec::new(),
            identity: None,
            acknowledged: None,
            missed: Vec::new(),
            poisoned: None,
            denial: None,
        }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The end of the chain at the last look.
    pub fn head(&self) -> &Head {
        self.ledger.head()
    }

    /// The state at the last look.
    pub fn release(&self) -> &Release {
        self.ledger.release()
    }

    /// The record of the refusal that the last append answered, where it was recorded.
    pub fn take_denial(&mut self) -> Option<Entry> {
        self.denial.take()
    }

    /// Bytes after the last newline at the last look; readers ignore them.
    pub fn torn_tail(&self) -> u64 {
        self.torn_tail.len() as u64
    }

    /// The file's length at the last look. A file of another length has something new.
    pub fn seen_bytes(&self) -> u64 {
        self.verified + self.torn_tail()
    }

    /// Reads and verifies what is new, and returns it.
    ///
    /// # Errors
    /// When the file cannot be read or what is new does not verify.
    pub fn refresh(&mut self) -> Result<Vec<Entry>, JournalError> {
        let file = self
            .storage
            .open(false)
            .map_err(|why| self.error("open", why))?;
        let Some(mut file) = file else {
            return if self.ledger.head().seq == 0 {
                self.torn_tail.clear();
                Ok(Vec::new())
            } else {
                Err(self.corrupt("the file is gone"))
            };
        };
        self.read_new(&mut *file)
    }

    fn read_new(&mut self, file: &mut dyn LogFile) -> Result<Vec<Entry>, JournalError> {
        let identity = file.identity().map_err(|why| self.error("examine", why))?;
        let length = file.len().map_err(|why| self.error("examine", why))?;
        let same = self.identity.is_none_or(|known| known == identity) && length >= self.verified;
        let first_try = if same {
            self.read_from_verified(file)
        } else {
            Err(self.corrupt("the file was replaced or cut"))
        };
        let entries = match first_try {
            Ok(entries) => entries,
            // A writer whose disk filled up cuts back what it had begun, and a reader may have seen it:
            // only a whole new reading tells that from corruption.
            Err(JournalError::Corrupt { .. }) if self.verified > 0 => self.reread(file)?,
            Err(other) => return Err(other),
        };
        self.identity = Some(identity);
        Ok(entries)
    }

    fn read_from_verified(&mut self, file: &mut dyn LogFile) -> Result<Vec<Entry>, JournalError> {
        // The end of the last record is read again: another one of its length may stand there by now.
        let known = match self.verified {
            0 => String::new(),
            _ => format!("{}\"}}\n", self.ledger.head().hash),
        };
        let bytes = file
            .read_from(self.verified - known.len() as u64)
            .map_err(|why| self.error("read", why))?;
        let mut entries = Vec::new();
        let Some(mut rest) = bytes.strip_prefix(known.as_bytes()) else {
            let why = format!("record {} is another one by now", self.ledger.head().seq);
            return Err(self.corrupt(&why));
        };
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..end];
            let record = self
                .ledger
                .accept(line)
                .map_err(|why| self.corrupt(&why.to_string()))?;
            entries.push(Entry {
                record,
                line: String::from_utf8_lossy(line).into_owned(),
            });
            self.verified += end as u64 + 1;
            rest = &rest[end + 1..];
        }
        self.torn_tail = rest.to_vec();
        Ok(entries)
    }

    /// Reads everything again; returns the records that were not known before.
    fn reread(&mut self, file: &mut dyn LogFile) -> Result<Vec<Entry>, JournalError> {
        let known = self.ledger.head().clone();
        let before = (
            std::mem::take(&mut self.ledger),
            std::mem::take(&mut self.verified),
        );
        let entries = self.read_from_verified(file).inspect_err(|_| {
            // Keep the last good view: state may still be asked for.
        });
        let entries = match entries {
            Ok(entries) => entries,
            Err(why) => {
                (self.ledger, self.verified) = before;
                return Err(why);
            }
        };
        let holds = |head: &Head| {
            entries
                .iter()
                .any(|entry| entry.record.seq == head.seq && entry.hash() == head.hash)
        };
        if let Some(ours) = &self.acknowledged
            && !holds(ours)
        {
            let why = format!(
                "record {} was written by this process and is gone",
                ours.seq
            );
            (self.ledger, self.verified) = before;
            return Err(self.corrupt(&why));
        }
        // An append has at most two records, so one that failed left at most its first one whole to be seen.
        let cut_back = u64::from(!holds(&known));
        Ok(entries
            .into_iter()
            .filter(|entry| entry.record.seq + cut_back > known.seq)
            .collect())
    }

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
        if let Some(why) = &self.poisoned {
            return Err(JournalError::ReadOnly { why: why.clone() });
        }
        if !self.dir.exists() {
            // A refusal that is not recorded leaves no trace on disk.
            let refused = self.ledger.release().decide(command, context).err();
            if let Some(refused) = refused.filter(|_| context.actor.authorise().is_ok()) {
                return Err(JournalError::Refused(refused));
            }
        }
        std::fs::create_dir_all(&self.dir)
            .map_err(|why| self.error("create the directory of", why))?;
        self.missed.clear();
        let _lock = lock::append_lock(&self.dir)?;
        self.missed = self.refresh()?;
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
                self.write(events, context, now)
            }
            Err(refused) => {
                if let Some(event) = self.ledger.release().denial(command, context, now) {
                    let id = self.ledger.release().id().map(str::to_owned);
                    self.denial = self.write(vec![(event, id)], context, now)?.pop();
                }
                Err(JournalError::Refused(refused))
            }
        }
    }

    /// What others appended before the last [`append`](Journal::append) of this process, and no
    /// [`refresh`](Journal::refresh) has returned.
    pub fn take_missed(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.missed)
    }

    /// Writes events under the append lock.
    fn write(
        &mut self,
        events: Vec<(halcyon_core::release::Event, Option<String>)>,
        context: &Context<'_>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, JournalError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut next = self.ledger.clone();
        let torn = (self.torn_tail() > 0).then_some(self.torn_tail());
        let text = next.write(events, context.actor, torn, now);
        let mut file = match self.storage.open(true) {
            Ok(Some(file)) => file,
            Ok(None) => {
                return Err(
                    self.error("create", std::io::Error::from(std::io::ErrorKind::NotFound))
                );
            }
            Err(why) => return Err(self.full_or(why, "create")),
        };
        if torn.is_some() {
            file.truncate(self.verified)
                .map_err(|why| self.poison("cut the torn tail of", why))?;
        }
        if let Err(why) = write_all(&mut *file, text.as_bytes(), self.verified) {
            return Err(self.undo(&mut *file, why));
        }
        file.sync().map_err(|why| self.poison("fsync", why))?;
        if self.ledger.head().seq == 0 {
            // The first record: whoever made the file may have died before its name was durable.
            let parent = self.dir.join("..");
            for dir in [self.dir.clone(), parent] {
                sync_dir(&dir).map_err(|why| self.poison("fsync the directory of", why))?;
            }
        }
        self.identity = file.identity().ok();
        self.torn_tail.clear();
        self.ledger = next;
        self.verified += text.len() as u64;
        self.acknowledged = Some(self.ledger.head().clone());
        let entries = text.lines().map(|line| Entry {
            record: serde_json::from_str(line)
                .expect("a line this process has just written reads back"),
            line: line.to_owned(),
        });
        Ok(entries.collect())
    }

    /// A write failed. A full disk leaves the file as it was before, a torn tail included, so that the
    /// append that succeeds records it; anything else ends writing.
    fn undo(&mut self, file: &mut dyn LogFile, why: std::io::Error) -> JournalError {
        if !is_full(&why) {
            return self.poison("write", why);
        }
        let before = file
            .truncate(self.verified)
            .and_then(|()| write_all(file, &self.torn_tail, self.verified));
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

    fn poison(&mut self, doing: &'static str, why: std::io::Error) -> JournalError {
        self.poisoned = Some(format!("an earlier attempt to {doing} it failed: {why}"));
        self.error(doing, why)
    }

    fn error(&self, doing: &'static str, why: std::io::Error) -> JournalError {
        JournalError::Io {
            doing,
            path: self.storage.path(),
            why: why.to_string(),
        }
    }

    fn corrupt(&self, why: &str) -> JournalError {
        JournalError::Corrupt {
            path: self.storage.path(),
            why: why.to_owned(),
        }
    }
}
