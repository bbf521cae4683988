//! The journal in `file:DIR`: append-only, chained, fsynced before a change takes effect.
//!
//! One file, `DIR/deploy_audit.log`, is the audit log, the state and the only thing several processes
//! agree through. An append holds the append lock for as long as it takes to read what is new, compare,
//! write and fsync; who drives a release is a second lock ([`DriverLock`]).

mod append;
mod entry;
mod epoch;
mod error;
mod file;
mod lock;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use entry::Entry;
pub use epoch::{EpochError, Epochs};
pub use error::JournalError;
pub use file::{DirStorage, LogFile, Storage};
pub use lock::{DriverLock, HookLock, driver_alive};

use halcyon_core::ledger::{Head, Ledger};
use halcyon_core::release::Release;

/// The file's name inside the store's directory.
pub const LOG_NAME: &str = "deploy_audit.log";

/// One process's view of a journal.
#[derive(Debug, Clone)]
pub struct Journal<S = DirStorage> {
    storage: S,
    ledger: Ledger,
    /// The record before the last one.
    before: Head,
    /// Bytes verified so far: up to the last newline seen.
    verified: u64,
    /// Bytes of them that are durable for sure.
    durable: u64,
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
        let mut journal = Self::unread(DirStorage::new(dir));
        let entries = journal.refresh()?;
        Ok((journal, entries))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.storage.dir()
    }
}

impl<S: Storage> Journal<S> {
    /// A journal over other storage than a directory's file.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_storage(storage: S) -> Result<Self, JournalError> {
        let mut journal = Self::unread(storage);
        journal.refresh()?;
        Ok(journal)
    }

    fn unread(storage: S) -> Self {
        Self {
            storage,
            ledger: Ledger::default(),
            before: Head::default(),
            verified: 0,
            durable: 0,
            torn_tail: Vec::new(),
            identity: None,
            acknowledged: None,
            missed: Vec::new(),
            poisoned: None,
            denial: None,
        }
    }

    /// The chain and the state it adds up to.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
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

    /// The same, and what is known after it is durable: a writer may have died, or be, between its write
    /// and its fsync, and whoever acts on a record must not be ahead of the disk.
    ///
    /// # Errors
    /// As [`Journal::refresh`]; after a failed fsync this journal writes no more.
    pub fn refresh_durably(&mut self) -> Result<Vec<Entry>, JournalError> {
        let entries = self.refresh()?;
        self.make_durable()?;
        Ok(entries)
    }

    /// Syncs what this process has read and not written itself.
    fn make_durable(&mut self) -> Result<(), JournalError> {
        if let Some(why) = &self.poisoned {
            return Err(JournalError::ReadOnly { why: why.clone() });
        }
        if self.verified > self.durable {
            let file = self.storage.open(false);
            let synced = file.and_then(|file| file.map_or(Ok(()), |mut file| file.sync()));
            synced.map_err(|why| self.poison("fsync", why))?;
            self.durable = self.verified;
        }
        Ok(())
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
        let Some(new) = bytes.strip_prefix(known.as_bytes()) else {
            let why = format!("record {} is another one by now", self.ledger.head().seq);
            return Err(self.corrupt(&why));
        };
        let verified = &mut self.verified;
        let last = self.ledger.head().clone();
        let tail = self.ledger.read(new, |_, record, line| {
            *verified += line.len() as u64 + 1;
            entries.push(Entry {
                record,
                line: String::from_utf8_lossy(line).into_owned(),
            });
        });
        self.torn_tail = tail.map_err(|why| self.corrupt(&why.to_string()))?.to_vec();
        self.before = before_last(&self.before, last, &entries);
        Ok(entries)
    }

    /// Reads everything again; returns the records that were not known before.
    fn reread(&mut self, file: &mut dyn LogFile) -> Result<Vec<Entry>, JournalError> {
        let (known, known_before) = (self.ledger.head().clone(), self.before.clone());
        // The last good view stays where this fails: state may still be asked for.
        let view = (std::mem::take(&mut self.ledger), self.verified);
        self.verified = 0;
        let entries = self.read_from_verified(file).and_then(|entries| {
            self.still_there(&entries, &known, &known_before)?;
            Ok(entries)
        });
        match entries {
            Ok(entries) => {
                self.durable = 0;
                let cut_back = u64::from(!holds(&entries, &known));
                let new = |entry: &Entry| entry.record.seq + cut_back > known.seq;
                Ok(entries.into_iter().filter(new).collect())
            }
            Err(why) => {
                (self.ledger, self.verified) = view;
                self.before = known_before;
                Err(why)
            }
        }
    }

    /// An append has at most two records, so one that failed left at most its first one whole to be seen
    /// and cut back: everything else that this process has read must be there, and what it wrote.
    fn still_there(
        &self,
        entries: &[Entry],
        known: &Head,
        before: &Head,
    ) -> Result<(), JournalError> {
        if let Some(ours) = &self.acknowledged
            && !holds(entries, ours)
        {
            let why = format!(
                "record {} was written by this process and is gone",
                ours.seq
            );
            return Err(self.corrupt(&why));
        }
        if !holds(entries, known) && before.seq > 0 && !holds(entries, before) {
            let why = format!("record {} was read by this process and is gone", before.seq);
            return Err(self.corrupt(&why));
        }
        Ok(())
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

fn holds(entries: &[Entry], head: &Head) -> bool {
    let mut entries = entries.iter();
    entries.any(|entry| entry.record.seq == head.seq && entry.hash() == head.hash)
}

/// The record before the last one, once `entries` are behind `last`, which was behind `before`.
fn before_last(before: &Head, last: Head, entries: &[Entry]) -> Head {
    match entries {
        [] => before.clone(),
        [_] => last,
        [.., entry, _] => Head {
            seq: entry.record.seq,
            hash: entry.hash().to_owned(),
        },
    }
}
